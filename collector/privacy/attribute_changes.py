"""The attribute table while it is being redacted: its columns, what is put in place of values, their sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, compact
from agenttracer.collector.decode.nested import render_nested
from agenttracer.schemas.batch import ATTRIBUTES, Kind

NESTED = (Kind.ARRAY, Kind.KVLIST)
Mask = npt.NDArray[np.bool_]


class Changes:
    """The table's columns as they become."""

    def __init__(self, attributes: View, text: pa.StringArray) -> None:
        self._table = attributes.table
        self._kinds = attributes.kinds
        self.text = text
        self.masked = np.zeros(len(attributes.kinds), bool)

    def replace(self, where: Mask, texts: pa.StringArray) -> None:
        """Other strings in place of strings."""
        self.text = pc.replace_with_mask(self.text, pa.array(where), texts)

    def mask(self, where: Mask, texts: pa.StringArray) -> None:
        """Texts in place of values of whatever kind."""
        self.replace(where, texts)
        self.masked |= where

    def rendered(self, where: Mask) -> pa.StringArray:
        """The values as texts, numbers too."""
        chosen = pa.array(where)
        columns = [self._table.column(name).filter(chosen).cast(pa.string()) for name in ("int", "double")]
        return pc.coalesce(self.text.filter(chosen), *columns, "")

    def table(self, keep: Mask) -> pa.RecordBatch:
        """The rows that stay."""
        columns = {name: self._table.column(name) for name in ATTRIBUTES.names} | {"string": self.text}
        masked = self.masked & ~np.isin(self._kinds, (Kind.STRING, *NESTED))
        if masked.any():
            # What was a number is a text now, and nothing else.
            where = pa.array(masked)
            for name in ("int", "double", "bytes"):
                columns[name] = pc.if_else(where, pa.scalar(None, columns[name].type), columns[name])
            columns["kind"] = pa.array(np.where(masked, Kind.STRING, self._kinds).astype(np.uint8))
        table = pa.RecordBatch.from_arrays(list(columns.values()), schema=ATTRIBUTES).filter(pa.array(keep))
        index = table.schema.get_field_index("key")
        return table.set_column(index, table.schema.field(index), compact(table.column(index)))


def rendered(table: pa.RecordBatch, text: pa.StringArray, listed: Mask) -> pa.StringArray:
    """The strings, with arrays and maps that may stay as JSON text among them."""
    rows = pa.array(np.flatnonzero(listed))
    rendered = render_nested(table.column("kind").take(rows), table.column("nested").take(rows))
    return pc.replace_with_mask(text, pa.array(listed), rendered)


def sizes(table: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Bytes of every value: of strings and bytes their length, of nested ones that of their elements."""
    total = np.zeros(table.num_rows, np.int64)
    for name in ("string", "bytes"):
        column = table.column(name)
        if column.null_count < len(column):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    nested = table.column("nested")
    if nested.null_count < len(nested):
        ends = np.concatenate(
            [[0], np.cumsum(pc.binary_length(nested.flatten()).to_numpy(zero_copy_only=False))]
        )
        lengths = pc.fill_null(pc.list_value_length(nested), 0).to_numpy(zero_copy_only=False)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        total += (ends[bounds[1:]] - ends[bounds[:-1]]).astype(np.int64)
    return total
