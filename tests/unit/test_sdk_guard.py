"""The SDK never raises into its host, whatever the host or OpenTelemetry does to it."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from agenttracer import AgentTracer, make_provenance, tool
from agenttracer.instrumentation import guard
from tests.sdk_fakes import Recording


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


class Hostile:
    """A value that raises whatever is done to it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return Hostile
        raise RuntimeError("alice")

    def __str__(self) -> str:
        raise RuntimeError("alice")

    __repr__ = __str__


class Breaking(SpanProcessor):
    """A processor of the host that raises at the start and at the end of every span."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        raise RuntimeError("alice")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("alice")


def test_no_argument_makes_a_call_raise(caplog: pytest.LogCaptureFixture) -> None:
    """Every call takes every value; warnings name places and kinds, never a message."""
    recording = Recording()
    bad: Any = Hostile()
    tracer = recording.tracer
    tracer.queue_run(bad)
    run = tracer.start_run(name=bad, run_id=bad, user_id=bad, conversation_id=bad, metadata=bad)
    with run:
        run.add_metadata(bad)
        run.add_metadata({"a": bad})
        run.record_failure(bad, bad, bad)
        run.set_status(bad)
        run.record_artifact(bad, bad, bad, bad)
        run.record_artifact("a", b"x", bad, bad)
        with run.step(bad, bad, metadata=bad) as step:
            step.add_metadata(bad)
            step.add_metadata({bad: bad, "model": bad})
            step.fail(bad, bad)
        list(run.attempts(bad, bad, type=bad))
        with run.search_memory(bad, bad):
            run.store_memory(bad, bad, bad, bad, bad)
        tool(name=bad, metadata=bad)(len)("")
    run.set_status("partial")
    run.cancel()
    tracer.cancel_run(bad)
    tracer.record_metric(bad, bad, bad)
    tracer.record_metrics(bad)
    tracer.register(bad)
    tracer.register_prompt_template(bad, bad, bad, bad)
    tracer.register_tool(bad, bad, type=bad, version=bad)
    tracer.record_learning_pattern(bad, bad, bad)
    tracer.ingest_failure(bad, bad, bad, bad, steps=bad, started_at=bad, finished_at=bad)
    make_provenance(bad, bad, provider=bad, prompt=bad, seed=bad, config=bad, code=bad, code_version=bad)
    AgentTracer(bad, bad, "localhost:9").close(0)

    assert "failure" == run.status
    assert "alice" not in caplog.text


class Word(str):
    """A string with ideas of its own, as members of ``class Colour(str, Enum)`` have them."""

    def __str__(self) -> str:
        raise RuntimeError("alice")


def test_a_string_is_what_it_holds() -> None:
    """Whatever its class prints it as: nothing of the program's runs for a name."""
    recording = Recording()
    with recording.tracer.start_run(run_id=Word("r1"), name=Word("a")) as run:
        with run.step("tool", Word("look")) as step:
            step.add_metadata({"tier": Word("gold"), "model": Word("small-1")})
        run.store_memory("x", Word("fact"), 1.0, Word("m1"))

    assert "r1" == run.id
    assert ("look", "gold", "small-1") == tuple(
        recording.attributes("execute_tool look")[key]
        for key in ("agent.step.name", "agent.step.metadata.tier", "gen_ai.request.model")
    )
    memory = recording.attributes("upsert_memory store_memory")
    assert ("m1", "fact") == (memory["agent.memory.id"], memory["agent.memory.kind"])


def test_a_broken_provider_of_the_host_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What OpenTelemetry raises stays out of the host's block, and the block runs."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Breaking())
    tracer = AgentTracer("support", tracer_provider=provider)
    ran = []

    with tracer.start_run() as run, run.step("tool", "x") as step:
        step.add_metadata({"a": 1})
        ran.append(1)

    assert [1] == ran
    assert "agenttracer: start failed with RuntimeError; the program goes on" in caplog.messages
    assert "alice" not in caplog.text


def test_a_broken_provider_does_not_hide_the_hosts_exception() -> None:
    """The host's exception comes through even while the SDK's own work fails."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Breaking())
    tracer = AgentTracer("support", tracer_provider=provider)
    error = ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught, tracer.start_run() as run, run.step("tool", "x"):
        raise error

    assert error is caught.value


def test_a_broken_log_handler_breaks_nothing() -> None:
    """A host whose log handler raises still runs."""

    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("alice")

    handler = Raising()
    guard.logger.addHandler(handler)
    try:
        guard.warn_once("topic", "message")
    finally:
        guard.logger.removeHandler(handler)


def test_warnings_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A process that lives for years remembers, and logs, no more than a thousand of them."""
    for number in range(3000):
        guard.warn_once(f"topic {number}", "message")
        guard.warn_once(f"topic {number}", "message")

    assert 1000 == len(caplog.messages)


def test_an_interruption_of_the_sdk_is_not_swallowed() -> None:
    """Ctrl-C in the SDK's own code is the host's Ctrl-C."""

    @guard.guarded("here")
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
