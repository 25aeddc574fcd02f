"""Writes what the rows of an insert mean for the steps of their runs, before the rows themselves are written.

spans ─┬─ earlier ones of their runs: in memory, or in the store ─┬─▶ fold ─▶ rows that are new, or changed
       └──────────────────────────────────────────────────────────┘      └─▶ what each run comes to

A repeated insert writes the same rows, which are stored once. Where others write too, their spans of the same runs are
looked for once more when ours can be seen: of two writers at least one sees all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.rows import changed_steps, own_words, run_rows, stored
from agenttracer.collector.folding.runs import Run, RunsOf, first_of_each
from agenttracer.collector.folding.sums import sums
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns, number_of
from agenttracer.schemas.steps import RUNS_TABLE, SPANS, STEPS_TABLE, STORED

MAX_RUN_SPANS = 50_000
"""Of a run that has more, the spans of each insert are folded by themselves, and its sums stay as they are."""


class StepStore(Protocol):
    """What is used of the store."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Durable on return."""

    def rows_of(self, runs: Sequence[Run], most: int) -> pa.Table:
        """The rows of ``agent_step_spans`` of these runs, the newest version of each, so many a run at most."""


class StepWriter:
    """One a store; several threads may use it."""

    def __init__(self, store: StepStore, recent: RecentRuns, *, is_shared: bool) -> None:
        self._store = store
        self._recent = recent
        self._is_shared = is_shared
        self._lock = threading.Lock()  # who comes second must find what the first one wrote

    def write(self, spans: pa.Table) -> None:
        """Durable on return. ``spans``: the columns ``SPANS``; raises what the store raises."""
        with self._lock:
            runs = RunsOf(spans).names
            here, known = self._recent.find(runs)
            stored, long = self._stored(known)
            count = self._fold(spans, [*here, *stored], long)
            if self._is_shared:
                found, long = self._stored(runs)
                if sum(rows.num_rows for rows in found) > count:
                    self._fold(SPANS.empty_table(), found, long)

    def _stored(self, runs: Sequence[Run]) -> tuple[list[pa.Table], set[Run]]:
        """What the store has of these runs; and those that are too long, of which nothing is taken."""
        if not runs:
            return [], set()
        rows = self._store.rows_of(runs, MAX_RUN_SPANS + 1)
        of = RunsOf(rows)
        is_long = of.counts > MAX_RUN_SPANS
        if is_long.any():
            rows = rows.filter(pa.array(~is_long[of.codes]))
        return [rows], {run for run, long in zip(of.names, is_long.tolist(), strict=True) if long}

    def _fold(self, spans: pa.Table, earlier: list[pa.Table], long: set[Run]) -> int:
        """Write what is new or has changed; how many rows the runs have now."""
        new, before = spans.num_rows, pa.concat_tables([STORED.empty_table(), *earlier])
        spans = pa.concat_tables([spans, own_words(before)])
        places = first_of_each(spans)
        if len(places) < len(spans):
            old = places[places >= new] - new
            new, before, spans = len(places) - len(old), before.take(old), spans.take(places)
        spans = spans.unify_dictionaries().combine_chunks()
        runs, steps = RunsOf(spans), fold(spans)
        rows = stored(spans, steps, runs.counts[runs.codes])
        changed = pa.array(np.concatenate([np.arange(new), new + changed_steps(before, steps.slice(new))]))
        self._store.insert(STEPS_TABLE, rows if len(changed) == len(rows) else rows.take(changed))
        kept = [run not in long for run in runs.names]
        self._store.insert(RUNS_TABLE, run_rows(sums(spans, steps)).filter(pa.array(kept)))
        self._remember(runs, rows, kept)
        return len(spans)

    def _remember(self, runs: RunsOf, rows: pa.Table, kept: Sequence[bool]) -> None:
        is_kept = np.asarray(kept, bool) & (runs.counts <= MAX_RUN_SPANS)
        numbers = np.split(np.argsort(runs.codes, kind="stable"), np.cumsum(runs.counts)[:-1])
        places = np.flatnonzero(is_kept).tolist()
        self._recent.put(rows, [runs.names[place] for place in places], [numbers[place] for place in places])
        self._recent.know(map(number_of, runs.names))
