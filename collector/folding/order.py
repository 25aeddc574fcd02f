"""The order in which a fold reads rows: run by run, spans by their start, the outer of two first; logs behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import Mask, Numbers, flags, numbers, plain, runs

_MANY = 2**63
_TOLD_BEFORE = ("TenantId", "RunId", "IsLog", "Timestamp", "Duration", "ExpiresAt")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table in a fold's order: everything here and behind counts rows by their place in it."""

    order: Numbers  # the table's row at each place
    runs: Numbers  # never falling
    is_log: Mask
    starts: Numbers  # nanoseconds since 1970

    def __len__(self) -> int:
        return len(self.order)


def in_order(spans: pa.Table) -> Rows:
    """The rows of ``steps.SPANS``, one at least; the order that they come in makes no difference."""
    run, is_log = runs(spans), flags(spans.column("IsLog"))
    starts = numbers(spans.column("Timestamp"))
    groups = 2 * run + is_log
    order = _by_start(groups, starts)
    blocks = _blocks(groups[order], starts[order])
    if blocks[-1] + 1 < len(order):
        order = _without_ties(spans, order, blocks)
    return Rows(order, run[order], is_log[order], starts[order])


def _by_start(groups: Numbers, starts: Numbers) -> Numbers:
    first, width = int(starts.min()), int(starts.max()) - int(starts.min()) + 1
    if (int(groups.max()) + 1) * width >= _MANY:
        return np.lexsort((starts, groups))
    return np.argsort(groups * width + (starts - first))


def _blocks(*columns: Numbers) -> Numbers:
    """A number for each row, the same for neighbours that are equal in all columns."""
    differs = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.cumsum(differs)


def _without_ties(spans: pa.Table, order: Numbers, blocks: Numbers) -> Numbers:
    """By duration, the longest first, where starts are the same; by whatever they say where that is, too."""
    durations = ~numbers(spans.column("Duration"))[order]
    among = np.lexsort((durations, blocks))
    order, blocks = order[among], _blocks(blocks, durations[among])
    tied = np.flatnonzero(np.bincount(blocks)[blocks] > 1)
    if len(tied):
        rows = order[tied]
        told = spans.drop_columns(list(_TOLD_BEFORE)).take(pa.array(rows))
        told = pa.table([blocks[tied], *map(plain, told.columns)], ["", *told.column_names])
        keys = [(name, "ascending") for name in told.column_names]
        order[tied] = rows[pc.sort_indices(told, sort_keys=keys).to_numpy()]
    return order
