"""How a run looks from outside: its root span, its events, how it ends."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.trace import StatusCode

from agenttracer.instrumentation import guard
from tests.sdk_fakes import Recording


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


@pytest.fixture
def recording() -> Recording:
    """A tracer that records into memory."""
    return Recording()


def test_a_run_is_a_root_span_that_says_who_acted(recording: Recording) -> None:
    """The root span names the agent, its version, the run and its outcome, by the GenAI conventions."""
    with recording.tracer.start_run(name="nightly", run_id="order-17", metadata={"shard": 3}) as run:
        pass

    assert "order-17" == run.id
    assert {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": "support",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.version": "1.2.3",
        "agent.run.id": "order-17",
        "agent.run.name": "nightly",
        "agent.run.status": "success",
        "agent.run.metadata.shard": 3,
    } == recording.root
    assert recording.span("invoke_agent support").parent is None
    assert StatusCode.UNSET is recording.span("invoke_agent support").status.status_code


def test_a_run_gets_a_uuid_of_its_own(recording: Recording) -> None:
    """Without an id given, every run has a random UUID."""
    first, second = recording.tracer.start_run(), recording.tracer.start_run()

    assert 4 == UUID(first.id).version
    assert first.id != second.id


@pytest.mark.parametrize("refused", ["with a blank", "bob@example.com", "", "x" * 129, object()])
def test_a_run_id_that_may_be_content_is_replaced(
    recording: Recording, caplog: pytest.LogCaptureFixture, refused: object
) -> None:
    """An id that is no label is not sent; the run has a UUID and the warning does not quote the id."""
    run = recording.tracer.start_run(run_id=refused)  # type: ignore[arg-type]

    assert 4 == UUID(run.id).version
    assert ["agenttracer: a run id was refused: not a label; a new one is used"] == caplog.messages


def test_user_and_conversation_stand_on_the_root_alone(recording: Recording) -> None:
    """Who and which session are for the collector to hash; they are sent once."""
    with (
        recording.tracer.start_run(user_id="u-17", conversation_id="c-1") as run,
        run.step("plan", "choose"),
    ):
        pass

    assert ("u-17", "c-1") == (recording.root["user.id"], recording.root["gen_ai.conversation.id"])
    assert not {"user.id", "gen_ai.conversation.id"} & recording.attributes("plan choose").keys()


def test_an_exception_of_the_host_passes_unchanged(recording: Recording) -> None:
    """The very exception is re-raised; the span has its class name and no text of it, in no place."""
    error = ValueError("the secret of alice")

    with pytest.raises(ValueError, match="the secret of alice") as caught, recording.tracer.start_run():
        raise error

    span = recording.span("invoke_agent support")
    assert error is caught.value
    assert ("failure", "ValueError") == (recording.root["agent.run.status"], recording.root["error.type"])
    assert ("orchestration", "error") == _failure(recording)
    assert (StatusCode.ERROR, None) == (span.status.status_code, span.status.description)
    assert [] == list(span.events)
    assert "alice" not in span.to_json()


def _failure(recording: Recording) -> tuple[object, object]:
    return recording.root.get("agent.failure.type"), recording.root.get("agent.failure.code")


@pytest.mark.parametrize(
    ("recovered", "status", "code"),
    [(False, "failure", StatusCode.ERROR), (True, "partial", StatusCode.UNSET)],
)
def test_record_failure_decides_the_outcome(
    recording: Recording, recovered: bool, status: str, code: StatusCode
) -> None:
    """A recorded failure makes the run a failure; a recovered one makes it partial. The message stays here."""
    with recording.tracer.start_run() as run:
        run.record_failure("tool", "timeout", message="no answer for alice", recovered=recovered)

    assert status == run.status == recording.root["agent.run.status"]
    assert ("tool", "timeout") == _failure(recording)
    assert code is recording.span("invoke_agent support").status.status_code
    assert "alice" not in recording.span("invoke_agent support").to_json()


def test_the_message_of_a_failure_is_sent_on_request() -> None:
    """``send_error_messages=True`` sends it, cut at 1024 characters."""
    recording = Recording(send_error_messages=True)

    with recording.tracer.start_run() as run:
        run.record_failure("tool", "timeout", message="m" * 2000)

    assert "m" * 1024 == recording.root["agent.failure.message"]


def test_unknown_failure_words_become_error(recording: Recording, caplog: pytest.LogCaptureFixture) -> None:
    """The lists are closed: unknown words become ``orchestration`` and ``error``, with a warning each."""
    with recording.tracer.start_run() as run:
        run.record_failure("gremlins", "because alice said so")

    assert ("orchestration", "error") == _failure(recording)
    assert 2 == len(caplog.messages)
    assert "alice" not in caplog.text


def test_a_failed_step_makes_a_good_run_partial(recording: Recording) -> None:
    """A step that failed, in a run that ended well, is neither success nor failure."""
    with recording.tracer.start_run() as run:
        with pytest.raises(KeyError), run.step("plan", "outer"), run.step("tool", "inner"):
            raise KeyError("x")
        with run.step("respond", "answer"):
            pass

    assert "partial" == recording.root["agent.run.status"]
    assert (None, None) == _failure(recording)


def test_a_status_that_was_set_wins_over_what_is_derived(recording: Recording) -> None:
    """``set_status`` overrides failures of steps and recorded ones; aliases count; states that are no end don't."""
    with recording.tracer.start_run() as run:
        run.record_failure("tool", "timeout")
        run.set_status("completed")
        run.set_status("running")

    assert "success" == recording.root["agent.run.status"]


def test_a_raised_exception_wins_over_a_status_that_was_set(recording: Recording) -> None:
    """What raised did not end well, whatever was said before."""

    def work() -> None:
        with recording.tracer.start_run() as run:
            run.set_status("success")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()

    assert "failure" == recording.root["agent.run.status"]


def test_a_run_is_visible_before_it_ends(recording: Recording) -> None:
    """Queued and started are events of their own, with the run's id; started has the root span's ids."""
    run_id = recording.tracer.queue_run()
    with recording.tracer.start_run(run_id=run_id):
        events = recording.events

    root = recording.span("invoke_agent support").context
    assert ["agent.run.queued", "agent.run.started"] == [event.event_name for event in events]
    assert ["queued", "running"] == [event.attributes["agent.run.status"] for event in events]
    assert {run_id} == {event.attributes["agent.run.id"] for event in events}
    assert {"support"} == {event.attributes["gen_ai.agent.name"] for event in events}
    assert root is not None
    assert (root.trace_id, root.span_id) == (events[1].trace_id, events[1].span_id)


def test_cancel_ends_a_run_as_cancelled_once(recording: Recording) -> None:
    """One event at once, the status at the end; a second call adds nothing."""
    with recording.tracer.start_run() as run:
        run.cancel()
        run.set_status("cancelled")
        run.set_status("success")

    assert "cancelled" == run.status == recording.root["agent.run.status"]
    assert ["agent.run.started", "agent.run.cancelled"] == [event.event_name for event in recording.events]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_an_interruption_cancels_the_run(recording: Recording, interruption: type[BaseException]) -> None:
    """Who stops a run on purpose has not seen it fail; the interruption itself goes on its way."""
    with pytest.raises(interruption), recording.tracer.start_run() as run, run.step("tool", "slow"):
        raise interruption

    assert "cancelled" == run.status == recording.root["agent.run.status"]
    assert (None, None) == _failure(recording)
    assert "cancelled" == recording.attributes("execute_tool slow")["agent.failure.code"]
    assert "agent.run.cancelled" == recording.events[-1].event_name


def test_a_clean_exit_inside_a_run_is_no_failure(recording: Recording) -> None:
    """``sys.exit(0)`` is how a program ends well."""
    with pytest.raises(SystemExit), recording.tracer.start_run():
        raise SystemExit(0)

    assert "success" == recording.root["agent.run.status"]


def test_a_run_within_a_run_is_its_own(recording: Recording) -> None:
    """A sub-agent's run joins the trace but keeps its own id, steps and outcome."""

    def delegate() -> None:
        with recording.tracer.start_run(run_id="inner") as inner:
            with inner.step("plan", "think"):
                pass
            raise LookupError

    with (
        recording.tracer.start_run(run_id="outer") as outer,
        outer.step("agent", "delegate"),
        pytest.raises(LookupError),
    ):
        delegate()

    by_run: dict[str, Any] = {
        (span.attributes or {})["agent.run.id"]: span for span in recording.spans if "support" in span.name
    }
    assert "inner" == recording.attributes("plan think")["agent.run.id"]
    assert "success" == outer.status == by_run["outer"].attributes["agent.run.status"]
    assert "failure" == by_run["inner"].attributes["agent.run.status"]
    assert by_run["outer"].context.trace_id == by_run["inner"].context.trace_id


def test_spans_of_others_inside_a_run_get_its_id(recording: Recording) -> None:
    """What other instrumentations record inside a run carries its id and agent; their own names stay."""
    other = recording.tracer_provider.get_tracer("other")
    with recording.tracer.start_run(run_id="r1") as run, run.step("tool", "http"):
        with other.start_as_current_span("GET"):
            pass
        with other.start_as_current_span("sub", attributes={"gen_ai.agent.name": "helper"}):
            pass
    with other.start_as_current_span("outside"):
        pass

    assert {"agent.run.id": "r1", "gen_ai.agent.name": "support"} == recording.attributes("GET")
    assert "helper" == recording.attributes("sub")["gen_ai.agent.name"]
    assert {} == recording.attributes("outside")


def test_a_run_inside_the_programs_own_span_joins_its_trace(recording: Recording) -> None:
    """The program's span around a run is the root span's parent."""
    with (
        recording.tracer_provider.get_tracer("web").start_as_current_span("POST /ask"),
        recording.tracer.start_run(),
    ):
        pass

    assert recording.span("POST /ask").context == recording.span("invoke_agent support").parent


def test_a_run_in_a_generator_ends_with_it(recording: Recording) -> None:
    """Closing a half-read stream ends the run inside it as cancelled."""

    def stream() -> Iterator[int]:
        with recording.tracer.start_run():
            yield 1
            yield 2

    chunks = stream()
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]

    assert "cancelled" == recording.root["agent.run.status"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ({"gen_ai.operation.name": "execute_tool"}, "partial"),
        ({"openinference.span.kind": "LLM"}, "partial"),
        ({"openinference.span.kind": "AGENT"}, "success"),
        ({"http.request.method": "GET"}, "success"),
    ],
)
def test_a_failed_call_that_others_tell_of_makes_the_run_partial(
    recording: Recording, kind: dict[str, str], status: str
) -> None:
    """A framework's own span of a tool counts like a step; one of its containers, or of a database, does not."""
    others = recording.tracer_provider.get_tracer("framework")

    with recording.tracer.start_run() as run, others.start_as_current_span("x", attributes=kind) as span:
        span.set_status(StatusCode.ERROR)

    assert status == run.status


def test_a_call_that_a_later_attempt_makes_good_is_forgotten(recording: Recording) -> None:
    """A framework's failed call in the first try of a step leaves no mark on a run that went well."""
    others = recording.tracer_provider.get_tracer("framework")

    with recording.tracer.start_run() as run:
        for attempt in run.attempts("ask", 2):
            with attempt, others.start_as_current_span("x", attributes={"gen_ai.operation.name": "chat"}):
                if attempt.number == 1:
                    raise TimeoutError

    assert "success" == run.status
