"""What a batch shows of whole runs: the answer, the run's status, two spans of one call."""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agenttracer.schemas.batch import Batch
from tests.otlp_traces import START_UNIX_NS, request, span
from tests.processing import classify, column, decoded, normalize, process

AGENT, TOOL = {"gen_ai.operation.name": "invoke_agent"}, {"gen_ai.operation.name": "execute_tool"}
STOP = {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["stop"]}


def at(made: Span, start_ms: int, end_ms: int) -> Span:
    """The same span from one millisecond of the test to another."""
    made.start_time_unix_nano = START_UNIX_NS + start_ms * 1_000_000
    made.end_time_unix_nano = START_UNIX_NS + end_ms * 1_000_000
    return made


def classified(*spans: Span, **options: Any) -> Batch:
    return process(decoded(request(*spans, **options)), normalize(), classify())


def test_the_answer_is_the_last_call_that_stopped() -> None:
    """The last model call of a run that ended is its answer; earlier ones and other runs' are not."""
    batch = classified(
        at(span("run", AGENT, identifier=1), 0, 100),
        at(span("first", STOP, parent=1), 10, 20),
        at(span("tool", TOOL, parent=1), 30, 40),
        at(span("last", STOP, parent=1), 50, 60),
    )

    assert ["agent", "model", "tool", "respond"] == column(batch, "StepType")


def test_a_call_before_the_last_tool_is_no_answer() -> None:
    """Where a tool came last, nothing answered: Gemini says STOP when it calls a tool, too."""
    batch = classified(
        at(span("run", AGENT, identifier=1), 0, 100),
        at(span("chat", STOP, parent=1), 10, 20),
        at(span("tool", TOOL, parent=1), 30, 40),
    )

    assert "respond" not in column(batch, "StepType")


def test_wrappers_answer_with_the_call_that_they_wrap() -> None:
    """Every span around one call has the type of the answer, whichever of them knows how it ended."""
    chat = {"gen_ai.operation.name": "chat"}
    batch = classified(
        at(span("run", AGENT, identifier=1), 0, 100),
        at(span("framework", chat, identifier=2, parent=1), 10, 30),
        at(span("client", STOP, parent=2), 11, 29),
    )

    assert ["agent", "respond", "respond"] == column(batch, "StepType")


def test_a_call_of_no_run_answers_nothing() -> None:
    """A model call that is a trace of its own, or whose root is still to come, is just a call."""
    batch = classified(
        span("chat", STOP, trace=1),
        span("agent", AGENT, trace=2, identifier=2, parent=9),
        span("chat", STOP, trace=2, parent=2),
    )

    assert ["model", "agent", "model"] == column(batch, "StepType")


def test_a_run_whose_last_call_failed_is_a_failure() -> None:
    """A root that leaves its status alone failed when a model call failed and nothing went well after it."""
    failing = {"gen_ai.operation.name": "chat"}
    batch = classified(
        at(span("lost", AGENT, identifier=1), 0, 100),
        at(span("chat", failing, parent=1, error="429"), 10, 20),
        at(span("saved", AGENT, trace=2, identifier=2), 0, 100),
        at(span("chat", failing, trace=2, parent=2, error="429"), 10, 20),
        at(span("chat", STOP, trace=2, parent=2), 30, 40),
    )

    assert ["failure", None, "partial", None, None] == column(batch, "RunStatus")


def test_a_cancelled_root_is_a_cancelled_run() -> None:
    """A run that ended by cancellation neither failed nor succeeded."""
    cancelled = [("exception", {"exception.type": "asyncio.CancelledError"})]

    assert ["cancelled"] == column(classified(span("run", AGENT, error="", events=cancelled)), "RunStatus")


def test_the_topmost_step_of_a_traced_request_is_a_root() -> None:
    """A run inside an HTTP request of its service has a status; making an agent is no run."""
    batch = classified(
        span("POST /ask", {"http.request.method": "POST"}, identifier=1),
        span("run", AGENT, identifier=2, parent=1),
        span("tool", TOOL, parent=2),
        span("create_agent", {"gen_ai.operation.name": "create_agent"}, trace=2),
        span("orphan", AGENT, trace=3, parent=99),
    )

    assert [None, "success", None, None, None] == column(batch, "RunStatus")


def stacked(*spans: Span) -> ExportTraceServiceRequest:
    """Each instrumented span with the SDK's own of the same number, in traces apart."""
    made = request(*(each for each in spans if each.name == "chat"), scope="opentelemetry.instrumentation.x")
    sdk = request(*(each for each in spans if each.name != "chat"), scope="com.anthropic.sdk.python")
    made.resource_spans[0].scope_spans.extend(sdk.resource_spans[0].scope_spans)
    return made


def test_two_roots_of_one_call_are_one_run() -> None:
    """A model SDK's root inside an instrumented call's time joins its run and shares an answer's id."""
    chat = {"gen_ai.operation.name": "chat"}
    batch = process(
        decoded(
            stacked(
                at(span("chat", chat, trace=1), 0, 100),
                at(span("chat", chat, trace=2), 200, 300),
                at(span("sdk", {**chat, "gen_ai.response.id": "msg_1"}, trace=3), 10, 90),
                at(span("sdk", chat, trace=4), 210, 290),
                at(span("sdk", chat, trace=5), 500, 600),
            )
        ),
        normalize(),
        classify(),
    )
    runs, answers = column(batch, "RunId"), column(batch, "ResponseId")

    assert [runs[0], runs[1]] == [runs[2], runs[3]]
    assert ["msg_1", "msg_1"] == [answers[0], answers[2]]
    assert answers[1] == answers[3] is not None
    assert answers[4] is None


def test_calls_at_the_same_time_are_not_guessed_at() -> None:
    """Where two instrumented calls are open at once, an SDK's root joins neither."""
    chat = {"gen_ai.operation.name": "chat"}
    batch = process(
        decoded(
            stacked(
                at(span("chat", chat, trace=1), 0, 100),
                at(span("chat", chat, trace=2), 5, 100),
                at(span("sdk", chat, trace=3), 10, 90),
            )
        ),
        normalize(),
        classify(),
    )

    assert 3 == len(set(column(batch, "RunId")))
