"""A failure is seen by whatever sign its dialect gives, blamed on the deepest step, and named by its evidence."""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agenttracer.schemas.batch import Batch
from tests.otlp_traces import request, span
from tests.processing import classify, column, decoded, normalize, process

MODEL, TOOL, AGENT, RETRIEVAL = (
    {"gen_ai.operation.name": name} for name in ("chat", "execute_tool", "invoke_agent", "retrieval")
)


def classified(*spans: Span, scope: str = "tests") -> Batch:
    return process(decoded(request(*spans, scope=scope)), normalize(), classify())


def failures(*spans: Span, scope: str = "tests") -> list[tuple[str, str] | None]:
    """Each span's (type, code), None where it has no failure."""
    batch = classified(*spans, scope=scope)
    pairs = zip(column(batch, "FailureType"), column(batch, "FailureCode"), strict=True)
    return [None if code is None else (kind, code) for kind, code in pairs]


def thrown(kind: str, message: str = "") -> list[tuple[str, dict[str, Any]]]:
    return [("exception", {"exception.type": kind, "exception.message": message})]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"haystack.tool.error": True}, "error"),
        ({"gen_ai.tool.status": "error"}, "error"),
        ({"gen_ai.task.status": "failure"}, "error"),
        (
            {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "timed out"},
            "timeout",
        ),
        ({"crewai.tool.failure.reason": "exception", "crewai.tool.failure.code": "TimeoutError"}, "timeout"),
        ({"pydantic_ai.tool.failure_stage": "validation", "error.type": "ValidationError"}, "schema_invalid"),
        ({"gen_ai.tool.call.result": '{"content": [], "isError": true}'}, "error"),
        (
            {"mcp.response.value": "meta=None content=[Text('429 Too Many Requests')] isError=True"},
            "rate_limited",
        ),
        (
            {"output.value": '{"type": "tool", "data": {"content": "timed out", "status": "error"}}'},
            "timeout",
        ),
        ({"gen_ai.tool.call.result": '{"status": "success", "isError": false}'}, None),
        ({"langfuse.observation.level": "WARNING"}, None),
    ],
)
def test_signs_other_than_a_status(given: dict[str, Any], expected: str | None) -> None:
    """A tool that failed by its dialect's own sign, or by its answer, has failed; one that answered hasn't."""
    assert [None if expected is None else ("tool", expected)] == failures(span("t", {**TOOL, **given}))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order not found for 1234", "error"),
        ("the schema of order 429 is odd", "error"),
        ("500 items could not be connected", "error"),
        ("404 Not Found", "not_found"),
        ("503: try later", "server_error"),
        ("Error code: 404 - no such model", "not_found"),
        ("{'code': 429}", "rate_limited"),
        ("HTTP/1.1 503 Service Unavailable", "server_error"),
        ("The next request would exceed the total_tokens_limit of 100", "budget_exceeded"),
        ("Tool lookup_order does not exist", "tool_not_found"),
        ("Error running tool lookup: order not found", "error"),
        ("Handoff to refund_agent failed", "handoff_failed"),
        ("prompt is too long: 210000 tokens", "context_length_exceeded"),
    ],
)
def test_messages_mean_what_they_say(message: str, expected: str) -> None:
    """A word or a number that could stand in anybody's message is no evidence; one that says what it is, is."""
    assert [("tool", expected)] == failures(span("t", TOOL, error=message))


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("MAX_TOKENS", "truncated"),
        ("SAFETY", "content_filtered"),
        ("refusal", "content_filtered"),
        ("guardrail_intervened", "guardrail_blocked"),
        ("model_context_window_exceeded", "context_length_exceeded"),
        ("MALFORMED_FUNCTION_CALL", "schema_invalid"),
        ("end_turn", None),
        ("something_new", None),
    ],
)
def test_finish_reasons(reason: str, expected: str | None) -> None:
    """Every provider's word for a cut, filtered or refused answer is a failure of the call."""
    given = {**MODEL, "gen_ai.response.finish_reasons": [reason]}

    assert [None if expected is None else ("model", expected)] == failures(span("c", given))


@pytest.mark.parametrize(
    "kind",
    [
        "asyncio.exceptions.CancelledError",
        "GeneratorExit",
        "langgraph.errors.GraphInterrupt",
        "langgraph.errors.ParentCommand",
        "pydantic_ai.exceptions.ApprovalRequired",
    ],
)
def test_control_flow_is_no_failure(kind: str) -> None:
    """Who was stopped, or waits for a human, has not failed."""
    assert [None] == failures(span("c", MODEL, error="", events=thrown(kind)))


@pytest.mark.parametrize(
    ("given", "events"),
    [
        ({"gen_ai.retrieval.document_count": 0}, ()),
        ({"retrieval.documents": []}, ()),
        ({"gen_ai.retrieval.documents": "[]"}, ()),
        ({"output.value": '{"documents": []}'}, ()),
        ({"traceloop.entity.output": '{"documents": [], "count": 0}'}, ()),
        ({"gen_ai.completion": '{"documents":[]}'}, ()),
        ({"haystack.component.output": '{"documents": []}'}, ()),
        ({"langfuse.observation.output": " [ ] "}, ()),
        ({}, [("RetrievalEndEvent", {"nodes": "[]"})]),
    ],
)
def test_empty_retrievals_in_every_form(given: dict[str, Any], events: Any) -> None:
    """A retrieval without documents is a failure, however the dialect says so; one with documents is none."""
    found = {key: ["x"] if isinstance(value, list) else value for key, value in given.items()}
    found = {key: f'["{value}"]' if isinstance(value, str) else 1 for key, value in found.items()}

    assert [("retrieval", "empty_retrieval"), None] == failures(
        span("r", {**RETRIEVAL, **given}, events=events),
        span("r", {**RETRIEVAL, **found}, events=[("RetrievalEndEvent", {"nodes": "[1]"})]),
    )


def test_of_two_spans_around_an_empty_retrieval_the_inner_one_tells() -> None:
    """The wrapper around an empty retrieval doesn't count it again."""
    empty = {**RETRIEVAL, "gen_ai.retrieval.document_count": 0}

    assert [None, ("retrieval", "empty_retrieval")] == failures(
        span("outer", empty, identifier=1), span("inner", empty, parent=1)
    )


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("openai.RateLimitError", "Error code: 429", ("model", "rate_limited")),
        ("openai.APITimeoutError", "Request timed out.", ("model", "timeout")),
        ("UnexpectedModelBehavior", "", ("model", "schema_invalid")),
        ("workflows.errors.WorkflowTimeoutError", "timed out", ("orchestration", "timeout")),
        ("GraphRecursionError", "Recursion limit of 25 reached", ("orchestration", "max_steps")),
        ("ValueError", "boom", ("orchestration", "error")),
    ],
)
def test_a_container_without_a_failed_step(kind: str, message: str, expected: tuple[str, str]) -> None:
    """Where no step below shows whose failure it is, a provider's code is the model's, the rest the agent's."""
    assert [expected] == failures(span("a", AGENT, error=message, events=thrown(kind, message)))


def test_a_limit_of_the_agent_stands_beside_a_tools_failure() -> None:
    """An agent that ran out of steps after a tool failed has two failures, not one."""
    assert [("orchestration", "max_steps"), ("tool", "timeout")] == failures(
        span("a", AGENT, identifier=1, error="Max turns exceeded"),
        span("t", TOOL, parent=1, error="timed out"),
    )


def test_a_sibling_that_repeats_a_failure_doesn_t_count() -> None:
    """Not every library nests its spans: a container with the message of a failed call of its trace repeats it."""
    boom = thrown("openai.RateLimitError", "Error code: 429")

    assert [None, ("model", "rate_limited"), ("model", "rate_limited")] == failures(
        span("task", {"traceloop.span.kind": "task"}, error="", events=boom),
        span("chat", MODEL, error="", events=boom),
        span("task", {"traceloop.span.kind": "task"}, trace=2, error="", events=boom),
    )


def test_the_status_of_a_call_below_is_evidence() -> None:
    """A model's span that hides why it failed has the HTTP status of the request right below it."""
    assert [("model", "rate_limited"), None] == failures(
        span("chat", MODEL, identifier=1, error=""),
        span("POST", {"http.request.method": "POST", "http.response.status_code": 429}, parent=1),
    )


def test_many_failures_are_named_like_few() -> None:
    """Above and below the number of texts that are looked at one by one the same rules decide."""
    spans = [span("t", TOOL, error=f"{number}: timed out") for number in range(100)]

    assert [("tool", "timeout")] * 100 == failures(*spans)


def test_a_parent_loop_ends() -> None:
    """Spans that name each other as parents are classified all the same."""
    assert {("tool", "error"), None} >= set(
        failures(
            span("a", TOOL, identifier=1, parent=2, error="boom"),
            span("b", TOOL, identifier=2, parent=1, error="boom"),
            span("c", TOOL, identifier=3, parent=3, error="boom"),
        )
    )
