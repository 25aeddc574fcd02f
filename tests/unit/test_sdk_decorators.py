"""Decorated functions: each call a step, whatever kind of function, and nothing about it changes for its caller."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from agenttracer import agent, current_run, current_step, model, plan, retrieve, step, tool
from agenttracer.instrumentation import guard
from tests.sdk_fakes import Recording


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


@pytest.fixture
def recording() -> Recording:
    """A tracer that records into memory; as the newest, it is the decorators' own."""
    return Recording()


def test_a_function_is_a_step_of_the_run_around_it(recording: Recording) -> None:
    """Named after the function or as told, of the type told, with metadata; its result passes through."""

    @tool
    def search_kb(question: str) -> str:
        current_step().add_metadata({"result_count": 3})
        return question.upper()

    @step("plan", "choose", metadata={"tries": 2})
    def plan_it() -> str:
        return search_kb("where?")

    with recording.tracer.start_run():
        assert "WHERE?" == plan_it()

    assert ["execute_tool search_kb", "plan choose"] == [span.name for span in recording.spans][:2]
    assert 3 == recording.attributes("execute_tool search_kb")["agent.retrieval.document_count"]
    assert 2 == recording.attributes("plan choose")["agent.step.metadata.tries"]
    outer = recording.span("plan choose")
    assert outer.context.span_id == recording.span("execute_tool search_kb").parent.span_id  # type: ignore[union-attr]
    assert "search_kb" == search_kb.__name__


def test_an_agent_is_a_run_and_a_step_inside_another(recording: Recording) -> None:
    """The outer call is a run; a second agent that it calls is a hand-over within it."""

    @agent("billing")
    def billing() -> str:
        return current_run().id

    @agent
    def support() -> tuple[str, str]:
        return current_run().id, billing()

    outer, inner = support()

    assert outer == inner
    assert "support" == recording.root["agent.run.name"]
    assert "agent" == recording.attributes("invoke_agent billing")["agent.step.type"]


def test_outside_a_run_a_function_runs_as_it_is(recording: Recording) -> None:
    """Steps without a run are nobody's; the current run and step are there to call, and go nowhere."""

    @retrieve("kb")
    def look_up() -> int:
        current_step().add_metadata({"result_count": 1})
        current_run().record_metric("x", 1)
        return 7

    assert 7 == look_up()
    assert () == recording.spans
    assert [] == recording.events


def test_an_exception_passes_unchanged(recording: Recording) -> None:
    """The same object, with the host's own frames in its traceback, and the failure on the step."""
    error = TimeoutError("secret")

    @tool
    def broken() -> None:
        raise error

    with pytest.raises(TimeoutError) as caught, recording.tracer.start_run():
        broken()

    assert error is caught.value
    assert error.__cause__ is error.__context__ is None
    assert "broken" == traceback.extract_tb(error.__traceback__)[-1].name
    assert "timeout" == recording.attributes("execute_tool broken")["agent.failure.code"]


def test_coroutines_run_side_by_side_each_in_its_step(recording: Recording) -> None:
    """Under ``gather`` every task's inner step has its own outer one."""

    @tool("inner")
    async def inner(number: int) -> None:
        await asyncio.sleep(0.001 * (3 - number))

    @plan("outer")
    async def outer(number: int) -> None:
        await asyncio.sleep(0)
        await inner(number)

    async def main() -> None:
        async with recording.tracer.start_run() as run:
            await asyncio.gather(*(outer(number) for number in range(3)))
            async with run.step("respond", "answer"):
                pass

    asyncio.run(main())

    parents = [span.parent.span_id for span in recording.spans if span.name == "execute_tool inner"]  # type: ignore[union-attr]
    outers = {span.context.span_id for span in recording.spans if span.name == "plan outer"}  # type: ignore[union-attr]
    assert (3, outers) == (len(parents), set(parents))


def test_threads_with_a_copied_context_stay_in_the_step(recording: Recording) -> None:
    """``contextvars.copy_context`` carries the step into a pool's thread, as it does for any library."""

    @tool
    def work() -> None:
        pass

    @plan
    def spread() -> None:
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(copy_context().run, work) for _ in range(2)]:
                done.result()

    with recording.tracer.start_run():
        spread()

    parent = recording.span("plan spread").context.span_id  # type: ignore[union-attr]
    assert [parent] * 2 == [
        span.parent.span_id
        for span in recording.spans
        if span.name == "execute_tool work"  # type: ignore[union-attr]
    ]


def test_a_generator_is_a_stream(recording: Recording) -> None:
    """Its step ends with it, counts the pieces, and knows how long the first took; values go both ways."""

    @tool
    def inner() -> None:
        pass

    @model("answer")
    def answer() -> Generator[str, str, int]:
        heard = yield "a"
        inner()
        yield heard + "b"
        return 7

    def consume() -> Iterator[str]:
        result = yield from answer()  # type: ignore[misc]
        assert 7 == result

    with recording.tracer.start_run():
        stream = consume()
        assert "a" == next(stream)
        assert "none" == current_step().name  # the consumer isn't inside the generator's step
        assert "xb" == stream.send("x")  # type: ignore[attr-defined]
        assert [] == list(stream)

    parent = recording.span("execute_tool inner").parent
    assert recording.span("chat answer").context.span_id == parent.span_id  # type: ignore[union-attr]
    attributes = recording.attributes("chat answer")
    assert 2 == attributes["agent.step.chunk_count"]
    assert 0 <= attributes["gen_ai.response.time_to_first_chunk"] < 5
    assert "agent.failure.code" not in attributes


def test_a_consumer_may_stop_early_or_throw(recording: Recording) -> None:
    """Stopping is no failure and runs the generator's clean-up; what is thrown in reaches it."""
    cleaned: list[str] = []

    @model("m")
    def answer(number: int) -> Generator[int, None, None]:
        try:
            yield from range(number, number + 9)
        except KeyError:
            cleaned.append("thrown")
            raise
        finally:
            cleaned.append("closed")

    with recording.tracer.start_run():
        first = answer(0)
        next(first)
        first.close()
        second = answer(1)
        next(second)
        with pytest.raises(KeyError):
            second.throw(KeyError("x"))

    assert ["closed", "thrown", "closed"] == cleaned
    stopped, failed = (dict(span.attributes or {}) for span in recording.spans if span.name == "chat m")
    assert "agent.failure.code" not in stopped
    assert "error" == failed["agent.failure.code"]


def test_async_generators_stream_too(recording: Recording) -> None:
    """To the end, and when the consumer stops early; steps inside belong to the generator's."""

    @tool
    async def inner() -> None:
        pass

    @model("m")
    async def answer() -> AsyncIterator[int]:
        for number in range(3):
            await inner()
            yield number

    async def main() -> list[int]:
        with recording.tracer.start_run():
            everything = [number async for number in answer()]
            async for _ in (stopped := answer()):
                break
            await stopped.aclose()  # type: ignore[attr-defined]
            return everything

    assert [0, 1, 2] == asyncio.run(main())
    counts = [
        dict(span.attributes or {})["agent.step.chunk_count"]
        for span in recording.spans
        if span.name == "chat m"
    ]
    assert [3, 1] == counts
    models = {span.context.span_id for span in recording.spans if span.name == "chat m"}  # type: ignore[union-attr]
    assert models == {
        span.parent.span_id
        for span in recording.spans
        if span.name == "execute_tool inner"  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("is_async", [False, True])
def test_a_clients_stream_can_be_counted(recording: Recording, is_async: bool) -> None:
    """``step.stream`` passes on what any iterable yields, or raises."""

    async def pieces() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def consume(stream: Any) -> list[int]:
        return [piece async for piece in stream]

    with recording.tracer.start_run() as run, run.step("model", "m") as open_step:
        stream = open_step.stream(pieces() if is_async else iter([1, 2]))
        assert [1, 2] == (asyncio.run(consume(stream)) if is_async else list(stream))

    assert 2 == recording.attributes("chat m")["agent.step.chunk_count"]


def test_cancelling_a_task_passes_through_a_step(recording: Recording) -> None:
    """``asyncio`` sees its cancellation; the run is cancelled, not failed."""

    @tool
    async def slow() -> None:
        await asyncio.sleep(30)

    async def main() -> None:
        async def work() -> None:
            async with recording.tracer.start_run():
                await slow()

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert "cancelled" == recording.root["agent.run.status"]
    assert "agent.run.cancelled" == recording.events[-1].event_name


def test_attempts_work_in_async_code_and_count_retries(recording: Recording) -> None:
    """``async with`` on each attempt; the run says how many tries came after the first."""

    async def main() -> None:
        async with recording.tracer.start_run() as run:
            for attempt in run.attempts("api", 3):
                async with attempt:
                    if attempt.number < 3:
                        raise TimeoutError

    asyncio.run(main())

    assert ("success", 2) == (recording.root["agent.run.status"], recording.root["agent.retry.count"])
