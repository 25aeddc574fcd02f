"""What runs come to: one row a run, of its rows and of the steps that they were folded into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import (
    Mask,
    Numbers,
    array,
    ends,
    firsts,
    flags,
    is_said,
    largest,
    numbers,
    runs,
    texts,
    times,
)
from agenttracer.schemas.failures import SOFT_CODES
from agenttracer.schemas.steps import SPANS, SUMS

_TYPES = "model respond tool retrieve memory agent other plan".split()
_MODEL, _RESPOND, _TOOL, _RETRIEVE, _MEMORY, _AGENT, _OTHER, _PLAN = range(1, 1 + len(_TYPES))
_RUNS = pa.schema([*(SPANS.field(name) for name in ("TenantId", "RunId", "ExpiresAt")), *SUMS])


@dataclass(frozen=True, slots=True)
class _Runs:
    """Adds up by run: the values are those of the steps."""

    run: Numbers
    count: int

    def number(self, which: Mask) -> Numbers:
        return np.bincount(self.run[which], minlength=self.count).astype(np.uint64)

    def total(self, values: Numbers, which: Mask) -> Numbers:
        total = np.zeros(self.count, values.dtype)
        np.add.at(total, self.run[which], values[which])
        return total

    def any(self, which: Mask) -> Mask:
        found = np.zeros(self.count, bool)
        found[self.run[which]] = True
        return found

    def latest(self, nanoseconds: Numbers, which: Mask) -> pa.Array:
        # 1970 where there is none.
        return times(np.maximum(largest(self.run[which], nanoseconds[which], self.count), 0))


def sums(spans: pa.Table, steps: pa.Table) -> pa.Table:
    """One row for each run of ``spans``, which has the columns ``steps.SPANS``: ``TenantId``, ``RunId``, the latest
    ``ExpiresAt``, and the columns ``steps.SUMS``. ``steps`` is what ``fold`` made of the same rows.
    """
    if not spans.num_rows:
        return _RUNS.empty_table()
    run = runs(spans)
    of = _Runs(run, int(run.max()) + 1)
    everyone = np.ones(len(run), bool)
    one_each = spans.select(["TenantId", "RunId"]).take(pa.array(firsts(run, np.arange(len(run)), of.count)))
    columns = {
        "TenantId": array(one_each.column("TenantId").cast(pa.string())).dictionary_encode(),
        "RunId": one_each.column("RunId"),
        "ExpiresAt": pa.array(largest(run, numbers(spans.column("ExpiresAt")), of.count)),
        "Spans": pa.array(of.number(everyone)),
        **_of_steps(spans, steps, of),
    }
    return pa.table([columns[field.name] for field in _RUNS], schema=_RUNS)


def _of_steps(spans: pa.Table, steps: pa.Table, runs: _Runs) -> dict[str, Any]:
    at = np.flatnonzero(flags(steps.column("IsStep")))
    of = _Runs(runs.run[at], runs.count)
    types = texts(steps.column("StepType"), *_TYPES).codes[at]
    codes = texts(steps.column("FailureCode"), *sorted(SOFT_CODES)).codes[at]
    starts = numbers(spans.column("Timestamp"))[at]
    is_root = ~is_said(spans.column("ParentSpanId"))[at]
    is_raised = flags(steps.column("HasFailed"))[at] & ((codes == 0) | (codes > len(SOFT_CODES)))
    is_call = (types != _AGENT) & (types != _OTHER)
    is_model = (types == _MODEL) | (types == _RESPOND)
    # Agents repeat what their calls used; what they say counts only where there is no model call.
    is_counted = is_call | (is_root & ~of.any(is_model)[of.run])
    ends_runs = is_raised & ~np.isin(types, (_TOOL, _RETRIEVE, _MEMORY))
    tokens = {
        name: pa.array(of.total(numbers(steps.column(name).fill_null(0))[at], is_counted))
        for name in ("InputTokens", "OutputTokens")
    }
    return {
        "Steps": pa.array(of.number(np.ones(len(at), bool))),
        "ModelCalls": pa.array(of.number(is_model)),
        "ToolCalls": pa.array(of.number(types == _TOOL)),
        "Retrievals": pa.array(of.number(types == _RETRIEVE)),
        "Failures": pa.array(of.number(codes != 0)),
        **tokens,
        "CostUsd": _costs(steps, at[is_call], runs),
        "RootFailed": pa.array(of.any(is_root & is_raised)),
        "LastFailure": of.latest(ends(spans)[at], ends_runs),
        "LastSuccess": of.latest(starts, ~is_raised & is_call & (types != _PLAN)),
        **_first_failures(spans, steps, at[codes != 0], runs),
    }


def _costs(steps: pa.Table, at: Numbers, runs: _Runs) -> pa.Array:
    """The sums of these steps' costs, exact; null where no cost is known."""
    costs = array(steps.column("CostUsd")).take(pa.array(at))
    if costs.null_count == len(costs):
        return pa.nulls(runs.count, SUMS.field("CostUsd").type)
    by_run = pa.table({"run": runs.run[at], "cost": costs.cast(SUMS.field("CostUsd").type)})
    total = by_run.group_by("run", use_threads=False).aggregate([("cost", "sum")])
    found = firsts(total.column("run").to_numpy(), np.arange(len(total)), runs.count)
    return array(total.column("cost_sum")).take(pa.array(found, mask=found < 0))


def _first_failures(spans: pa.Table, steps: pa.Table, at: Numbers, runs: _Runs) -> dict[str, pa.Array]:
    """Type and code of the failure of each run that began first; of the outer step where two began at once."""
    if not len(at):
        none = pa.repeat("", runs.count)
        return {"FailureType": none, "FailureCode": none}
    keys = spans.select(["Timestamp", "Duration", "TraceId", "SpanId"]).take(pa.array(at))
    directions = ("ascending", "descending", "ascending", "ascending")
    order = pc.sort_indices(keys, sort_keys=list(zip(keys.column_names, directions, strict=True)))
    at = at[order.to_numpy()]
    first = firsts(runs.run[at], at, runs.count)
    source = pa.array(first, mask=first < 0)
    return {
        name: array(steps.column(name)).take(source).cast(pa.string()).fill_null("")
        for name in ("FailureType", "FailureCode")
    }
