"""Unix time that only passes: setting the wall clock while the process runs neither ages nor rejuvenates anything."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds, from whenever it likes."""


class PassingTime:
    """The wall clock as it was at the beginning, and what has passed since."""

    def __init__(self, wall_clock: Clock = time.time, steady_clock: Clock = time.monotonic) -> None:
        self._steady_clock = steady_clock
        self._begun_unix_seconds = wall_clock() - steady_clock()

    def now(self) -> float:
        """Unix time in seconds."""
        return self._begun_unix_seconds + self._steady_clock()
