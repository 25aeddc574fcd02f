"""Runs, steps and failures as the views show them, in however many inserts their spans come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agenttracer.schemas.batch import Batch, Place
from tests.batches import make_batch
from tests.clickhouse_store import Store, exporting

SECOND = 1_000_000_000
T0 = (time.time_ns() // SECOND - 600) * SECOND
TRACE = "a" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An exporter on an empty store."""
    with exporting(f"chdb://{tmp_path}", ttl=0) as store:
        yield store


def span(at: float, **columns: Any) -> dict[str, Any]:
    """A span of the run, one second long, right below its root, that starts so many seconds after the run."""
    start = T0 + int(at * SECOND)
    ids = {"TraceId": TRACE, "RunId": "run-1", "SpanId": f"at-{at}", "ParentSpanId": "root"}
    return {**ids, "Timestamp": start, "Duration": SECOND, **columns}


ROOT = span(
    0, SpanId="root", ParentSpanId="", Duration=10 * SECOND, RunStatus="success", StepType="agent",
    AgentName="support", AgentVersion="1.2", InputTokens=300,
)  # fmt: skip
RUN = [
    ROOT,
    span(
        1, StepType="model", InputTokens=100, OutputTokens=20, CostUsd=Decimal("0.0012"), AgentName="writer"
    ),
    span(
        2, StepType="tool", StepName="search", FailureType="tool", FailureCode="timeout", StatusCode="Error"
    ),
    span(3, StepType="tool", StepName="search", Attempt=2),
    span(4, StepType="retrieve", StepName="kb", FailureType="retrieval", FailureCode="empty_retrieval"),
    span(5, StepType="model", InputTokens=200, OutputTokens=30, CostUsd=Decimal("0.0008")),
    span(6, StepType="", SpanId="not-a-step"),
]
OWN_WORD = (Place.ROW, 0, "agent.run.status", "x")


def spans(*rows: dict[str, Any], token: str, **others: Any) -> Batch:
    """One insert."""
    resources = [{"ServiceName": "shop", "TenantId": "acme"}]
    return make_batch("traces", rows, resources=resources, token=token, **others)


def event(at: float, name: str, **columns: Any) -> Batch:
    """One log event of the run."""
    row = {"Timestamp": T0 + int(at * SECOND), "RunId": "run-1", "EventName": f"agent.run.{name}", **columns}
    resources = [{"ServiceName": "shop", "TenantId": "acme"}]
    return make_batch("logs", [row], resources=resources, token=f"{name}-{at}")


def run(store: Store, columns: str) -> tuple[Any, ...]:
    """These columns of the only run."""
    (row,) = store.rows(f"SELECT {columns} FROM agent_runs")
    return row


@pytest.mark.parametrize(
    "order",
    [[[0, 1, 2, 3, 4, 5, 6]], [[6], [5], [4], [3], [2], [1], [0]], [[1, 3], [0, 2], [5, 4, 6]]],
    ids=["one insert", "one insert a span, the root last", "three inserts"],
)
def test_a_run_is_one_row_in_however_many_inserts_it_comes(store: Store, order: list[list[int]]) -> None:
    """The order and grouping of a run's spans change nothing, before and after the parts are merged."""
    for number, group in enumerate(order):
        store.export(spans(*(RUN[index] for index in group), token=f"{number}"))
    for _ in range(2):
        expected = {
            "TenantId": "acme",
            "RunId": "run-1",
            "TraceId": TRACE,
            "AgentName": "support",
            "AgentVersion": "1.2",
            "ServiceName": "shop",
            "Status": "partial",
            "DurationMs": 10_000.0,
            "Steps": 6,
            "ModelCalls": 2,
            "ToolCalls": 2,
            "Retrievals": 1,
            "Failures": 2,
            "InputTokens": 300,
            "OutputTokens": 50,
            "CostUsd": Decimal("0.002"),
            "FailureType": "tool",
            "FailureCode": "timeout",
            "start": 0,
            "end": 10 * SECOND,
            "seen": 10 * SECOND,
        }
        times = ", ".join(
            f"toUnixTimestamp64Nano({column}) - {T0} AS {name}"
            for column, name in (("StartTime", "start"), ("EndTime", "end"), ("LastSeen", "seen"))
        )
        assert expected == store.row(
            f"SELECT * EXCEPT (StartTime, EndTime, LastSeen), {times} FROM agent_runs"
        )
        store.client.command("OPTIMIZE TABLE agent_runs_state FINAL")


@pytest.mark.parametrize(
    "inserts", [[[0, 1]], [[0], [1]], [[1], [0]]], ids=["one", "the first first", "the last first"]
)
def test_a_run_that_was_handed_over_goes_by_the_agent_that_began_it(
    store: Store, inserts: list[list[int]]
) -> None:
    """Each agent's part is a trace of its own, with a root and a status."""
    parts = [
        {**ROOT, "AgentName": "triage"},
        {**ROOT, "Timestamp": T0 + 5 * SECOND, "TraceId": "b" * 32},
    ]
    for number, group in enumerate(inserts):
        store.export(spans(*(parts[index] for index in group), token=f"{number}"))
    assert ("triage", TRACE) == run(store, "AgentName, TraceId")


def test_a_run_is_visible_from_the_moment_it_is_queued(store: Store) -> None:
    """Queued, started, working, ended: the status follows, and waiting in the queue is no duration."""
    columns = (
        f"Status, DurationMs, Steps, AgentName, isNull(EndTime), toUnixTimestamp64Nano(StartTime) - {T0}"
    )
    store.export(event(-60, "queued", AgentName="support"))
    assert ("queued", 0.0, 0, "support", True, -60 * SECOND) == run(store, columns)
    store.export(event(-1, "started", AgentName="support"))
    assert ("running", 0.0, 0, "support", True, -SECOND) == run(store, columns)
    store.export(spans(RUN[1], token="child"))  # noqa: S106
    assert ("running", 3000.0, 1, "support", True, -SECOND) == run(store, columns)
    store.export(spans(ROOT, token="root"))  # noqa: S106
    assert ("success", 11_000.0, 2, "support", False, -SECOND) == run(store, columns)


def test_a_run_without_an_end_is_running(store: Store) -> None:
    """Spans whose root never came leave a run that goes on, as long as it was seen."""
    store.export(spans(*RUN[1:], token="t"))  # noqa: S106
    assert ("running", 5000.0, True, 5) == run(store, "Status, DurationMs, isNull(EndTime), Steps")


@pytest.mark.parametrize(("status", "failed"), [("partial", False), ("failure", True)])
def test_a_run_whose_root_never_came_ends_after_an_hour(store: Store, status: str, failed: bool) -> None:
    """Some libraries never export the root of a run that raised: its last word decides."""
    error = {"StatusCode": "Error", "FailureCode": "timeout"} if failed else {}
    ago = {"Timestamp": T0 - 7200 * SECOND}
    store.export(spans(span(0, StepType="model", **ago, **error), token="t"))  # noqa: S106
    assert (status, False) == run(store, "Status, isNull(EndTime)")


@pytest.mark.parametrize("status", ["success", "failure", "partial", "cancelled"])
def test_the_agents_own_word_decides_how_a_run_ended(store: Store, status: str) -> None:
    """Also over the count of failures, and over a cancellation that came too late."""
    root = {**ROOT, "RunStatus": status}
    store.export(spans(root, *RUN[1:], token="t", attributes=[OWN_WORD]), event(9, "cancelled"))  # noqa: S106
    assert (status, 2, 10_000.0) == run(store, "Status, Failures, DurationMs")


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["the failure first", "the root first"])
@pytest.mark.parametrize(
    ("status", "failed", "later"),
    [
        ("failure", {"StepType": "model"}, []),
        ("partial", {"StepType": "model"}, [span(8, StepType="model")]),
        ("partial", {"StepType": "tool"}, []),
    ],
    ids=["a model call, and nothing after it", "a model call that others followed", "a tool"],
)
def test_a_failure_in_another_insert_than_the_root_decides(
    store: Store, order: list[int], status: str, failed: dict[str, Any], later: list[dict[str, Any]]
) -> None:
    """The root's own insert saw a run that went well."""
    step = span(4, StatusCode="Error", FailureCode="timeout", **failed)
    inserts = [[step], [ROOT, *later]]
    for number in order:
        store.export(spans(*inserts[number], token=f"{number}"))
    assert (status, 1, "timeout") == run(store, "Status, Failures, FailureCode")


def test_a_run_that_was_cancelled_before_its_root_ended_is_cancelled(store: Store) -> None:
    """The event is enough."""
    store.export(event(-5, "queued"), event(2, "cancelled"))
    store.export(spans(RUN[1], token="t"))  # noqa: S106
    columns = f"Status, toUnixTimestamp64Nano(EndTime) - {T0}"
    assert ("cancelled", 2 * SECOND) == run(store, columns)


def test_the_same_run_id_of_two_tenants_is_two_runs(store: Store) -> None:
    """Tenants don't see into each other's runs."""
    store.export(spans(ROOT, token="acme"), event(0, "started"))  # noqa: S106
    other = make_batch("traces", [ROOT], resources=[{"TenantId": "other"}], token="other")  # noqa: S106
    store.export(other)
    assert [("acme", 1), ("other", 1)] == store.rows(
        "SELECT TenantId, Steps FROM agent_runs ORDER BY TenantId"
    )


def test_costs_that_nobody_knows_are_null(store: Store) -> None:
    """Unknown is not free."""
    store.export(spans(span(0, StepType="model", InputTokens=5), token="t"))  # noqa: S106
    assert (None, 5, 0) == run(store, "CostUsd, InputTokens, OutputTokens")


def test_steps_are_the_spans_that_are_steps(store: Store) -> None:
    """One row a step, numbered by its start, with its status, its length and which try it was."""
    store.export(spans(*RUN, token="t"))  # noqa: S106
    columns = "StepSequence, StepType, Status, FailureCode, DurationMs, Attempt"
    assert [
        (1, "agent", "success", "", 10_000.0, 1),
        (2, "model", "success", "", 1000.0, 1),
        (3, "tool", "failure", "timeout", 1000.0, 1),
        (4, "tool", "success", "", 1000.0, 2),
        (5, "retrieve", "failure", "empty_retrieval", 1000.0, 1),
        (6, "model", "success", "", 1000.0, 1),
    ] == store.rows(f"SELECT {columns} FROM agent_steps ORDER BY StepSequence")


def test_a_failure_recovered_if_a_later_try_of_its_step_did_not_fail(store: Store) -> None:
    """In the same run; another step's success, or an earlier one, is none of its own."""
    earlier = span(0.5, StepType="retrieve", StepName="kb")
    elsewhere = span(9, StepType="retrieve", StepName="kb", RunId="run-2")
    store.export(spans(*RUN, earlier, elsewhere, token="t"))  # noqa: S106
    columns = "FailureType, FailureCode, Rule, StepName, Attempt, Recovered"
    assert [
        ("tool", "timeout", "", "search", 1, True),
        ("retrieval", "empty_retrieval", "", "kb", 1, False),
    ] == store.rows(f"SELECT {columns} FROM agent_failures ORDER BY Time")


def test_tools_and_models_are_summed_up(store: Store) -> None:
    """Calls, successes, durations and the last failure, by tenant, agent and tool or model."""
    store.export(spans(*RUN, token="t"))  # noqa: S106
    columns = "ToolName, Calls, SuccessRate, P50Ms, P99Ms, LastFailureCode"
    assert [("search", 2, 0.5, 1000.0, 1000.0, "timeout")] == store.rows(f"SELECT {columns} FROM agent_tools")
    columns = "sum(Calls), sum(Failures), sum(InputTokens), sum(OutputTokens), sum(CostUsd)"
    assert [(2, 0, 300, 50, Decimal("0.002"))] == store.rows(f"SELECT {columns} FROM agent_models")


INDEXES = {
    "SELECT * FROM agent_steps WHERE RunId = 'run-1'": "PrimaryKey RunId",
    "SELECT * FROM agent_steps WHERE TenantId = 'acme'": "PrimaryKey TenantId",
    "SELECT * FROM agent_steps WHERE TraceId = 'x'": "idx_trace_id",
    "SELECT * FROM agent_steps WHERE AgentName = 'support'": "idx_agent_name",
    "SELECT * FROM agent_steps WHERE StartTime > now() - 3600": "Min-Max Timestamp",
    "SELECT * FROM agent_failures WHERE RunId = 'run-1'": "PrimaryKey RunId",
    "SELECT * FROM agent_failures WHERE TenantId = 'acme'": "PrimaryKey TenantId",
    "SELECT * FROM agent_failures WHERE Time > now() - 3600": "Min-Max Timestamp",
    "SELECT * FROM agent_runs WHERE RunId = 'run-1'": "PrimaryKey RunId",
    "SELECT count() FROM otel_traces WHERE TenantId = 'acme' AND AgentName = 'support'": "idx_agent",
    "SELECT * FROM otel_traces WHERE TraceId = 'x'": "idx_trace_id",
}


@pytest.mark.parametrize("query", INDEXES)
def test_filters_reach_the_indexes(store: Store, query: str) -> None:
    """What dashboards ask for by run, tenant, agent, failure or time is not a scan of everything."""
    store.export(spans(*RUN, token="t"))  # noqa: S106
    ((plan,),) = store.rows(f"EXPLAIN indexes = 1, json = 1 {query}")
    assert INDEXES[query] in used_indexes(json.loads(plan)[0]["Plan"])


def used_indexes(node: dict[str, Any]) -> set[str]:
    """The names of skip indexes, and the keys of the others, that a plan narrows a table by."""
    used = {
        index.get("Name") or " ".join([index["Type"], *index["Keys"]])
        for index in node.get("Indexes", ())
        if index.get("Name") or index.get("Keys")
    }
    return used.union(*(used_indexes(child) for child in node.get("Plans", ())))
