"""The SDK never raises into its host, whatever the host or OpenTelemetry does to it."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from agenttracer import AgentTracer
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
    run.set_status("partial")
    run.cancel()

    assert "failure" == run.status
    assert "alice" not in caplog.text


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
