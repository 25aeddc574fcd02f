"""Brings the pipeline's answers to the event loop: those of a group together, in one wake-up."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

from agenttracer.collector.component import Accepted
from agenttracer.collector.receivers.otlp.delivery import late


class Answers:
    """Answers are given on the pipeline's threads, a group's one after the other; waking the loop for each
    costs more than to hand it the answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[asyncio.Future[Accepted], Future[Accepted]]] = deque()
        self._woken = False

    async def wait_for(self, answer: Future[Accepted], timeout_seconds: float) -> Accepted:
        """The answer, or what it raised; raises ``Unavailable`` when it takes too long. A client that goes
        away ends its wait, not the rows' way into the journal."""
        waiting: asyncio.Future[Accepted] = self._loop.create_future()
        answer.add_done_callback(lambda done: self._arrive(waiting, done))
        timer = self._loop.call_later(timeout_seconds, _expire, waiting)
        try:
            return await waiting
        finally:
            timer.cancel()

    def _arrive(self, waiting: asyncio.Future[Accepted], answer: Future[Accepted]) -> None:
        self._arrived.append((waiting, answer))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        # First, so that an answer which comes while these are handed out wakes the loop again.
        self._woken = False
        while self._arrived:
            waiting, answer = self._arrived.popleft()
            if waiting.done():
                continue
            error = answer.exception()
            if error is None:
                waiting.set_result(answer.result())
            else:
                waiting.set_exception(error)


def _expire(waiting: asyncio.Future[Accepted]) -> None:
    if not waiting.done():
        waiting.set_exception(late())
