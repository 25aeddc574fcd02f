"""Two versions of an agent side by side: failures, latency, cost, tokens, and which tools they call in what order.

Only runs that ended by themselves are compared; what is a difference and what may be chance, ``significance`` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from agenttracer.collector.cli.run_queries import Asks, Row
from agenttracer.collector.cli.significance import (
    MIN_VALUES,
    Values,
    detectable_share,
    differs_in_rank,
    differs_in_share,
    holm,
    quantile_interval,
)

ENDED = ("success", "partial", "failure")
_MIN_RUNS_FOR_P95 = 100
_MAX_SEQUENCES = 5
_MAX_CALLS_SHOWN = 20
_SIGNIFICANT = 0.05

_RUNS = """
SELECT TenantId, RunId, Status, DurationMs, InputTokens + OutputTokens AS Tokens, toFloat64(CostUsd) AS CostUsd
FROM agent_runs
WHERE AgentName = {agent:String} AND AgentVersion = {version:String}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({since_ms:Int64} = 0 OR LastSeen >= now64(9) - toIntervalMillisecond({since_ms:Int64}))
    AND Status IN ('success', 'partial', 'failure')
ORDER BY StartTime DESC, RunId
LIMIT {limit:UInt32}
"""
_TOOLS = (
    """
SELECT TenantId, RunId, arrayMap(call -> call.2, arraySort(groupArray((StartTime, ToolName)))) AS Tools
FROM agent_steps
WHERE StepType = 'tool' AND ToolName != '' AND (TenantId, RunId) IN (SELECT TenantId, RunId FROM ("""
    + _RUNS
    + """))
GROUP BY TenantId, RunId
"""
)
_VERSIONS = """
SELECT AgentVersion, count() AS Runs FROM agent_runs
WHERE AgentName = {agent:String} AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY AgentVersion ORDER BY max(LastSeen) DESC LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class Version:
    """The ended runs of one version, the newest first, and each one's tools in the order of their calls."""

    name: str
    runs: list[Row]
    tools: list[tuple[str, ...]]

    def values(self, column: str) -> Values:
        """A column of the runs that have it."""
        return np.array([run[column] for run in self.runs if run[column] is not None], np.float64)

    def failed(self) -> int:
        """How many runs failed."""
        return sum(run["Status"] == "failure" for run in self.runs)


@dataclass(slots=True)
class Measure:
    """One figure of both versions; ``p`` is null where no test can say anything."""

    name: str
    unit: str
    before: float | None
    after: float | None
    p: float | None = None
    verdict: str = ""


def read_version(store: Asks, name: str, filters: Mapping[str, Any]) -> Version:
    """The version's runs as far as ``filters`` (agent, tenant, since_ms, limit) let them pass."""
    parameters = {**filters, "version": name}
    runs = store.rows(_RUNS, parameters)
    tools = {(row["TenantId"], row["RunId"]): tuple(row["Tools"]) for row in store.rows(_TOOLS, parameters)}
    return Version(name, runs, [tools.get((run["TenantId"], run["RunId"]), ()) for run in runs])


def known_versions(store: Asks, agent: str, tenant: str) -> list[Row]:
    """The agent's versions with their numbers of runs, the last seen first."""
    return store.rows(_VERSIONS, {"agent": agent, "tenant": tenant})


def measures(before: Version, after: Version) -> list[Measure]:
    """Failure rate, latency, cost and tokens."""
    found = [_failure_rate(before, after), *_latency(before, after)]
    found.append(_typical("cost per run", "USD", before.values("CostUsd"), after.values("CostUsd")))
    found.append(_typical("tokens per run", "tokens", before.values("Tokens"), after.values("Tokens")))
    judge(found)
    return found


def _failure_rate(before: Version, after: Version) -> Measure:
    sizes = [len(version.runs) for version in (before, after)]
    failed = [version.failed() for version in (before, after)]
    measure = Measure("failure rate", "share", failed[0] / sizes[0], failed[1] / sizes[1])
    if min(sizes) >= MIN_VALUES:
        measure.p = differs_in_share(failed[0], sizes[0], failed[1], sizes[1])
    else:
        measure.verdict = _too_small(min(sizes), MIN_VALUES)
    return measure


def _latency(before: Version, after: Version) -> Iterable[Measure]:
    a, b = before.values("DurationMs"), after.values("DurationMs")
    yield _typical("latency p50", "ms", a, b)
    tail = Measure("latency p95", "ms", float(np.quantile(a, 0.95)), float(np.quantile(b, 0.95)))
    if (smaller := min(len(a), len(b))) < _MIN_RUNS_FOR_P95:
        tail.verdict = _too_small(smaller, _MIN_RUNS_FOR_P95)
    else:
        low, high = quantile_interval(a, b, 0.95)
        tail.verdict = "may be chance" if low <= 0 <= high else "differs"
    yield tail


def _typical(name: str, unit: str, a: Values, b: Values) -> Measure:
    if not len(a) or not len(b):
        return Measure(name, unit, _median(a), _median(b), verdict="not known")
    measure = Measure(name, unit, _median(a), _median(b))
    if (smaller := min(len(a), len(b))) >= MIN_VALUES:
        measure.p = differs_in_rank(a, b)
    else:
        measure.verdict = _too_small(smaller, MIN_VALUES)
    return measure


def _median(values: Values) -> float | None:
    return float(np.median(values)) if len(values) else None


def _too_small(size: int, needed: int) -> str:
    return f"too few runs to tell ({size} of {needed})"


def judge(found: Sequence[Measure]) -> None:
    """Set the verdicts of the measures that were tested, corrected for how many they are."""
    tested = [measure for measure in found if measure.p is not None]
    for measure, p in zip(tested, holm([measure.p or 0.0 for measure in tested]), strict=True):
        measure.p = p
        measure.verdict = "differs" if p < _SIGNIFICANT else "may be chance"


def tool_measures(before: Version, after: Version) -> list[Measure]:
    """Calls of each tool per run."""
    counts = [Counter(tool for run in version.tools for tool in run) for version in (before, after)]
    names = sorted(set(counts[0]) | set(counts[1]))
    return [
        Measure(name, "calls per run", counts[0][name] / len(before.runs), counts[1][name] / len(after.runs))
        for name in names
    ]


def sequence_measures(before: Version, after: Version) -> list[Measure]:
    """The share of runs that called just these tools in this order; the commonest of either version."""
    counts = [Counter(map(show_sequence, version.tools)) for version in (before, after)]
    sizes = [len(version.runs) for version in (before, after)]
    shares = {
        name: (counts[0][name] / sizes[0], counts[1][name] / sizes[1]) for name in {*counts[0], *counts[1]}
    }
    common = sorted(shares, key=lambda name: (-max(shares[name]), name))[:_MAX_SEQUENCES]
    found = []
    for name in common:
        measure = Measure(name, "share", *shares[name])
        if min(sizes) >= MIN_VALUES:
            measure.p = differs_in_share(counts[0][name], sizes[0], counts[1][name], sizes[1])
        else:
            measure.verdict = _too_small(min(sizes), MIN_VALUES)
        found.append(measure)
    judge(found)
    return found


def show_sequence(tools: Sequence[str]) -> str:
    """``search ×2 → book``; only the beginning of a long one."""
    parts = []
    for tool, repeated in groupby(tools):
        times = len(list(repeated))
        parts.append(tool if times == 1 else f"{tool} ×{times}")
    shown = parts[:_MAX_CALLS_SHOWN] + ["…"] * (len(parts) > _MAX_CALLS_SHOWN)
    return " → ".join(shown) or "no tools"


def visible_failure_change(before: Version, after: Version) -> float:
    """How far the failure rate must move for so many runs to show it."""
    sizes = [len(version.runs) for version in (before, after)]
    return detectable_share((before.failed() + after.failed()) / sum(sizes), *sizes)
