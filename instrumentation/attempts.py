"""Tries of one step, each a span of its own, until one succeeds.

for attempt in run.attempts("call_api", 3):
    with attempt as step:
        call_api()               # an exception ends the attempt; the third one's is raised
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from agenttracer.instrumentation.guard import guarded

if TYPE_CHECKING:
    from agenttracer.instrumentation.step import Step


class Attempt:
    """One try: its step, as a context manager that lets no ``Exception`` out unless it is the last."""

    def __init__(self, number: int, step: Step, earlier: Sequence[Step], is_last: bool) -> None:
        self.number = number
        self.step = step
        self.is_last = is_last
        self.succeeded = False
        self._earlier = earlier

    def __enter__(self) -> Step:
        return self.step.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.step.__exit__(kind, exception, traceback)
        # ``step.fail`` without an exception is a failed try too.
        self.succeeded = exception is None and not self.step.has_failed
        if self.succeeded:
            self._take_back_failures()
        return isinstance(exception, Exception) and not self.is_last

    async def __aenter__(self) -> Step:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self.__exit__(kind, exception, traceback)

    @guarded("attempts")
    def _take_back_failures(self) -> None:
        outer = self.step.outer
        if outer is not None:
            outer.add_failures(-sum(step.failures for step in self._earlier))


def attempts(make_step: Callable[[int], Step], count: int) -> Iterator[Attempt]:
    """Attempts 1 to ``count``, at least one; a success ends them and makes good the failures before it."""
    earlier: list[Step] = []
    last = max(1, count)
    for number in range(1, last + 1):
        attempt = Attempt(number, make_step(number), earlier, is_last=number == last)
        yield attempt
        if attempt.succeeded:
            return
        earlier.append(attempt.step)
