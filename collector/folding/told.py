"""What spans say of their runs, each by itself: whose they are, since when, and how they ended.

    FirstAgent   whose run it is: of those that rank the same, the agent that began first; a run that was handed over
                 goes by the name of who was asked
    State        the status that a root carries; the agent's own word ranks above what was concluded from the spans

Of a run's rows the smallest ``FirstAgent`` counts and the largest ``State``, in whichever insert they came.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import (
    Mask,
    Numbers,
    array,
    ends,
    firsts,
    is_said,
    largest,
    numbers,
    plain,
    runs,
    texts,
    times,
)
from agenttracer.schemas.columns import TIME
from agenttracer.schemas.semconv import AGENT_RUN_STATUS
from agenttracer.schemas.steps import SPANS

_NAMES = ("AgentName", "AgentVersion", "ServiceName", "TraceId")
AGENT = pa.struct({"Rank": pa.uint8(), "Time": TIME} | dict.fromkeys(_NAMES, pa.string()))
STATE = pa.struct({"Rank": pa.uint8(), "Time": TIME, "Status": pa.string()})
TOLD = pa.schema(
    [
        *(SPANS.field(name) for name in ("TenantId", "RunId", "ExpiresAt")),
        pa.field("FirstAgent", AGENT, nullable=False),
        pa.field("State", STATE, nullable=False),
        pa.field("StartTime", TIME),
        pa.field("LastSeen", TIME, nullable=False),
    ]
)

_READ = [
    *("TenantId", "RunId", "RunStatus", "Timestamp", "Duration", "ExpiresAt", "ParentSpanId", "StepType"),
    *("Operation", "SpanAttributes", *_NAMES),
]

_QUEUED, _RUNNING, _ENDED, _ENDED_BY_AGENT = 1, 2, 4, 5  # 3: cancelled, as an event tells
_CREATE_AGENT = "create_agent"


def told(rows: pa.Table) -> pa.Table:
    """One row, the columns ``TOLD``, for each run that these rows of ``otel_traces`` are of."""
    rows = rows.select(_READ)
    is_told = _of_runs(rows)
    if not is_told.all():
        rows = rows.filter(pa.array(is_told))
    if not rows.num_rows:
        return TOLD.empty_table()
    run = runs(rows)
    count = int(run.max()) + 1
    starts = numbers(rows.column("Timestamp"))
    ended = ends(rows)
    first = pa.array(firsts(run, np.arange(len(run)), count))
    columns = {
        "TenantId": plain(rows.column("TenantId")).take(first).dictionary_encode(),
        "RunId": plain(rows.column("RunId")).take(first),
        "ExpiresAt": pa.array(largest(run, numbers(rows.column("ExpiresAt")), count)),
        "FirstAgent": _first_agents(rows, run, starts, count),
        "State": _states(rows, run, ended, count),
        "StartTime": times(~largest(run, ~starts, count)),  # ~ turns the order around
        "LastSeen": times(largest(run, ended, count)),
    }
    return pa.table([columns[field.name] for field in TOLD], schema=TOLD)


def _of_runs(rows: pa.Table) -> Mask:
    """Spans that are part of a run; to make an agent is no run of it."""
    has_run, has_type, has_status, has_parent = (
        is_said(rows.column(name)) for name in ("RunId", "StepType", "RunStatus", "ParentSpanId")
    )
    makes_agent = texts(rows.column("Operation"), _CREATE_AGENT).codes == 1
    return has_run & (has_type | has_status) & ~(makes_agent & ~has_parent)


def _first_agents(rows: pa.Table, run: Numbers, starts: Numbers, count: int) -> pa.StructArray:
    has_agent, has_status = (is_said(rows.column(name)) for name in ("AgentName", "RunStatus"))
    ranks = np.where(has_agent, np.where(has_status, 0, 1), 2)
    names = [plain(rows.column(name)) for name in _NAMES]
    at = _chosen(run, [ranks, starts], names, "ascending", count)
    of_run = [
        pa.array(ranks[at], pa.uint8()),
        times(starts[at]),
        *(each.take(pa.array(at)) for each in names),
    ]
    return pa.StructArray.from_arrays(of_run, fields=list(AGENT))


def _states(rows: pa.Table, run: Numbers, ended: Numbers, count: int) -> pa.StructArray:
    status = texts(rows.column("RunStatus"), "queued", "running")
    ranks = np.select(
        [status.codes == 1, status.codes == 2, status.codes == 0], [_QUEUED, _RUNNING, _RUNNING], _ENDED
    )
    last = np.flatnonzero(ranks == _ENDED)
    ranks[last[_by_agents(rows, last)]] = _ENDED_BY_AGENT
    words = pc.if_else(pa.array(status.codes == 0), "running", status.values.take(pa.array(status.codes)))
    at = _chosen(run, [~ranks, ~ended], [words], "descending", count)
    of_run = [pa.array(ranks[at], pa.uint8()), times(ended[at]), words.take(pa.array(at))]
    return pa.StructArray.from_arrays(of_run, fields=list(STATE))


def _by_agents(rows: pa.Table, at: Numbers) -> Mask:
    """In which of these rows the status is the agent's own word."""
    maps = array(rows.column("SpanAttributes")).take(pa.array(at))
    is_said = pc.equal(maps.keys.cast(pa.string()), AGENT_RUN_STATUS)
    before = np.concatenate([[0], np.cumsum(is_said.to_numpy(zero_copy_only=False))])
    said = before[maps.offsets.to_numpy()]
    found: Mask = said[1:] > said[:-1]
    return found


def _chosen(
    run: Numbers, keys: list[Numbers], names: list[pa.StringArray], order_of_names: str, count: int
) -> Numbers:
    """For each run the row whose keys are the smallest; among equal ones the first by its names."""
    left = np.arange(len(run))
    for key in keys:
        smallest = ~largest(run[left], ~key[left], count)
        left = left[key[left] == smallest[run[left]]]
    if len(left) > count:
        named = {str(number): name.take(pa.array(left)) for number, name in enumerate(names)}
        order = pc.sort_indices(pa.table(named), sort_keys=[(name, order_of_names) for name in named])
        left = left[order.to_numpy()]
    return firsts(run[left], left, count)
