"""How steps look from outside: names, order, nesting, threads, attempts, failures, metadata."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.run import Run
from agenttracer.instrumentation.step import Step
from tests.sdk_fakes import Recording


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


@pytest.fixture
def recording() -> Recording:
    """A tracer that records into memory."""
    return Recording()


@pytest.mark.parametrize(
    ("step_type", "span_name", "operation", "kind"),
    [
        ("plan", "plan x", "plan", SpanKind.INTERNAL),
        ("retrieve", "retrieval x", "retrieval", SpanKind.CLIENT),
        ("model", "chat x", "chat", SpanKind.CLIENT),
        ("tool", "execute_tool x", "execute_tool", SpanKind.INTERNAL),
        ("respond", "chat x", "chat", SpanKind.CLIENT),
        ("memory", "memory x", None, SpanKind.INTERNAL),
        ("agent", "invoke_agent x", "invoke_agent", SpanKind.INTERNAL),
        ("other", "other x", None, SpanKind.INTERNAL),
    ],
)
def test_each_step_type_is_named_by_the_conventions(
    recording: Recording, step_type: str, span_name: str, operation: str | None, kind: SpanKind
) -> None:
    """Span names and operations are OpenTelemetry's where it has them; type and name are always ours too."""
    with recording.tracer.start_run(run_id="r1") as run, run.step(step_type, "x"):
        pass

    attributes = recording.attributes(span_name)
    assert kind is recording.span(span_name).kind
    assert operation == attributes.get("gen_ai.operation.name")
    assert (step_type, "x", 1) == tuple(
        attributes[f"agent.step.{key}"] for key in ("type", "name", "sequence")
    )
    agent = "x" if step_type == "agent" else "support"  # another agent of the run goes by its own name
    assert ("r1", agent) == (attributes["agent.run.id"], attributes["gen_ai.agent.name"])
    assert ("x" if step_type == "tool" else None) == attributes.get("gen_ai.tool.name")
    assert StatusCode.UNSET is recording.span(span_name).status.status_code


def test_an_unknown_step_type_is_other_with_one_warning(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    """Words outside the list are recorded as ``other``; the log says so once."""
    with recording.tracer.start_run() as run:
        for word in ("dance", "sing", None):
            with run.step(word, "x") as step:  # type: ignore[arg-type]
                assert "other" == step.type

    assert 1 == len(caplog.messages)


def test_a_name_that_may_be_content_is_replaced_by_the_type(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    """A sentence, an address or a number of somebody is no name; the warning does not quote it."""
    with recording.tracer.start_run() as run:
        for name in ("Where is the parcel of alice today?", "bob@example.com", "4111 1111 1111 1111", 7):
            with run.step("tool", name):  # type: ignore[arg-type]
                pass

    assert {"tool"} == {recording.spans[index].attributes["agent.step.name"] for index in range(4)}  # type: ignore[index]
    assert ["agenttracer: a step name was refused: not a name of up to four words"] == caplog.messages


def test_steps_nest_where_the_code_nests(recording: Recording) -> None:
    """``run.step`` inside a step is its child, else the run's; ``step.step`` is the step's child anywhere."""
    with recording.tracer.start_run() as run:
        with run.step("plan", "a") as a, run.step("model", "b"):
            pass
        with run.step("tool", "c"), a.step("other", "d"):
            pass

    parents = {span.name: span.parent for span in recording.spans}
    root, a_span = recording.span("invoke_agent support"), recording.span("plan a")
    assert (root.context, a_span.context) == (parents["plan a"], parents["chat b"])
    assert (root.context, a_span.context) == (parents["execute_tool c"], parents["other d"])


def test_parallel_steps_in_threads_belong_to_the_run(recording: Recording) -> None:
    """Threads have a context of their own; the run gives their steps its parent, its id and distinct places."""

    def work(run: Run, index: int) -> None:
        with run.step("tool", f"t{index}"), run.step("model", f"m{index}"):
            pass

    with recording.tracer.start_run(run_id="r1") as run, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda index: work(run, index), range(20)))

    steps = [span for span in recording.spans if "support" not in span.name]
    root = recording.span("invoke_agent support").context
    assert set(range(1, 41)) == {(span.attributes or {})["agent.step.sequence"] for span in steps}
    assert all(root == span.parent for span in steps if span.name.startswith("execute_tool"))
    assert recording.span("execute_tool t7").context == recording.span("chat m7").parent
    assert {"r1"} == {(span.attributes or {})["agent.run.id"] for span in steps}


def test_asyncio_tasks_keep_their_own_place(recording: Recording) -> None:
    """Steps of concurrent tasks nest within their own task's step, not another's."""

    async def work(run: Run, name: str) -> None:
        with run.step("tool", name):
            await asyncio.sleep(0)
            with run.step("model", f"in_{name}"):
                await asyncio.sleep(0)

    async def main() -> None:
        with recording.tracer.start_run() as run:
            await asyncio.gather(work(run, "a"), work(run, "b"))

    asyncio.run(main())

    assert recording.span("execute_tool a").context == recording.span("chat in_a").parent
    assert recording.span("execute_tool b").context == recording.span("chat in_b").parent


def test_a_failure_belongs_to_the_step_that_failed_first(recording: Recording) -> None:
    """The innermost step has type and code; the steps and the run around it have the class name alone."""
    with pytest.raises(TimeoutError), recording.tracer.start_run() as run:  # noqa: SIM117
        with run.step("agent", "outer"), run.step("tool", "inner"):
            raise TimeoutError("alice")

    inner, outer = recording.attributes("execute_tool inner"), recording.attributes("invoke_agent outer")
    assert ("tool", "timeout") == (inner["agent.failure.type"], inner["agent.failure.code"])
    assert {"TimeoutError"} == {each["error.type"] for each in (inner, outer, recording.root)}
    assert not any("agent.failure.code" in each for each in (outer, recording.root))
    assert {StatusCode.ERROR} == {span.status.status_code for span in recording.spans}
    assert "alice" not in "".join(span.to_json() for span in recording.spans)


def test_a_new_exception_of_the_outer_step_is_its_own(recording: Recording) -> None:
    """An outer step that turns a failure into another has failed in its own right, by the first one's cause."""

    def work(run: Run) -> None:
        with run.step("plan", "outer"):
            try:
                with run.step("tool", "inner"):
                    raise ConnectionResetError
            except ConnectionResetError as error:
                raise RuntimeError from error

    with recording.tracer.start_run() as run, pytest.raises(RuntimeError):
        work(run)

    outer = recording.attributes("plan outer")
    assert ("orchestration", "connection") == (outer["agent.failure.type"], outer["agent.failure.code"])


def test_fail_marks_a_step_without_an_exception(recording: Recording) -> None:
    """``fail`` gives the code, and the step's own type or the one named as failure type."""
    with recording.tracer.start_run() as run:
        with run.step("retrieve", "kb") as step:
            step.fail("empty_retrieval")
        with run.step("respond", "answer") as step:
            step.fail("guardrail_blocked", type="orchestration")

    first, second = recording.attributes("retrieval kb"), recording.attributes("chat answer")
    assert ("retrieval", "empty_retrieval") == (first["agent.failure.type"], first["agent.failure.code"])
    assert ("orchestration", "guardrail_blocked") == (
        second["agent.failure.type"],
        second["agent.failure.code"],
    )
    assert "empty_retrieval" == first["error.type"]
    assert "partial" == run.status


def test_metadata_goes_under_its_standard_names(recording: Recording) -> None:
    """Well-known keys have the conventions' names, others a prefix; the model renames its span."""
    with recording.tracer.start_run() as run, run.step("respond", "answer") as step:
        step.add_metadata(
            {"model": "openai/small-1", "provider": "openai", "input_tokens": 12, "tier": "gold"}
        )
        step.add_metadata(
            {"output_tokens": 3, "finish_reason": "stop", "cached": True, "score": 0.5, "none": None}
        )

    attributes = recording.attributes("chat openai/small-1")
    assert "answer" == attributes["agent.step.name"]
    assert {
        "gen_ai.request.model": "openai/small-1",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ("stop",),
        "agent.step.metadata.tier": "gold",
        "agent.step.metadata.cached": True,
        "agent.step.metadata.score": 0.5,
    }.items() <= attributes.items()
    assert "agent.step.metadata.none" not in attributes


def test_attempts_go_on_until_one_succeeds(recording: Recording) -> None:
    """Each try is a step with its number; what was made good leaves the run a success."""
    with recording.tracer.start_run() as run:
        for attempt in run.attempts("call_api", 5):
            with attempt as step:
                if len(recording.spans) < 2:
                    raise ConnectionError("alice")
                step.add_metadata({"http_status": 200})

    tries: list[Any] = [span.attributes for span in recording.spans if span.name == "execute_tool call_api"]
    assert [1, 2, 3] == [each["agent.step.attempt"] for each in tries]
    assert ["connection", "connection", None] == [each.get("agent.failure.code") for each in tries]
    assert 200 == tries[2]["http.response.status_code"]
    assert "success" == run.status


def test_leaving_the_loop_by_break_counts_as_a_success(recording: Recording) -> None:
    """A ``break`` within the last try, as hand-written retries have it, makes the earlier ones good too."""
    with recording.tracer.start_run() as run:
        for attempt in run.attempts("call_api", 3, type="model"):
            with attempt:
                if len(recording.spans) == 0:
                    raise TimeoutError
                break

    assert 2 == sum(span.name == "chat call_api" for span in recording.spans)
    assert "success" == run.status


def test_the_last_attempts_exception_is_raised(recording: Recording) -> None:
    """When no try succeeds the host gets its own last exception, and the run fails."""
    texts = iter(("first", "second", "third"))

    with pytest.raises(TimeoutError, match="third"), recording.tracer.start_run() as run:
        _fail_every_attempt(run, lambda: TimeoutError(next(texts)))

    assert 3 == sum(span.name == "execute_tool call_api" for span in recording.spans)
    assert "failure" == recording.root["agent.run.status"]


def _fail_every_attempt(parent: Run | Step, error: Callable[[], BaseException]) -> None:
    for attempt in parent.attempts("call_api", 3):
        with attempt:
            raise error()


def test_attempts_that_all_failed_leave_a_handled_run_partial(recording: Recording) -> None:
    """A host that lives with the failure of every try has a partial run."""
    with recording.tracer.start_run() as run, run.step("plan", "outer") as outer, pytest.raises(TimeoutError):
        _fail_every_attempt(outer, TimeoutError)

    assert "partial" == run.status


def test_an_interruption_is_not_retried(recording: Recording) -> None:
    """Only an ``Exception`` starts the next try; being stopped does not."""
    with pytest.raises(KeyboardInterrupt), recording.tracer.start_run() as run:
        _fail_every_attempt(run, KeyboardInterrupt)

    assert 1 == sum(span.name == "execute_tool call_api" for span in recording.spans)


def test_a_step_can_be_started_and_ended_by_hand(recording: Recording) -> None:
    """Code that can't use ``with`` calls ``start`` and ``end``; a second ``end`` changes nothing."""
    with recording.tracer.start_run() as run:
        step = run.step("model", "stream")
        step.start()
        step.end(TimeoutError())
        step.end()

    assert "timeout" == recording.attributes("chat stream")["agent.failure.code"]
