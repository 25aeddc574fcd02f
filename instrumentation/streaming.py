"""Streams: how long until the first piece, how many pieces; and steps around generators.

A generator's step is the current one only while the generator's own code runs, never while its consumer does.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from time import monotonic
from typing import TYPE_CHECKING, Any

from agenttracer.instrumentation.span_block import SpanBlock
from agenttracer.schemas import semconv

if TYPE_CHECKING:
    from agenttracer.instrumentation.step import Step


class Chunks:
    """The pieces of a stream so far."""

    __slots__ = ("_count", "_first")

    def __init__(self) -> None:
        self._count = 0
        self._first = 0.0

    def add(self) -> None:
        """One more piece."""
        if self._count == 0:
            self._first = monotonic()
        self._count += 1

    def attributes(self, started: float) -> dict[str, int | float]:
        """What the step says about its stream; ``started`` on the monotonic clock."""
        return {
            semconv.AGENT_STEP_CHUNK_COUNT: self._count,
            semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: self._first - started,
        }


def count_chunks(step: Step, chunks: Any) -> Any:
    """An iterator over the same pieces, which counts them; async where the stream is."""
    return _count_async(step, chunks) if hasattr(chunks, "__aiter__") else _count(step, chunks)


def _count(step: Step, chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        step.chunk()
        yield chunk


async def _count_async(step: Step, chunks: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        step.chunk()
        yield chunk


def drive(
    block: SpanBlock, generator: Generator[Any, Any, Any], chunk: Callable[[], None]
) -> Generator[Any, Any, Any]:
    """A generator that runs another inside a block, passing on all that is sent, thrown and returned."""
    block.start()
    step: Callable[[Any], Any] = generator.send
    value: Any = None
    try:
        while True:
            try:
                with block.active():
                    item = step(value)
            except StopIteration as stop:
                block.end()
                return stop.value
            chunk()
            try:
                step, value = generator.send, (yield item)
            except GeneratorExit:  # the consumer has had enough, which is no failure
                with block.active():
                    generator.close()
                block.end()
                raise
            except BaseException as error:
                step, value = generator.throw, error
    except BaseException as error:
        block.end(error)
        raise


async def drive_async(
    block: SpanBlock, generator: AsyncGenerator[Any, Any], chunk: Callable[[], None]
) -> AsyncGenerator[Any, Any]:
    """The same for an async generator."""
    block.start()
    step: Callable[[Any], Any] = generator.asend
    value: Any = None
    try:
        while True:
            try:
                with block.active():
                    item = await step(value)
            except StopAsyncIteration:
                block.end()
                return
            chunk()
            try:
                step, value = generator.asend, (yield item)
            except GeneratorExit:
                with block.active():
                    await generator.aclose()
                block.end()
                raise
            except BaseException as error:
                step, value = generator.athrow, error
    except BaseException as error:
        block.end(error)
        raise
