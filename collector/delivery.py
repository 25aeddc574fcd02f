"""From the journal to one exporter: claim → export → advance, with retries that never give data up.

journal ──claim──▶ unpack ──▶ exporter.export ─┬─ returned      → advance
                                               ├─ Unavailable   → wait, the same rows again
                                               ├─ Rejected      → one group at a time, then dead letters
                                               └─ anything else → a bug: a few tries, then as Rejected
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from agenttracer.collector.bug_report import report_bug
from agenttracer.collector.codec import DamagedError, unpack
from agenttracer.collector.component import Exporter
from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.collector.journal import Claim, Journal
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Signal

_log = logging.getLogger("agenttracer.delivery")
_BUG_ATTEMPTS = 5
_LOOKS_PER_FLUSH = 5
_REPLAYED_SECONDS = 5.0
T = TypeVar("T")
_LAST_ATTEMPT_SECONDS = 10.0


class _StoppedError(Exception):
    """The collector stops between two attempts; the claim is taken up again at the next start."""


class Delivery:
    """One exporter's way through one pipeline's groups, in its own task."""

    def __init__(
        self, pipeline: str, signal: Signal, exporter: Exporter[Any], journal: Journal, telemetry: Telemetry
    ) -> None:
        self.pipeline = pipeline
        self.signal = signal
        self.exporter = exporter
        self.journal = journal
        self.telemetry = telemetry
        self._id = exporter.context.id
        self._appended = asyncio.Event()
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with what the journal holds from before."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not self._appended.is_set():
                loop.call_soon_threadsafe(self._appended.set)

        self.journal.listen(wake)
        self._appended.set()
        self._task = asyncio.create_task(self._run(), name=f"delivery {self.pipeline} to {self._id}")

    async def drain(self, timeout_seconds: float) -> None:
        """Deliver what waits, for at most this long; the rest stays in the journal. Safe twice."""
        self._draining.set()
        self._appended.set()
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=timeout_seconds)
        if late:
            # An attempt under way is waited for: what it stored must be marked as stored.
            self._stopping.set()
            _, late = await asyncio.wait([self._task], timeout=_LAST_ATTEMPT_SECONDS)
        for task in late:
            task.cancel()
            await asyncio.wait([task])
        self._task = None

    async def _run(self) -> None:
        options = self.exporter.options.sending_queue.batch
        while not self._stopping.is_set():
            with suppress(_StoppedError):
                await self._enough_rows(options.min_size, options.flush_timeout)
                claim = await self._journaled(self.journal.claim, self.pipeline, self._id, options.max_size)
                if claim is not None:
                    await self._deliver(claim)
                elif self._draining.is_set():
                    return

    async def _journaled(self, change: Callable[..., T], *arguments: Any) -> T:
        """A change to the journal, tried until it is made: what an exporter stored must be marked as stored.
        Raises ``_StoppedError`` between two tries."""
        while True:
            try:
                return await asyncio.to_thread(change, *arguments)
            except Unavailable as error:
                _log.error("%s can't go on: %s", self._id, error)
                await self._pause(error.retry_after_seconds)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise _StoppedError

    async def _enough_rows(self, min_size: int, flush_seconds: float) -> None:
        """Return when the batch is worth taking, or its oldest row has waited long enough."""
        await self._appended.wait()
        while not self._draining.is_set():
            self._appended.clear()
            groups, rows, oldest = await self._journaled(self.journal.waiting, self.pipeline, self._id)
            self.telemetry.set(
                "otelcol_exporter_queue_size", groups, exporter=self._id, data_type=self.signal.value
            )
            age = self.journal.now() - oldest
            if groups and (rows >= min_size or age >= flush_seconds or age < 0):
                self._appended.set()
                return
            if not groups:
                with suppress(TimeoutError):
                    # Dead letters are put back in line by another process, which wakes nobody here.
                    await asyncio.wait_for(self._appended.wait(), _REPLAYED_SECONDS)
                continue
            look_seconds = min(flush_seconds - age, flush_seconds / _LOOKS_PER_FLUSH) + 0.001
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), look_seconds)

    async def _deliver(self, claim: Claim) -> None:
        try:
            await self._export(claim)
        except Rejected as error:
            if len(claim.groups) == 1:
                _log.error(
                    "%s refused %d rows of %s for good (%s): they are kept as dead letters",
                    self._id, claim.rows, self.pipeline, error.reason,
                )  # fmt: skip
                await self._journaled(self.journal.bury, claim, error.reason)
            else:
                for single in claim.single():
                    await self._deliver(single)
        else:
            await self._journaled(self.journal.advance, claim)
            self.telemetry.add(f"otelcol_exporter_sent_{self.signal.items}", claim.rows, exporter=self._id)

    async def _export(self, claim: Claim) -> None:
        """Try until the rows are durable; raises ``Rejected``, or ``_StoppedError`` between attempts."""
        retry = self.exporter.options.retry_on_failure
        wait_seconds = retry.initial_interval
        bugs = 0
        try:
            batch = await asyncio.to_thread(unpack, [group.payload for group in claim.groups], claim.token)
        except DamagedError:
            raise Rejected("the payload is damaged", reason="damaged_payload") from None
        except Exception as error:
            report_bug("journal", error)
            raise Rejected("the payload can't be read", reason="damaged_payload") from error
        while True:
            try:
                await self.exporter.export(batch)
                return
            except Rejected:
                raise
            except Unavailable as error:
                pause = max(wait_seconds, error.retry_after_seconds)
                _log.warning(
                    "%s is unavailable (%s); the %d rows wait in the journal, next attempt in about %.1f s",
                    self._id, error, claim.rows, pause,
                )  # fmt: skip
            except Exception as error:
                report_bug(self._id, error)
                self.telemetry.add("agenttracer_component_errors_total", component=self._id)
                bugs += 1
                if bugs >= _BUG_ATTEMPTS:
                    raise Rejected(
                        "repeated unexpected errors", reason=f"bug_{type(error).__name__}"
                    ) from error
                pause = wait_seconds
            self.telemetry.add(
                f"otelcol_exporter_send_failed_{self.signal.items}", claim.rows, exporter=self._id
            )
            spread = retry.randomization_factor
            await self._pause(pause * random.uniform(1 - spread, 1 + spread))
            wait_seconds = min(wait_seconds * retry.multiplier, retry.max_interval)
