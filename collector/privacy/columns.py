"""Redaction of everything that is not an attribute: each column's declaration says what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import compact
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.schemas.columns import HASHED, ID, LABEL, NAME, SAFE, TOOL_NAME, content_class

_CHECKED = (LABEL, NAME, TOOL_NAME)


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """A column whose values stay or go by what they look like; each distinct value is looked at once."""

    table: str
    name: str
    kind: str
    encoded: pa.DictionaryArray


def columns_to_check(
    tables: Mapping[str, pa.RecordBatch], schemas: Mapping[str, pa.Schema]
) -> list[CheckedColumn]:
    """The columns of all tables that are declared to hold labels or names."""
    return [
        CheckedColumn(name, field.name, content_class(field), table.column(field.name).dictionary_encode())
        for name, table in tables.items()
        if name != "attributes"
        for field in schemas[name]
        if content_class(field) in _CHECKED and table.schema.get_field_index(field.name) >= 0
    ]


def redact_columns(
    table: pa.RecordBatch,
    schema: pa.Schema,
    verdicts: Mapping[str, tuple[CheckedColumn, npt.NDArray[np.bool_]]],
    pseudonyms: Pseudonyms,
    tenant: str,
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """The table with only what its schema's declarations allow, and the bytes that each row lost.

    A column without a declaration is left out.
    """
    columns: dict[str, pa.Array] = {}
    lost = np.zeros(table.num_rows, np.int64)
    for field in schema:
        index = table.schema.get_field_index(field.name)
        if index < 0:
            continue
        column = table.column(index)
        kind = content_class(field)
        if kind in (SAFE, ID):
            columns[field.name] = compact(column) if pa.types.is_dictionary(column.type) else column
        elif field.name in verdicts:
            columns[field.name], sizes = _judged(column, *verdicts[field.name], pseudonyms, tenant)
            lost += sizes
        elif kind == HASHED:
            encoded = column.dictionary_encode()
            columns[field.name] = pseudonyms.tokens(encoded.dictionary, tenant).take(encoded.indices)
        else:
            columns[field.name] = _empty(table.num_rows)
            lost += _lengths(column)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), lost


def _judged(
    column: pa.StringArray,
    checked: CheckedColumn,
    passing: npt.NDArray[np.bool_],
    pseudonyms: Pseudonyms,
    tenant: str,
) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
    """Values that pass stay. A label that doesn't is emptied; a name becomes a hash, so that it still tells
    one thing from another."""
    if passing.all():
        return column, np.zeros(len(column), np.int64)
    stays = pa.array(passing)
    distinct = checked.encoded.dictionary
    instead = "" if checked.kind == LABEL else pseudonyms.tokens(pc.if_else(stays, "", distinct), tenant)
    replaced = pc.if_else(stays, distinct, instead).take(checked.encoded.indices)
    goes = pc.fill_null(pc.invert(stays).take(checked.encoded.indices), False).to_numpy(zero_copy_only=False)
    return replaced, np.where(goes, _lengths(column), 0)


def _empty(rows: int) -> pa.StringArray:
    return pa.array([""], pa.string()).take(pa.array(np.zeros(rows, np.int8)))


def _lengths(column: pa.StringArray) -> npt.NDArray[np.int64]:
    return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
