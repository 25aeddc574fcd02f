"""Refuses requests before they are decoded while the process is short of memory; clients repeat them.

    processors:
      memory_limiter:
        check_interval: 1s
        limit_percentage: 80          # or limit_mib: 4000
        spike_limit_percentage: 20    # or spike_limit_mib: 800

    resident memory   0 ──────────── soft = limit - spike ──────────── limit
                      accept         refuse                            refuse, and give memory back

It stands first in a pipeline. What was admitted is never touched.
"""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Self

import pyarrow as pa
from pydantic import Field, model_validator

from agenttracer.collector.allocator import give_back_freed_memory
from agenttracer.collector.component import Context, Options, Processor, Request, Seconds
from agenttracer.collector.errors import Unavailable
from agenttracer.collector.resident_memory import resident_bytes
from agenttracer.schemas.batch import Batch

_MIB = 1024 * 1024
_PAGE_BYTES = resource.getpagesize()
_DEFAULT_SPIKE = 0.2  # of the limit


class MemoryLimiterOptions(Options):
    """The Collector's keys; ``limit_mib`` wins over ``limit_percentage``."""

    check_interval: Seconds = Field(default=1.0, description="Time between measurements of memory.")
    limit_mib: int = Field(default=0, ge=0, description="Hard limit of resident memory in MiB.")
    spike_limit_mib: int = Field(
        default=0, ge=0, description="MiB below the limit from which requests are refused; 0: 20 % of it."
    )
    limit_percentage: int = Field(
        default=0, ge=0, le=100, description="Hard limit in percent of the machine's or container's memory."
    )
    spike_limit_percentage: int = Field(
        default=0, ge=0, le=100, description="Percent below the limit to refuse from; 0: 20 % of the limit."
    )
    min_gc_interval_when_soft_limited: Seconds = Field(
        default=10.0, description="Shortest time between collections of garbage above the soft limit."
    )
    min_gc_interval_when_hard_limited: Seconds = Field(
        default=0.0, description="Shortest time between collections of garbage above the hard limit."
    )

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        if self.check_interval <= 0:
            raise ValueError("'check_interval' must be greater than zero")
        if not self.limit_mib and not self.limit_percentage:
            raise ValueError("'limit_mib' or 'limit_percentage' must be greater than zero")
        if self.limit_mib and self.spike_limit_mib >= self.limit_mib:
            raise ValueError("'spike_limit_mib' must be smaller than 'limit_mib'")
        if self.limit_percentage and self.spike_limit_percentage >= self.limit_percentage:
            raise ValueError("'spike_limit_percentage' must be smaller than 'limit_percentage'")
        if self.min_gc_interval_when_soft_limited < self.min_gc_interval_when_hard_limited:
            raise ValueError(
                "'min_gc_interval_when_soft_limited' should be larger than "
                "'min_gc_interval_when_hard_limited'"
            )
        return self


def total_bytes() -> int:
    """Memory that this process may use: the container's limit, else the machine's."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # "max": no limit
            return min(machine, int(text))
    return machine


def release_memory() -> None:
    """Give back to the system what nothing uses: garbage, Arrow's pool, the allocator's free pages."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    # Resident memory is what is measured, and glibc keeps freed pages: without this a process that was
    # once above its limit could refuse for ever.
    give_back_freed_memory()


class MemoryLimiter(Processor[MemoryLimiterOptions]):
    """Refuses above the soft limit; also collects garbage, more eagerly above the hard one."""

    options_type = MemoryLimiterOptions
    read_resident_bytes = staticmethod(resident_bytes)
    read_total_bytes = staticmethod(total_bytes)
    release = staticmethod(release_memory)
    clock = staticmethod(time.monotonic)

    def __init__(self, options: MemoryLimiterOptions, context: Context) -> None:
        super().__init__(options, context)
        self._measuring = threading.Lock()
        self._measured_at_seconds = float("-inf")
        self._released_at_seconds = float("-inf")
        self._refusing = False

    def admit(self, request: Request) -> None:
        """Raises ``Unavailable`` while memory, measured at most once a ``check_interval``, is short."""
        # One thread measures, the others go by the last answer: admission never waits.
        if self._is_stale() and self._measuring.acquire(blocking=False):
            try:
                self._measure()
            finally:
                self._measuring.release()
        if self._refusing:
            self.context.telemetry.add(
                "agenttracer_memory_limiter_refused_requests_total", processor=self.context.id
            )
            raise Unavailable(
                "data refused due to high memory usage",
                retry_after_seconds=max(1.0, self.options.check_interval),
            )

    def process(self, batch: Batch) -> Batch:
        """The batch as it came."""
        return batch

    def _is_stale(self) -> bool:
        return self.clock() - self._measured_at_seconds >= self.options.check_interval

    def _measure(self) -> None:
        now_seconds = self.clock()
        soft_bytes, hard_bytes = self._limits_bytes
        used_bytes = self.read_resident_bytes()
        if used_bytes > soft_bytes:
            hard = used_bytes > hard_bytes
            if now_seconds - self._released_at_seconds >= self._min_gc_interval_seconds(hard):
                self.release()
                self._released_at_seconds = now_seconds
                used_bytes = self.read_resident_bytes()
        self._refusing = used_bytes > soft_bytes
        self._measured_at_seconds = now_seconds

    def _min_gc_interval_seconds(self, hard: bool) -> float:
        if hard:
            return self.options.min_gc_interval_when_hard_limited
        return self.options.min_gc_interval_when_soft_limited

    @cached_property
    def _limits_bytes(self) -> tuple[int, int]:
        options = self.options
        if options.limit_mib:
            limit, spike, unit_bytes = options.limit_mib, options.spike_limit_mib, float(_MIB)
        else:
            limit, spike = options.limit_percentage, options.spike_limit_percentage
            unit_bytes = self.read_total_bytes() / 100
        hard_bytes = int(limit * unit_bytes)
        spike_bytes = int((spike or limit * _DEFAULT_SPIKE) * unit_bytes)
        return hard_bytes - spike_bytes, hard_bytes
