"""Redaction of everything that is not an attribute: each column's declaration says what it may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.distinct_values import of_each
from agenttracer.collector.privacy.column_policy import ALLOWED_TEXT, CHECKED, Declared
from agenttracer.collector.privacy.free_text import FreeText, Hits
from agenttracer.collector.privacy.outcomes import Change, Rule
from agenttracer.collector.privacy.values import PASSES, Verdicts
from agenttracer.collector.string_views import StringViews
from agenttracer.schemas.columns import HASHED, ID, LABEL, SAFE

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
    tables: Mapping[str, pa.RecordBatch], declarations: Mapping[str, tuple[Declared, ...]]
) -> list[CheckedColumn]:
    """The columns of all tables that are declared to hold labels or names."""
    found = []
    for name, columns in declarations.items():
        table = tables.get(name)
        if table is None or not table.num_rows:
            continue
        held = _columns(table)
        for each in columns:
            if each.kind in CHECKED and each.name in held:
                column = held[each.name]
                if column.null_count < table.num_rows:
                    found.append(CheckedColumn(name, each.name, each.kind, column.dictionary_encode()))
    return found


def redact_columns(
    name: str,
    table: pa.RecordBatch,
    declarations: Sequence[Declared],
    verdicts: Mapping[str, tuple[CheckedColumn, Verdicts]],
    tokens: Tokens,
    free_text: FreeText,
) -> tuple[pa.RecordBatch, list[Lost]]:
    """The table with only what its declarations allow, and what its rows lost.

    A column without a declaration is left out.
    """
    columns: dict[str, pa.Array] = {}
    lost: list[Lost] = []
    held = _columns(table)
    for each in declarations:
        column = held.get(each.name)
        if column is None:
            continue
        if each.kind in (SAFE, ID) or column.null_count == len(column):
            # Safe dictionaries are made here, from closed lists: no entry of theirs is anybody's text.
            columns[each.name] = column
        elif each.name in verdicts:
            checked, verdict = verdicts[each.name]
            columns[each.name] = column
            if (verdict != PASSES).any():
                columns[each.name] = _judged(checked, verdict, tokens)
                lost += _lost(checked, verdict, column)
            if free_text.blocks_values:
                encoded = columns[each.name].dictionary_encode()
                cleaned, hit = free_text.without_blocked_values(encoded.dictionary)
                masked = _Masked(name, each, encoded, cleaned, [(Rule.BLOCKED_VALUE, hit)])
                columns[each.name] = masked.column()
                lost += masked.lost(column)
        elif each.kind == ALLOWED_TEXT:
            encoded = column.dictionary_encode()
            clean = free_text.clean(StringViews.of(encoded.dictionary))
            masked = _Masked(name, each, encoded, clean.texts(), clean.hits)
            columns[each.name] = masked.column()
            lost += masked.lost(column)
        elif each.kind == HASHED:
            columns[each.name] = of_each(column, tokens)
        else:
            sizes = _lengths(column)
            rows = np.flatnonzero(sizes)
            columns[each.name] = column
            if len(rows) or column.null_count:
                columns[each.name] = _nothing(table, each.name)
            if len(rows):
                lost.append(Lost(name, each.name, each.rule, each.kind, Change.DROP, rows, sizes[rows]))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), lost


def _columns(table: pa.RecordBatch) -> dict[str, pa.Array]:
    # All at once: one by one, by name, costs three times as much.
    return dict(zip(table.schema.names, table.columns, strict=True))


@dataclass(frozen=True, slots=True)
class _Masked:
    """A column with its distinct values masked, and by which rules."""

    table: str
    declared: Declared
    encoded: pa.DictionaryArray
    cleaned: pa.StringArray
    hits: Hits

    def column(self) -> pa.StringArray:
        return self.cleaned.take(self.encoded.indices)

    def lost(self, before: pa.StringArray) -> list[Lost]:
        sizes = _lengths(before)
        indices = pc.fill_null(self.encoded.indices, 0).to_numpy(zero_copy_only=False)
        found = []
        for rule, hit in self.hits:
            rows = np.flatnonzero(hit[indices] & (sizes > 0)) if len(hit) else np.zeros(0, np.int64)
            if len(rows):
                kind = self.declared.kind
                found.append(Lost(self.table, self.declared.name, rule, kind, Change.MASK, rows, sizes[rows]))
        return found


def _nothing(table: pa.RecordBatch, name: str) -> pa.StringArray:
    """What stands in place of a column that may hold nothing: a run without a name is its trace."""
    if name == "RunId":
        return table.column("TraceId")
    return pa.repeat(pa.scalar("", pa.string()), table.num_rows)


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
