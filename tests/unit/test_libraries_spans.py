"""Spans from a library's callbacks: their place, their facts, their failures, and nothing that was said."""

from __future__ import annotations

import contextvars

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, get_current_span

from agenttracer import AgentTracer
from agenttracer.instrumentation.libraries import spans as library_spans
from agenttracer.instrumentation.libraries.evidence import Failure, failure_of, failure_of_text
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas.semconv import FailureCode, StepType

MEMORY = InMemorySpanExporter()


@pytest.fixture
def provider() -> TracerProvider:
    """A provider whose spans end up in ``MEMORY``."""
    MEMORY.clear()
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(MEMORY))
    return made


@pytest.fixture
def spans(provider: TracerProvider) -> LibrarySpans:
    """The spans of a library called lib."""
    return LibrarySpans(provider.get_tracer("lib"), "lib")


def ended() -> dict[str, ReadableSpan]:
    """What has ended, by name."""
    return {span.name: span for span in MEMORY.get_finished_spans()}


def test_ids_of_the_library_make_the_tree(spans: LibrarySpans) -> None:
    """What was skipped hands its children to its parent."""
    spans.start("run", None, StepType.AGENT, "support")
    spans.skip("inner", "run")
    spans.start("tool", "inner", StepType.TOOL, "search")
    spans.end("tool")
    spans.end("inner")
    spans.end("run")

    run, tool = ended()["invoke_agent support"], ended()["execute_tool search"]
    assert run.context is not None
    assert tool.parent is not None
    assert run.context.span_id == tool.parent.span_id
    assert {
        "agent.step.type": "tool",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
    } == dict(tool.attributes or {})


def test_a_span_is_current_until_it_ends(spans: LibrarySpans) -> None:
    """What the host makes inside a tool becomes its child; afterwards all is as before."""
    spans.start("tool", None, StepType.TOOL, "search")
    current = get_current_span()
    inside, recording = current.get_span_context(), current.is_recording()
    current.set_attribute("added", 1)
    current.end()
    spans.end("tool")

    assert inside == ended()["execute_tool search"].context
    assert recording
    assert 1 == (ended()["execute_tool search"].attributes or {})["added"]
    assert get_current_span() is INVALID_SPAN


def test_an_end_in_another_context_leaves_it_alone(
    spans: LibrarySpans, caplog: pytest.LogCaptureFixture
) -> None:
    """A generator that another task closes: no error is logged, its own current span stays."""
    contextvars.copy_context().run(spans.start, "tool", None, StepType.TOOL, "search")
    spans.end("tool")

    assert ["execute_tool search"] == list(ended())
    assert get_current_span() is INVALID_SPAN
    assert [] == caplog.messages


def test_what_ended_elsewhere_is_nobodys_parent(provider: TracerProvider, spans: LibrarySpans) -> None:
    """A call that one task starts and another ends: the host's next span is where it would be without us."""
    host = provider.get_tracer("host")
    with host.start_as_current_span("request") as request:
        for number in range(3):
            spans.start(number, None, StepType.MODEL, f"small-{number}")
            contextvars.copy_context().run(spans.end, number)
        with host.start_as_current_span("next"):
            pass

    assert get_current_span() is INVALID_SPAN
    parents = [ended()[name].parent for name in ("chat small-0", "chat small-1", "chat small-2", "next")]
    assert [request.get_span_context().span_id] * 4 == [parent and parent.span_id for parent in parents]


def test_names_that_are_none_are_left_out(spans: LibrarySpans) -> None:
    """A prompt where a name belongs."""
    spans.start("tool", None, StepType.TOOL, "please write to alice.canary@example.com at once")
    spans.start("model", None, StepType.MODEL, None)
    spans.end("model")
    spans.end("tool")

    assert {"execute_tool lib", "chat lib"} == set(ended())
    assert "gen_ai.tool.name" not in (ended()["execute_tool lib"].attributes or {})


def test_the_innermost_failure_owns_it(spans: LibrarySpans) -> None:
    """The same exception passing outwards is an error there, and no second failure; its text is nowhere."""
    error = TimeoutError("CANARY")
    spans.start("run", None, StepType.AGENT, "support")
    spans.start("tool", "run", StepType.TOOL, "search")
    spans.end("tool", error=error)
    spans.end("run", error=error)

    tool, run = ended()["execute_tool search"], ended()["invoke_agent support"]
    assert "timeout" == (tool.attributes or {})["agent.failure.code"]
    assert "tool" == (tool.attributes or {})["agent.failure.type"]
    assert "TimeoutError" == (run.attributes or {})["error.type"]
    assert "agent.failure.code" not in (run.attributes or {})
    assert "CANARY" not in tool.to_json() + run.to_json()


def test_a_failure_told_without_an_exception_is_owned_once(spans: LibrarySpans) -> None:
    """A library tells of it in words inside, and raises outside; another code outside is another failure."""
    for name, error in (("same", TimeoutError()), ("other", ValueError())):
        spans.start(name, None, StepType.AGENT, name)
        spans.start("tool", name, StepType.TOOL, f"{name}_tool")
        spans.end("tool", error=Failure(FailureCode.TIMEOUT, "timeout"))
        spans.end(name, error=error)

    assert "agent.failure.code" not in (ended()["invoke_agent same"].attributes or {})
    assert "error" == (ended()["invoke_agent other"].attributes or {})["agent.failure.code"]


def test_a_run_learns_of_failures_inside(provider: TracerProvider, spans: LibrarySpans) -> None:
    """A step of the SDK around a library's failed tool: the run is partial, and the tool knows its run."""
    tracer = AgentTracer("support", tracer_provider=provider)
    with tracer.start_run(run_id="run-1"):
        spans.start("tool", None, StepType.TOOL, "search")
        spans.end("tool", error=Failure(FailureCode.TIMEOUT, "timeout"))

    tool = ended()["execute_tool search"]
    (run,) = (span for span in MEMORY.get_finished_spans() if "agent.run.status" in (span.attributes or {}))
    assert "run-1" == (tool.attributes or {})["agent.run.id"]
    assert "partial" == (run.attributes or {})["agent.run.status"]


def test_the_first_chunk_counts_once(spans: LibrarySpans) -> None:
    """Time to first chunk in seconds."""
    spans.start("model", None, StepType.MODEL, "small-1")
    spans.first_chunk("model")
    first = spans.find("model")
    assert first is not None
    before = dict(first.span.attributes)  # type: ignore[attr-defined]
    spans.first_chunk("model")
    spans.end("model")

    assert 0 <= before["gen_ai.response.time_to_first_chunk"] < 5
    assert before == dict(ended()["chat small-1"].attributes or {})


def test_what_never_ends_is_bounded(spans: LibrarySpans, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is ended when there are too many; closing ends the rest."""
    monkeypatch.setattr(library_spans, "_MAX_OPEN", 3)
    for number in range(5):
        spans.start(number, None, StepType.TOOL, f"tool_{number}", current=False)
    assert ["execute_tool tool_0", "execute_tool tool_1"] == list(ended())
    spans.close()

    assert 5 == len(ended())


def test_ending_what_is_unknown_does_nothing(spans: LibrarySpans) -> None:
    """A library may tell of an end whose start was before the switch."""
    spans.end("never started", {"input_tokens": 1}, error=ValueError("x"))
    spans.first_chunk("never started")
    spans.attribute("never started", "gen_ai.conversation.id", "x")

    assert {} == ended()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError("x"), "timeout"),
        (Exception("Error code: 429 - Rate limit reached"), "rate_limited"),
        (RuntimeError("This model's maximum context length is 8192 tokens"), "context_length_exceeded"),
        (RuntimeError("x"), "error"),
    ],
)
def test_evidence_is_read_and_dropped(error: Exception, code: str) -> None:
    """By class, else by text; the failure keeps the class and the code."""
    failure = failure_of(error)

    assert (code, type(error).__name__) == (failure.code, failure.error_type)


def test_an_exception_that_cannot_be_printed() -> None:
    """Its class is evidence enough."""

    class Rude(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert Failure(FailureCode.ERROR, "Rude") == failure_of(Rude())


def test_words_are_evidence_too() -> None:
    """What a library says of an error; without a class the code stands for it."""
    assert Failure(FailureCode.AUTH, "auth") == failure_of_text("401 Unauthorized: CANARY")
    assert Failure(FailureCode.ERROR, "error") == failure_of_text(None)
    assert Failure(FailureCode.TIMEOUT, "Late") == failure_of_text("timed out", "Late")
