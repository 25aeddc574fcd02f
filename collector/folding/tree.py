"""Who is whose parent, among the spans of runs, and the nearest ancestor of a kind.

Chains may be as long as an insert, and may be made so on purpose: nothing here walks them step by step. Each round
jumps over twice as many spans as the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.columns import Mask, Numbers, codes, combined, firsts
from agenttracer.collector.folding.order import Rows


@dataclass(frozen=True, slots=True)
class Tree:
    """A span is named by its first row."""

    spans: Numbers  # each row's; a log's is what it is about, and the first such log if that never came
    parents: Numbers  # each span's, -1 if it never came, or would be its own ancestor
    parent_ids: Numbers  # ParentSpanId as a number, 0 at a root


def tree_of(spans: pa.Table, rows: Rows) -> Tree:
    """The tree of these rows; logs have no parent."""
    (traces,) = codes(spans.column("TraceId"))
    own, above = codes(spans.column("SpanId"), spans.column("ParentSpanId"))
    traces, own, above = combined(rows.runs, traces[rows.order]), own[rows.order], above[rows.order]
    known = combined(np.concatenate([traces, traces]), np.concatenate([own, above]))
    named, sought = np.split(known, 2)
    first = firsts(named, np.arange(len(rows)), int(known.max()) + 1)
    parents = first[sought]
    parents[rows.is_log | (above == 0) | rows.is_log[parents]] = -1
    return Tree(first[named], _without_cycles(parents), above)


def _without_cycles(parents: Numbers) -> Numbers:
    if (parents < np.arange(len(parents))).all():
        return parents
    reached = parents.copy()
    inside = np.flatnonzero(reached >= 0)
    for _ in range(len(parents).bit_length()):
        reached[inside] = reached[reached[inside]]
        inside = inside[reached[inside] >= 0]
    # Who has more ancestors than there are spans is on a cycle by now, and everyone on it has been reached.
    parents[reached[inside]] = -1
    return parents


def nearest(parents: Numbers, stops: Mask) -> Numbers:
    """Each span's nearest proper ancestor among ``stops``, -1 if there is none."""
    found = parents.copy()
    on = np.flatnonzero(parents >= 0)
    while len(on := on[(found[on] >= 0) & ~stops[found[on]]]):
        found[on] = found[found[on]]
    return found
