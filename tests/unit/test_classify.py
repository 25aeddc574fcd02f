"""Every span gets its step type, every failure its code at the deepest step, every root its run's status."""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agenttracer.schemas.batch import Batch
from agenttracer.schemas.failures import EVIDENCE_RULES
from agenttracer.schemas.semconv import FailureCode, StepType
from agenttracer.schemas.step_types import EMBEDDINGS, STEP_TYPES, VECTOR_STORE
from tests.otlp_traces import request, span
from tests.processing import classify, column, decoded, normalize, process


def classified(*spans: Span) -> Batch:
    return process(decoded(request(*spans)), normalize(), classify())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"agent.step.type": "plan"}, "plan"),
        ({"agent.step.type": "nonsense"}, ""),
        ({"openinference.span.kind": "LLM"}, "model"),
        ({"openinference.span.kind": "RETRIEVER"}, "retrieve"),
        ({"openinference.span.kind": "CHAIN"}, "other"),
        ({"openinference.span.kind": "CHAIN", "graph.node.name": "planner"}, "plan"),
        ({"gen_ai.operation.name": "chat"}, "model"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"gen_ai.operation.name": "search_memory"}, "retrieve"),
        ({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"}, "retrieve"),
        ({"traceloop.span.kind": "tool"}, "tool"),
        ({"mcp.method.name": "tools/call"}, "tool"),
        ({"mcp.method.name": "initialize"}, "other"),
        ({"http.request.method": "POST"}, ""),
        ({}, ""),
    ],
)
def test_step_types(given: dict[str, Any], expected: str) -> None:
    """A span's step type comes from the most trusted of its attributes; a span without any is no step."""
    assert column(classified(span("s", given)), "StepType") == [expected]


def test_the_tables_use_only_the_closed_lists() -> None:
    """Every step type and failure code of the tables is one that the conventions name."""
    assert {kind for table in STEP_TYPES.values() for kind in table.values()} - {
        EMBEDDINGS,
        VECTOR_STORE,
    } <= {kind.value for kind in StepType}
    assert {rule.code for rule in EVIDENCE_RULES} <= {code.value for code in FailureCode}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ("Error code: 429 - Rate limit reached", "rate_limited"),
        ("You exceeded your current quota", "quota_exceeded"),
        ("This model's maximum context length is 8192 tokens", "context_length_exceeded"),
        ("Request timed out.", "timeout"),
        ("DEADLINE_EXCEEDED", "timeout"),
        ("AuthenticationError: invalid x-api-key", "auth"),
        ("Error code: 503 - overloaded_error", "server_error"),
        ("1 validation error for Answer", "schema_invalid"),
        ("Recursion limit of 25 reached", "max_steps"),
        ("InputGuardrailTripwireTriggered", "guardrail_blocked"),
        ("Unknown tool: nope", "tool_not_found"),
        ("Connection refused", "connection"),
        ("invalid_request_error", "invalid_request"),
        ("something went wrong", "error"),
    ],
)
def test_failure_codes_from_messages(evidence: str, expected: str) -> None:
    """The code comes from the status message, from an exception event, or from ``error.type`` alike."""
    chat = {"gen_ai.operation.name": "chat"}
    batch = classified(
        span("a", chat, error=evidence, trace=1),
        span("b", chat, events=[("exception", {"exception.message": evidence})], trace=2),
        span("c", {**chat, "error.type": evidence}, trace=3),
    )

    assert column(batch, "FailureCode") == [expected] * 3
    assert column(batch, "FailureType") == ["model"] * 3
    assert all(column(batch, "FailureRule"))


def test_a_failure_belongs_to_the_deepest_step() -> None:
    """Containers that only passed a failure on do not count it again, however deep it lies."""
    batch = classified(
        span("run", {"gen_ai.operation.name": "invoke_agent"}, identifier=1, error="boom"),
        span("node", {"openinference.span.kind": "CHAIN"}, identifier=2, parent=1, error="boom"),
        span("tool", {"gen_ai.operation.name": "execute_tool"}, identifier=3, parent=2, error="timed out"),
    )

    assert column(batch, "FailureCode") == [None, None, "timeout"]
    assert column(batch, "FailureType") == [None, None, "tool"]


def test_two_failures_are_two() -> None:
    """Siblings that both failed are both counted."""
    tool = {"gen_ai.operation.name": "execute_tool"}
    batch = classified(
        span("run", {"gen_ai.operation.name": "invoke_agent"}, identifier=1),
        span("one", tool, parent=1, error="timed out"),
        span("two", tool, parent=1, error="429"),
    )

    assert column(batch, "FailureCode") == [None, "timeout", "rate_limited"]


def test_failures_that_no_status_shows() -> None:
    """A filtered or cut answer and a retrieval without documents are failures of calls that succeeded."""
    batch = classified(
        span("a", {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["content_filter"]}),
        span("b", {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["length"]}),
        span("c", {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.document_count": 0}),
        span("d", {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.document_count": 3}),
    )

    assert column(batch, "FailureCode") == ["content_filtered", "truncated", "empty_retrieval", None]
    assert column(batch, "FailureType") == ["model", "model", "retrieval", None]


def test_what_the_agent_says_of_its_failure_is_taken() -> None:
    """A declared type and code win over what the evidence would say; a code outside the list is ``error``."""
    declared = {
        "agent.step.type": "tool",
        "agent.failure.type": "tool",
        "agent.failure.code": "schema_invalid",
    }
    batch = classified(
        span("a", declared, error="timed out"),
        span("b", {**declared, "agent.failure.code": "made-up"}),
    )

    assert column(batch, "FailureCode") == ["schema_invalid", "error"]
    assert column(batch, "FailureRule") == ["declared", "declared"]


def test_infrastructure_is_no_failure_of_the_agent() -> None:
    """A failed span that is no step counts nowhere."""
    assert column(classified(span("GET", {"http.request.method": "GET"}, error="500")), "FailureCode") == [
        None
    ]


def test_run_statuses_of_roots() -> None:
    """A root that failed is a failure, one whose steps failed is partial, any other is a success; children
    have none."""
    agent, tool = {"gen_ai.operation.name": "invoke_agent"}, {"gen_ai.operation.name": "execute_tool"}
    batch = classified(
        span("failed", agent, trace=1, error="boom"),
        span("partial", agent, trace=2, identifier=20),
        span("step", tool, trace=2, parent=20, error="boom"),
        span("fine", agent, trace=3),
        span("told", {**agent, "agent.run.status": "cancelled"}, trace=4),
        span("no agent", {"http.request.method": "GET"}, trace=5),
    )

    assert column(batch, "RunStatus") == ["failure", "partial", None, "success", "cancelled", None]


def test_a_run_inside_a_traced_request_keeps_its_status() -> None:
    """The span that names its run's status is the run's root, though a request's span is its parent."""
    batch = classified(span("run", {"agent.step.type": "agent", "agent.run.status": "success"}, parent=77))

    assert column(batch, "RunStatus") == ["success"]


def test_metrics_pass_untouched() -> None:
    """Only spans are steps, and only spans and log records tell of failures."""
    from agenttracer.schemas.batch import Signal
    from tests.batches import make_batch

    metrics = make_batch(Signal.METRICS, rows=[{"Value": 1.0}])

    assert classify().process(metrics) is metrics
