"""The steps of runs from their spans: one row a real step, however many spans and log records tell of it.

order      run by run, by start                     steps      the outermost rows
tree       parents, nearest ancestors               facts      what the rows of a step say together
calls      which rows are one call                  attempts   which steps are tries of one
failures   whose each failure is                    placed     the columns, in the order of the table
"""

from __future__ import annotations

import pyarrow as pa

from agenttracer.collector.folding.calls import kinds_of, same_answers, told_calls
from agenttracer.collector.folding.facts import facts_of
from agenttracer.collector.folding.failures import failures_of
from agenttracer.collector.folding.order import in_order
from agenttracer.collector.folding.steps import steps_of
from agenttracer.collector.folding.tree import tree_of
from agenttracer.schemas.steps import STEP


def fold(spans: pa.Table) -> pa.Table:
    """The columns of ``steps.STEP`` for rows of ``steps.SPANS``, row by row: those of a step in the row that stands
    for it, their defaults in all others. Of a run nothing is known but the rows given."""
    if not spans.num_rows:
        return STEP.empty_table()
    rows = in_order(spans)
    tree = tree_of(spans, rows)
    kinds = kinds_of(spans, rows)
    told = told_calls(kinds, tree)
    calls = same_answers(spans, rows, kinds, told)
    failures = failures_of(spans, rows, tree, told, calls)
    steps = steps_of(rows, tree, kinds, told, calls)
    return facts_of(spans, rows, tree, kinds, failures, steps)
