"""How many runs of this process wait or run, ended well, and failed: the counters that heartbeats and metrics tell."""

from __future__ import annotations

import os
from threading import Lock
from time import monotonic
from weakref import WeakMethod

from agenttracer.schemas.semconv import RunStatus

_MAX_QUEUED = 10_000


class Tasks:
    """Counts from any thread; a forked child begins anew."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            reset = WeakMethod(self._reset)
            os.register_at_fork(after_in_child=lambda: (method := reset()) and method())

    def _reset(self) -> None:
        self._lock = Lock()
        self._queued: set[str] = set()
        self._running = 0
        self._since = monotonic()
        self.completed = 0
        self.failed = 0

    @property
    def pending(self) -> int:
        """Queued or running."""
        return len(self._queued) + self._running

    @property
    def uptime_seconds(self) -> float:
        """Since the counting began."""
        return monotonic() - self._since

    def queued(self, run_id: str) -> None:
        """A run is known. Of those that another process starts nothing more is heard: only so many are kept."""
        with self._lock:
            if len(self._queued) < _MAX_QUEUED:
                self._queued.add(run_id)

    def unqueued(self, run_id: str) -> None:
        """A queued run will not start here."""
        with self._lock:
            self._queued.discard(run_id)

    def started(self, run_id: str) -> None:
        """A run is under way, queued before or not."""
        with self._lock:
            self._queued.discard(run_id)
            self._running += 1

    def ended(self, status: RunStatus) -> None:
        """A run is over; a cancelled one counts as neither completed nor failed."""
        with self._lock:
            self._running -= 1
            self.failed += status is RunStatus.FAILURE
            self.completed += status in (RunStatus.SUCCESS, RunStatus.PARTIAL)
