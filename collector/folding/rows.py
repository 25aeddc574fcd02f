"""From spans and what a fold made of them to the rows of ``agent_step_spans``, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import plain
from agenttracer.schemas.steps import OWN, SPANS, STEP, STORED


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
