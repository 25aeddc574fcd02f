import subprocess
import sys

import pytest
from pydantic import ValidationError

from agenttracer.collector.component import Context, Request
from agenttracer.collector.errors import Unavailable
from agenttracer.collector.processors.memory_limiter import (
    MemoryLimiter,
    MemoryLimiterOptions,
    release_memory,
    resident_bytes,
    total_bytes,
)
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Signal
from tests.batches import make_batch

_MIB = 1024 * 1024
_REQUEST = Request(Signal.TRACES, b"", "default", "otlp", "grpc")


class FakeMachine(MemoryLimiter):
    """A limiter whose memory and time are set by the test."""

    used_mib = 0.0
    frees_mib = 0.0
    now_seconds = 0.0
    releases = 0
    measurements = 0

    def read_resident_bytes(self) -> int:
        self.measurements += 1
        return int(self.used_mib * _MIB)

    def read_total_bytes(self) -> int:
        return 2000 * _MIB

    def release(self) -> None:
        self.releases += 1
        self.used_mib -= self.frees_mib

    def clock(self) -> float:
        return self.now_seconds


def _limiter(**options: object) -> FakeMachine:
    parsed = MemoryLimiterOptions.model_validate(options)
    return FakeMachine(parsed, Context("memory_limiter", Telemetry()))


def _admits(limiter: MemoryLimiter) -> bool:
    try:
        limiter.admit(_REQUEST)
    except Unavailable:
        return False
    return True


def _refused(limiter: MemoryLimiter) -> float | None:
    return limiter.context.telemetry.registry.get_sample_value(
        "agenttracer_memory_limiter_refused_requests_total", {"processor": "memory_limiter"}
    )


def test_admits_up_to_the_soft_limit() -> None:
    """Without a spike limit, refusing begins 20 % below the limit."""
    limiter = _limiter(limit_mib=1000)
    answers = []
    for used_mib in (799, 800, 801, 1001, 799):
        limiter.used_mib = used_mib
        limiter.now_seconds += 1
        answers.append(_admits(limiter))

    assert [True, True, False, False, True] == answers


def test_refusal_is_one_that_clients_repeat_and_is_counted() -> None:
    """The Collector's words, a time to come back, and one more refused request."""
    limiter = _limiter(limit_mib=100, check_interval="3s")
    limiter.used_mib = 99

    with pytest.raises(Unavailable, match=r"^data refused due to high memory usage$") as caught:
        limiter.admit(_REQUEST)

    assert (3.0, 1.0) == (caught.value.retry_after_seconds, _refused(limiter))


def test_memory_is_measured_once_a_check_interval() -> None:
    """Between two checks the last answer holds, whatever memory does."""
    limiter = _limiter(limit_mib=100, check_interval="1s")
    answers = []
    for now_seconds, used_mib in ((0.0, 10), (0.5, 99), (0.99, 99), (1.0, 99), (1.5, 10), (2.0, 10)):
        limiter.now_seconds, limiter.used_mib = now_seconds, used_mib
        answers.append(_admits(limiter))

    assert [True, True, True, False, False, True] == answers


def test_released_memory_is_measured_again_before_refusing() -> None:
    """A request is not refused when giving garbage back was enough."""
    limiter = _limiter(limit_mib=100)
    limiter.used_mib, limiter.frees_mib = 150, 120

    assert (True, 1) == (_admits(limiter), limiter.releases)


def test_garbage_is_collected_at_most_every_min_gc_interval() -> None:
    """Seldom above the soft limit, at every check above the hard one."""
    limiter = _limiter(limit_mib=100, spike_limit_mib=20, min_gc_interval_when_soft_limited="10s")
    releases = []
    for used_mib, seconds in ((90, 11), (110, 3)):
        limiter.used_mib, limiter.releases = used_mib, 0
        for _ in range(seconds):
            limiter.now_seconds += 1
            _admits(limiter)
        releases.append(limiter.releases)

    assert [2, 3] == releases


def test_limits_in_percent_are_of_all_memory() -> None:
    """50 % of 2000 MiB, refused from 10 % of 2000 MiB below it."""
    limiter = _limiter(limit_percentage=50, spike_limit_percentage=10)
    answers = []
    for used_mib in (799, 801):
        limiter.used_mib = used_mib
        limiter.now_seconds += 1
        answers.append(_admits(limiter))

    assert [True, False] == answers


def test_batches_pass_as_they_came() -> None:
    """What was admitted is not touched."""
    batch = make_batch("traces", [{}])

    assert _limiter(limit_mib=1).process(batch) is batch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "'limit_mib' or 'limit_percentage' must be greater than zero"),
        ({"limit_mib": 10, "check_interval": "0s"}, "'check_interval' must be greater than zero"),
        ({"limit_mib": 10, "spike_limit_mib": 10}, "'spike_limit_mib' must be smaller than 'limit_mib'"),
        (
            {"limit_percentage": 10, "spike_limit_percentage": 20},
            "'spike_limit_percentage' must be smaller than 'limit_percentage'",
        ),
        (
            {"limit_mib": 10, "min_gc_interval_when_hard_limited": "20s"},
            "'min_gc_interval_when_soft_limited' should be larger than 'min_gc_interval_when_hard_limited'",
        ),
    ],
)
def test_senseless_limits_are_refused(options: dict[str, object], message: str) -> None:
    """In the Collector's own words."""
    with pytest.raises(ValidationError, match=message):
        _limiter(**options)


def test_the_machine_is_read_and_memory_given_back() -> None:
    """In a process of its own: real memory is seen to grow, and where it can be, to shrink when released."""
    script = """
import os
from agenttracer.collector.processors.memory_limiter import release_memory, resident_bytes
before = resident_bytes()
block = [bytearray(1000) for _ in range(100_000)]
during = resident_bytes()
del block
release_memory()
assert during - before > 90_000_000, "did not grow"
assert not os.path.exists("/proc/self/statm") or during - resident_bytes() > 60_000_000, "did not shrink"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


def test_this_process_uses_less_than_all_memory() -> None:
    """The readers of the real machine give plausible bytes, and releasing harms nothing."""
    release_memory()

    assert _MIB < resident_bytes() < total_bytes()
