"""Redaction of everything that is not an attribute: each column's declaration says what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.schemas.columns import HASHED, ID, LABEL, NAME, SAFE, TOOL_NAME, content_classes

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
    found = []
    for name, table in tables.items():
        if name == "attributes" or not table.num_rows:
            continue
        held = set(table.schema.names)
        for column, kind in content_classes(schemas[name]):
            if kind in _CHECKED and column in held and table.column(column).null_count < table.num_rows:
                found.append(CheckedColumn(name, column, kind, table.column(column).dictionary_encode()))
    return found


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
    held = set(table.schema.names)
    for name, kind in content_classes(schema):
        if name not in held:
            continue
        column = table.column(name)
        if kind in (SAFE, ID) or column.null_count == len(column):
            # Safe dictionaries are made here, from closed lists: no entry of theirs is anybody's text.
            columns[name] = column
        elif name in verdicts:
            columns[name], sizes = _judged(column, *verdicts[name], pseudonyms, tenant)
            lost += sizes
        elif kind == HASHED:
            encoded = column.dictionary_encode()
            columns[name] = pseudonyms.tokens(encoded.dictionary, tenant).take(encoded.indices)
        else:
            columns[name] = _empty(table.num_rows)
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
    return pa.repeat(pa.scalar("", pa.string()), rows)


def _lengths(column: pa.StringArray) -> npt.NDArray[np.int64]:
    return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
