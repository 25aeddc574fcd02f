"""The attribute table while it is being redacted: its columns, what is put in place of values, their sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, compact
from agenttracer.collector.decode.nested import render_nested
from agenttracer.collector.string_views import StringViews
from agenttracer.schemas.batch import ATTRIBUTES, Kind

NESTED = (Kind.ARRAY, Kind.KVLIST)
IS_TEXT = np.array([kind in (Kind.STRING, *NESTED) for kind in Kind], bool)
"""Which kinds of values are texts, or become some."""
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


class Changes:
    """The strings of a table as they become: those that came, or others in their place.

    The column itself is mostly content that is dropped. What stays of it is copied once, at the end."""

    def __init__(self, attributes: View) -> None:
        self._table = attributes.table
        self._kinds = attributes.kinds
        self._owners = attributes.owners
        self._came = StringViews.of(attributes.table.column("string"))
        self._held: list[StringViews] = []
        self._place = np.full(len(attributes.kinds), -1, np.int64)
        self._count = 0
        self.masked = np.zeros(len(attributes.kinds), bool)

    def render(self, rows: Rows) -> None:
        """Arrays and maps become JSON text."""
        at = pa.array(rows)
        nested, kinds = self._table.column("nested"), self._table.column("kind")
        self.replace(rows, render_nested(kinds.take(at), nested.take(at)))

    def replace(self, rows: Rows, texts: pa.StringArray, numbers: Rows | None = None) -> None:
        """Other strings in these rows, each its own or the one of its number."""
        self._place[rows] = self._count + (np.arange(len(rows)) if numbers is None else numbers)
        self._held.append(StringViews.of(texts))
        self._count += len(texts)

    def mask(self, rows: Rows, texts: pa.StringArray, numbers: Rows | None = None) -> None:
        """Strings in place of values of whatever kind."""
        self.replace(rows, texts, numbers)
        self.masked[rows] = True

    def texts(self, rows: Rows) -> pa.StringArray:
        """The strings of these rows as they are by now."""
        return self.views(rows).array()

    def views(self, rows: Rows) -> StringViews:
        """The strings of these rows where they are by now."""
        came = self._came.take(rows)
        place = self._place[rows]
        changed = place >= 0
        if not changed.any():
            return came
        every = StringViews.together([came, *self._held])
        return every.take(np.where(changed, place + len(rows), np.arange(len(rows))))

    def rendered(self, rows: Rows) -> pa.StringArray:
        """The values of these rows as texts, numbers too."""
        at = pa.array(rows)
        numbers = [self._table.column(name).take(at).cast(pa.string()) for name in ("int", "double")]
        return pc.coalesce(self.texts(rows), *numbers, "")

    def table(self, keep: Mask) -> pa.RecordBatch:
        """The rows that stay."""
        rows = np.flatnonzero(keep)
        kinds = self._kinds[rows]
        columns: dict[str, pa.Array] = {
            "place": pa.array(self._table.column("place").to_numpy()[rows]),
            "owner": pa.array(self._owners[rows]),
            "key": compact(self._table.column("key").take(pa.array(rows))),
            "string": self._strings(rows, kinds),
        }
        for name in ("int", "double", "bytes"):
            column = self._table.column(name)
            held = column.null_count < len(column)
            columns[name] = column.take(pa.array(rows)) if held else pa.nulls(len(rows), column.type)
        masked = self.masked[rows] & ~IS_TEXT[kinds]
        if masked.any():
            # What was a number is a text now, and nothing else.
            where = pa.array(masked)
            for name in ("int", "double", "bytes"):
                columns[name] = pc.if_else(where, pa.scalar(None, columns[name].type), columns[name])
            kinds = np.where(masked, Kind.STRING, kinds).astype(np.uint8)
        columns["kind"] = pa.array(kinds)
        return pa.RecordBatch.from_arrays([columns[name] for name in ATTRIBUTES.names], schema=ATTRIBUTES)

    def _strings(self, rows: Rows, kinds: npt.NDArray[np.uint8]) -> pa.StringArray:
        has_text = (self._place[rows] >= 0) | (kinds == Kind.STRING)
        return self.views(rows).take(np.where(has_text, np.arange(len(rows)), -1)).array()

    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of every value that came: of strings and bytes their length, of nested ones that of their elements."""
        total = self._came.sizes.astype(np.int64)
        bytes_, nested = self._table.column("bytes"), self._table.column("nested")
        if bytes_.null_count < len(bytes_):
            total += pc.fill_null(pc.binary_length(bytes_), 0).to_numpy(zero_copy_only=False)
        if nested.null_count < len(nested):
            ends = np.concatenate(
                [[0], np.cumsum(pc.binary_length(nested.flatten()).to_numpy(zero_copy_only=False))]
            )
            lengths = pc.fill_null(pc.list_value_length(nested), 0).to_numpy(zero_copy_only=False)
            bounds = np.concatenate([[0], np.cumsum(lengths)])
            total += (ends[bounds[1:]] - ends[bounds[:-1]]).astype(np.int64)
        return total
