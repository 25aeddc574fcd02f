"""Tries of one step, each a span of its own, until one succeeds.

for attempt in run.attempts("call_api", 3):
    with attempt as step:
        call_api()               # an exception ends the attempt; the third one's is raised
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from agenttracer.instrumentation.run_context import Position

if TYPE_CHECKING:
    from agenttracer.instrumentation.step import Step


class Attempt:
    """One try: its step, as a context manager that lets no ``Exception`` out unless it is the last."""

    def __init__(self, step: Step, is_last: bool) -> None:
        self.step = step
        self.is_last = is_last
        self.succeeded = False

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
        return isinstance(exception, Exception) and not self.is_last


def attempts(make_step: Callable[[int], Step], outer: Position, count: int) -> Iterator[Attempt]:
    """Attempts 1 to ``count``; a success ends them and takes back the failures of those before it."""
    recovered = 0
    for number in range(1, count + 1):
        attempt = Attempt(make_step(number), is_last=number == count)
        yield attempt
        if attempt.succeeded:
            outer.add_failures(-recovered)
            return
        recovered += attempt.step.failures
