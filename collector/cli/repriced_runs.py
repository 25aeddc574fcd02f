"""What steps and runs cost, after their calls were priced again: their rows are folded anew.

    otel_traces ── differs from what agent_step_spans knows ──▶ the runs ─▶ all their rows, with the new costs ─▶ fold
                                                                            └─▶ agent_step_spans, agent_runs_state

Whatever was broken off, or came in meanwhile, the next time mends.
"""

from __future__ import annotations

import time
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.reading import rows_of
from agenttracer.collector.folding.rows import own_words, stored
from agenttracer.collector.folding.run_rows import run_rows
from agenttracer.collector.folding.runs import Run, RunsOf
from agenttracer.collector.folding.sums import sums
from agenttracer.collector.folding.told import TOLD
from agenttracer.schemas.steps import COST, RUNS_TABLE, STEPS_TABLE

_SETTLING_SECONDS = 180
"""A collector keeps what it wrote of a run in mind for two minutes, and its costs with it."""

_RUNS_AT_ONCE = 1000
_DIFFERENT = """
SELECT TenantId, RunId, TraceId, SpanId, t.CostUsd AS CostUsd
FROM
(
    SELECT TenantId, RunId, TraceId, SpanId, OwnCostUsd FROM agent_step_spans FINAL
    WHERE NOT IsLog AND toDate(Timestamp) = toDate('{day}')
) AS s
INNER JOIN (SELECT TenantId, RunId, TraceId, SpanId, CostUsd FROM otel_traces WHERE RunId != '' AND {calls}) AS t
    USING (TenantId, RunId, TraceId, SpanId)
WHERE ifNull(OwnCostUsd, toDecimal64(-1, 9)) != ifNull(t.CostUsd, toDecimal64(-1, 9))
    AND (TenantId, RunId) NOT IN
    (
        SELECT TenantId, RunId FROM agent_runs_state
        WHERE LastSeen >= now64(9) - toIntervalSecond({settling_seconds})
    )
"""


class Runs(Protocol):
    """What is used of a store."""

    @property
    def is_shared(self) -> bool:
        """Whether a collector can write meanwhile."""

    def arrow(self, sql: str) -> pa.Table:
        """The rows of a query."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Durable on return; rows that were inserted before are inserted again."""


def follow(store: Runs, day: str, calls: str) -> None:
    """Make the steps and the runs of these calls, a condition over otel_traces, cost what their spans cost.

    Where a collector may be writing, a run that was seen lately waits for the next time.
    """
    settling_seconds = _SETTLING_SECONDS if store.is_shared else -_SETTLING_SECONDS
    sql = _DIFFERENT.format(day=day, calls=calls, settling_seconds=settling_seconds)
    different = store.arrow(sql)
    runs = RunsOf(different)
    for start in range(0, len(runs.names), _RUNS_AT_ONCE):
        some = (runs.codes >= start) & (runs.codes < start + _RUNS_AT_ONCE)
        _write(store, runs.names[start : start + _RUNS_AT_ONCE], different.filter(pa.array(some)))


def _write(store: Runs, names: list[Run], costs: pa.Table) -> None:
    rows = rows_of(store.arrow, names)
    spans = own_words(rows)
    at = spans.schema.get_field_index("CostUsd")
    spans = (
        spans.set_column(at, spans.field(at), _new_costs(spans, costs)).unify_dictionaries().combine_chunks()
    )
    steps = fold(spans)
    # As many spans as before: of two such rows the later one counts.
    store.insert(STEPS_TABLE, stored(spans, steps, rows.column("Spans").to_numpy()))
    store.insert(RUNS_TABLE, run_rows(sums(spans, steps), TOLD.empty_table(), revision=int(time.time())))


def _new_costs(spans: pa.Table, costs: pa.Table) -> pa.Array:
    """Each span's cost; log records have none of their own."""
    found = pc.index_in(_ids(spans), value_set=_ids(costs))
    repriced = costs.column("CostUsd").combine_chunks().cast(COST).take(found)
    is_new = pc.and_not(pc.is_valid(found), spans.column("IsLog").combine_chunks())
    return pc.if_else(is_new, repriced, spans.column("CostUsd").combine_chunks())


def _ids(rows: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(rows.column("TraceId"), rows.column("SpanId"), " ").combine_chunks()
