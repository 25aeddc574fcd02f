"""Writes what the rows of an insert mean for the steps of their runs, before the rows themselves are written.

spans ─┬─ earlier ones of their runs: in memory, or in the store ─┬─▶ fold ─▶ rows that are new, or changed
       ├──────────────────────────────────────────────────────────┘      └─▶ what each run comes to ─┐
       └─▶ whose each run is, since when, how it ended ──────────────────────────────────────────────┴─▶ a row each

A repeated insert writes the same rows, which are stored once. Where others write, too, the earlier ones are looked for
when ours can be seen already: of two writers at least one sees all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.columns import Mask
from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.rows import changed_steps, own_words, stored
from agenttracer.collector.folding.run_rows import run_rows
from agenttracer.collector.folding.runs import Run, RunsOf, first_of_each
from agenttracer.collector.folding.sums import sums
from agenttracer.collector.folding.told import TOLD
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns, number_of
from agenttracer.schemas.steps import RUNS_TABLE, SPANS, STEPS_TABLE, STORED

MAX_RUN_SPANS = 50_000
"""Of a run that has more, the spans of each insert are folded by themselves; the store sums them up."""

_MAX_LONG_RUNS = 10_000


class StepStore(Protocol):
    """What is used of the store."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Durable on return."""

    def rows_of(self, runs: Sequence[Run], most: int) -> pa.Table:
        """The rows of ``agent_step_spans`` of these runs, the newest version of each, so many a run at most."""

    def sum_up(self, runs: Iterable[Run]) -> None:
        """Write what each of these runs comes to, from all its rows that are stored; durable on return."""


class StepWriter:
    """One a store; several threads may use it."""

    def __init__(self, store: StepStore, recent: RecentRuns | None) -> None:
        """``recent`` is None where others write, too: they, or an erasure, may have changed what was here."""
        self._store = store
        self._recent = recent
        self._long: set[Run] = set()
        self._lock = threading.Lock()  # who comes second must find what the first one wrote

    def write(self, spans: pa.Table, told: pa.Table) -> None:
        """Durable on return. The columns ``SPANS``, and the columns ``TOLD`` of their runs; raises what the store
        raises."""
        with self._lock:
            runs = [run for run in RunsOf(spans).names if run not in self._long]
            if self._recent is not None:
                here, known = self._recent.find(runs)
                self._fold(spans, told, [*here, *self._stored(known)])
            else:
                counts = self._fold(spans, told, [])
                stored = self._stored(runs)
                self._store.sum_up(self._long.intersection(runs))  # found to be long now
                if grown := [rows for rows in map(partial(_grown, counts), stored) if rows.num_rows]:
                    self._fold(SPANS.empty_table(), TOLD.empty_table(), grown)

    def _stored(self, runs: Sequence[Run]) -> list[pa.Table]:
        """What the store has of these runs; of those that are too long nothing, from now on."""
        if not runs:
            return []
        rows = self._store.rows_of(runs, MAX_RUN_SPANS + 1)
        of = RunsOf(rows)
        is_long = of.counts > MAX_RUN_SPANS
        if is_long.any():
            if len(self._long) > _MAX_LONG_RUNS:
                self._long.clear()
            self._long.update(of.names[place] for place in np.flatnonzero(is_long).tolist())
            rows = rows.filter(pa.array(~is_long[of.codes]))
        return [rows]

    def _fold(self, spans: pa.Table, told: pa.Table, earlier: list[pa.Table]) -> Mapping[Run, int]:
        """Write what is new or has changed; how many rows each run has now."""
        spans, before = _joined(spans, pa.concat_tables([STORED.empty_table(), *earlier]))
        runs, steps = RunsOf(spans), fold(spans)
        rows = stored(spans, steps, runs.counts[runs.codes])
        new = len(spans) - len(before)
        changed = np.concatenate([np.arange(new), new + changed_steps(before, steps.slice(new))])
        self._store.insert(STEPS_TABLE, rows if len(changed) == len(rows) else rows.take(changed))
        is_short = np.array([run not in self._long for run in runs.names], bool)
        self._store.insert(RUNS_TABLE, run_rows(sums(spans, steps).filter(pa.array(is_short)), told))
        self._store.sum_up(self._long.intersection(runs.names))
        if self._recent is not None:
            self._remember(self._recent, runs, rows, is_short)
        return dict(zip(runs.names, runs.counts.tolist(), strict=True))

    def _remember(self, recent: RecentRuns, runs: RunsOf, rows: pa.Table, is_short: Mask) -> None:
        by_run = np.argsort(runs.codes, kind="stable")
        ends = np.cumsum(runs.counts)
        # Slices, one by one: numpy's own split takes ten times as long.
        numbers = [
            by_run[start:end] for start, end in zip((ends - runs.counts).tolist(), ends.tolist(), strict=True)
        ]
        is_short = is_short & (runs.counts <= MAX_RUN_SPANS)
        places = np.flatnonzero(is_short).tolist()
        recent.drop(runs.names[place] for place in np.flatnonzero(~is_short).tolist())
        recent.put(rows, [runs.names[place] for place in places], [numbers[place] for place in places])
        recent.know(map(number_of, runs.names))


def _joined(spans: pa.Table, before: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Spans, and behind them the earlier ones, each once; and what was stored of the earlier ones."""
    new = len(spans)
    spans = pa.concat_tables([spans, own_words(before)])
    places = first_of_each(spans)
    if len(places) < len(spans):
        spans, before = spans.take(places), before.take(places[places >= new] - new)
    return spans.unify_dictionaries().combine_chunks(), before


def _grown(counts: Mapping[Run, int], rows: pa.Table) -> pa.Table:
    """The rows of runs that have more of them than was known."""
    runs = RunsOf(rows)
    known = np.array([counts.get(run, 0) for run in runs.names], np.int64)
    return rows.filter(pa.array((runs.counts > known)[runs.codes]))
