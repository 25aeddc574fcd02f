"""From spans and what a fold made of them to the rows that are stored, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import plain
from agenttracer.schemas.columns import TIME
from agenttracer.schemas.steps import OWN, SPANS, STEP, STORED, SUMS

_NOBODY = pa.scalar(
    {"Rank": 255, "Time": 0, "AgentName": "", "AgentVersion": "", "ServiceName": "", "TraceId": ""},
    pa.struct(
        {"Rank": pa.uint8(), "Time": TIME}
        | dict.fromkeys(("AgentName", "AgentVersion", "ServiceName", "TraceId"), pa.string())
    ),
)
"""Behind whoever was told of otherwise."""


def own_words(stored: pa.Table) -> pa.Table:
    """The columns ``SPANS`` of rows of ``agent_step_spans``."""
    names = [f"Own{field.name}" if field.name in OWN.names else field.name for field in SPANS]
    return pa.table([stored.column(name) for name in names], schema=SPANS)


def stored(spans: pa.Table, steps: pa.Table, known: npt.NDArray[np.int64]) -> pa.Table:
    """Rows of ``agent_step_spans``: the spans, what a fold made of them, how many of their run it knew."""
    return pa.table([*spans.columns, *steps.columns, pa.array(known, pa.uint64())], schema=STORED)


def changed_steps(before: pa.Table, after: pa.Table) -> npt.NDArray[np.int64]:
    """The rows in which a fold says something else than it said before."""
    changed = np.zeros(after.num_rows, bool)
    for name in STEP.names:
        then, now = (plain(table.column(name)) for table in (before, after))
        other = pc.fill_null(pc.not_equal(then, now), False)
        if then.null_count or now.null_count:
            other = pc.or_(other, pc.not_equal(pc.is_null(then), pc.is_null(now)))
        changed |= other.to_numpy(zero_copy_only=False)
    return np.flatnonzero(changed)


def run_rows(sums: pa.Table, revision: int = 0) -> pa.Table:
    """Rows of ``agent_runs_state``: what each run comes to, and of what else is told of a run, nothing."""
    columns = {name: sums.column(name).combine_chunks() for name in SUMS.names}
    numbered = {
        "Spans": columns.pop("Spans"),
        "Revision": pa.repeat(pa.scalar(revision, pa.uint64()), len(sums)),
    }
    return pa.table(
        {
            **{name: sums.column(name) for name in ("TenantId", "RunId", "ExpiresAt")},
            "FirstAgent": pa.repeat(_NOBODY, len(sums)),
            "Sums": pa.StructArray.from_arrays(
                [*numbered.values(), *columns.values()], [*numbered, *columns]
            ),
        }
    )
