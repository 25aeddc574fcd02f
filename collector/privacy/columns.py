"""Redaction of everything that is not an attribute: each column's declaration says what it may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.outcomes import Change, Rule
from agenttracer.collector.privacy.values import PASSES, Verdicts
from agenttracer.schemas.columns import (
    AGENT_NAME,
    HASHED,
    ID,
    LABEL,
    MODEL_NAME,
    NAME,
    SAFE,
    STEP_NAME,
    TOOL_NAME,
    content_classes,
)

_CHECKED = frozenset({LABEL, NAME, AGENT_NAME, MODEL_NAME, STEP_NAME, TOOL_NAME})
Tokens = Callable[[pa.StringArray], pa.StringArray]
"""The keyed hashes of distinct values."""


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """A column whose values stay or go by what they look like; each distinct value is looked at once."""

    table: str
    name: str
    kind: str
    encoded: pa.DictionaryArray


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows of a table that lost a value: by which rule or verdict, of what class, how, and how large it was
    in bytes."""

    table: str
    column: str
    rule: str | int
    kind: str
    change: Change
    rows: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]


def columns_to_check(
    tables: Mapping[str, pa.RecordBatch], schemas: Mapping[str, pa.Schema]
) -> list[CheckedColumn]:
    """The columns of all tables that are declared to hold labels or names."""
    found = []
    for name, schema in schemas.items():
        table = tables.get(name)
        if name == "attributes" or table is None or not table.num_rows:
            continue
        held = set(table.schema.names)
        for column, kind in content_classes(schema):
            if kind in _CHECKED and column in held and table.column(column).null_count < table.num_rows:
                found.append(CheckedColumn(name, column, kind, table.column(column).dictionary_encode()))
    return found


def redact_columns(
    name: str,
    table: pa.RecordBatch,
    schema: pa.Schema,
    verdicts: Mapping[str, tuple[CheckedColumn, Verdicts]],
    tokens: Tokens,
) -> tuple[pa.RecordBatch, list[Lost]]:
    """The table with only what its schema's declarations allow, and what its rows lost.

    A column without a declaration is left out.
    """
    columns: dict[str, pa.Array] = {}
    lost: list[Lost] = []
    held = set(table.schema.names)
    for column_name, kind in content_classes(schema):
        if column_name not in held:
            continue
        column = table.column(column_name)
        if kind in (SAFE, ID) or column.null_count == len(column):
            # Safe dictionaries are made here, from closed lists: no entry of theirs is anybody's text.
            columns[column_name] = column
        elif column_name in verdicts:
            checked, verdict = verdicts[column_name]
            columns[column_name] = column
            if (verdict != PASSES).any():
                columns[column_name] = _judged(checked, verdict, tokens)
                lost += _lost(checked, verdict, column)
        elif kind == HASHED:
            encoded = column.dictionary_encode()
            columns[column_name] = tokens(encoded.dictionary).take(encoded.indices)
        else:
            sizes = _lengths(column)
            rows = np.flatnonzero(sizes)
            columns[column_name] = column
            if len(rows) or column.null_count:
                columns[column_name] = pa.repeat(pa.scalar("", pa.string()), table.num_rows)
            if len(rows):
                lost.append(Lost(name, column_name, Rule.FREE_TEXT, kind, Change.DROP, rows, sizes[rows]))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), lost


def _judged(checked: CheckedColumn, verdict: Verdicts, tokens: Tokens) -> pa.StringArray:
    """Values that pass stay. A label that doesn't is emptied; a name becomes a hash, so that it still tells
    one thing from another."""
    stays = pa.array(verdict == PASSES)
    distinct = checked.encoded.dictionary
    instead = "" if checked.kind == LABEL else tokens(pc.if_else(stays, "", distinct))
    return pc.if_else(stays, distinct, instead).take(checked.encoded.indices)


def _lost(checked: CheckedColumn, verdict: Verdicts, column: pa.StringArray) -> list[Lost]:
    change = Change.DROP if checked.kind == LABEL else Change.HASH
    sizes = _lengths(column)
    indices = pc.fill_null(checked.encoded.indices, 0).to_numpy(zero_copy_only=False)
    # A missing value is an index without a value; it has no size, and nothing to lose.
    verdict_of_row = np.where(sizes > 0, verdict[indices], PASSES)
    lost = []
    for rule in np.unique(verdict_of_row[verdict_of_row != PASSES]):
        rows = np.flatnonzero(verdict_of_row == rule)
        lost.append(Lost(checked.table, checked.name, int(rule), checked.kind, change, rows, sizes[rows]))
    return lost


def _lengths(column: pa.StringArray) -> npt.NDArray[np.int64]:
    if column.null_count:
        column = column.fill_null("")
    ends = np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1]
    return np.diff(ends).astype(np.int64)
