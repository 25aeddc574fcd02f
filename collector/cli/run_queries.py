"""What ``agenttracer runs`` asks the store: SQL over the views, with parameters only.

A row is a map whose keys are the views' columns; times are ``StartTimeNs`` and the like, Unix nanoseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

Row = dict[str, Any]

_RUNS = """
SELECT
    TenantId, RunId, TraceId, AgentName, AgentVersion, ServiceName, Status,
    toUnixTimestamp64Nano(StartTime) AS StartTimeNs, toUnixTimestamp64Nano(EndTime) AS EndTimeNs, DurationMs,
    Steps, ModelCalls, ToolCalls, Retrievals, Failures, InputTokens, OutputTokens, CostUsd,
    FailureType, FailureCode
FROM agent_runs
"""

_LIST = (
    _RUNS
    + """
WHERE ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({agent:String} = '' OR AgentName = {agent:String})
    AND ({status:String} = '' OR Status = {status:String})
    AND ({since_ms:Int64} = 0 OR LastSeen >= now64(9) - toIntervalMillisecond({since_ms:Int64}))
    AND (empty({runs:Array(String)}) OR RunId IN {runs:Array(String)})
ORDER BY StartTimeNs DESC, RunId
LIMIT {limit:UInt32}
"""
)

_NEWEST = """
SELECT RunId, toUnixTimestamp64Nano(LastSeen) AS LastSeenNs
FROM agent_runs_state
WHERE {tenant:String} = '' OR TenantId = {tenant:String}
ORDER BY LastSeen DESC
LIMIT {limit:UInt32}
"""

_FIND = (
    _RUNS
    + """
WHERE ({tenant:String} = '' OR TenantId = {tenant:String}) AND startsWith(RunId, {run:String})
ORDER BY RunId != {run:String}, StartTimeNs DESC
LIMIT {limit:UInt32}
"""
)

_STEPS = """
SELECT
    SpanId, ParentSpanId, StepSequence, StepType, StepName, AgentName, Provider, Model, ToolName, Attempt,
    toUnixTimestamp64Nano(StartTime) AS StartTimeNs, DurationMs, Status, FailureType, FailureCode,
    InputTokens, OutputTokens, CostUsd
FROM agent_steps
WHERE TenantId = {tenant:String} AND RunId = {run:String}
ORDER BY StartTimeNs, StepSequence
LIMIT {limit:UInt32}
"""

_FAILURES = """
SELECT
    SpanId, StepType, StepName, FailureType, FailureCode, Rule, Attempt, Recovered,
    toUnixTimestamp64Nano(Time) AS TimeNs
FROM agent_failures
WHERE TenantId = {tenant:String} AND RunId = {run:String}
ORDER BY TimeNs
LIMIT {limit:UInt32}
"""


_LOOKED_AT = (5, 100)
"""So many times the runs that are wanted: first these, then these, then all."""


class Asks(Protocol):
    """What is used of a store."""

    def rows(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        """The rows of a query, by column."""


def list_runs(
    store: Asks,
    *,
    tenant: str = "",
    agent: str = "",
    status: str = "",
    since_seconds: float = 0,
    limit: int = 20,
) -> list[Row]:
    """The newest runs first. An empty filter, or zero seconds, lets everything pass.

    A store has millions of runs: the ones that were seen last are looked at first, more only if they aren't enough.
    """
    filters = {"tenant": tenant, "agent": agent, "status": status, "since_ms": int(since_seconds * 1000)}
    for factor in _LOOKED_AT:
        newest = store.rows(_NEWEST, {"tenant": tenant, "limit": limit * factor})
        seen = list(dict.fromkeys(row["RunId"] for row in newest))
        found = store.rows(_LIST, {**filters, "limit": limit, "runs": seen}) if seen else []
        # Who was not looked at was seen, and so began, before all who were.
        last_ns = newest[-1]["LastSeenNs"] if len(newest) == limit * factor else 0
        if last_ns == 0 or sum(row["StartTimeNs"] >= last_ns for row in found) == limit:
            return found
    return store.rows(_LIST, {**filters, "limit": limit, "runs": []})


def find_runs(store: Asks, run: str, *, tenant: str = "", limit: int = 5) -> list[Row]:
    """The run of this id in each tenant that has one; if none has, the runs whose ids begin like this."""
    rows = store.rows(_FIND, {"run": run, "tenant": tenant, "limit": limit})
    return [row for row in rows if row["RunId"] == run] or rows


def read_steps(store: Asks, run: Row, *, limit: int) -> list[Row]:
    """The run's steps in the order that they began, the first ``limit`` of them."""
    return store.rows(_STEPS, _of(run, limit))


def read_failures(store: Asks, run: Row, *, limit: int) -> list[Row]:
    """The run's failures in the order that they came; ``Recovered`` if a later try of the step succeeded."""
    return store.rows(_FAILURES, _of(run, limit))


def _of(run: Row, limit: int) -> dict[str, Any]:
    return {"tenant": run["TenantId"], "run": run["RunId"], "limit": limit}


def as_json(row: Row) -> Row:
    """The row as JSON can hold it: UTC in ISO 8601 under ``StartTime`` and the like, costs as numbers."""
    return {name.removesuffix("Ns"): _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if value is not None and name.endswith("TimeNs"):
        seconds, nanoseconds = divmod(value, 1_000_000_000)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
    return float(value) if isinstance(value, Decimal) else value
