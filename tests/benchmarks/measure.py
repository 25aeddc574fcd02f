"""One measurement: start, warm up, send, wait until all is delivered and the process is quiet again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks.client import Client, Sent
from tests.benchmarks.target import Target
from tests.benchmarks.usage import usage

_LOOK_SECONDS = 0.05
_DELIVERY_SECONDS = 120.0
_QUIET_WINDOW_SECONDS = 1.0
_QUIET_CPU_SECONDS = 0.05
_QUIET_WINDOWS = 20


@dataclass(frozen=True)
class Load:
    """So many requests of ``spans`` spans, ``in_flight`` at a time, after ``warm_up`` others."""

    spans: int
    requests: int
    warm_up: int
    in_flight: int

    def client(self, transport: str) -> Client:
        """The client that has them ready."""
        return Client(
            transport, requests=self.warm_up + self.requests, spans=self.spans, in_flight=self.in_flight
        )


def measure(target: Target, load: Load, client: Client) -> Mapping[str, float]:
    """The measured load's figures, by column name. CPU counts until the process is quiet, so that what
    it puts off (merges, flushes) is in it."""
    with target:
        deliver(target, client, first=0, count=load.warm_up, spans=load.warm_up * load.spans)
        quiet(target.pid)
        before = usage(target.pid)
        started = time.perf_counter()
        every = (load.warm_up + load.requests) * load.spans
        sent = deliver(target, client, first=load.warm_up, count=load.requests, spans=every)
        seconds = time.perf_counter() - started
        quiet(target.pid)
        after = usage(target.pid)
    spans = load.requests * load.spans
    return {
        "cpu_us_a_span": (after.cpu_seconds - before.cpu_seconds) / spans * 1e6,
        "spans_a_second": spans / seconds,
        "answer_p50_ms": sent.answer_p50_seconds * 1e3,
        "answer_p99_ms": sent.answer_p99_seconds * 1e3,
        "refused_requests": sent.refused,
        "peak_mib": after.peak_bytes / 2**20,
        "settled_mib": after.resident_bytes / 2**20,
        "written_bytes_a_span": (after.written_bytes - before.written_bytes) / spans,
        **target.figures(),
    }


def deliver(target: Target, client: Client, *, first: int, count: int, spans: int) -> Sent:
    """Send a range of the client's requests and wait until the target has delivered ``spans`` since its start."""
    client.begin(target.address, first=first, count=count, headers=target.headers)
    while not client.done():
        target.delivered(spans)  # a look at what waits
        time.sleep(_LOOK_SECONDS)
    sent = client.result()
    end = time.monotonic() + _DELIVERY_SECONDS
    while not target.delivered(spans):
        if time.monotonic() > end:
            raise RuntimeError(f"{target.name} did not deliver {spans} spans in {_DELIVERY_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return sent


def quiet(pid: int) -> None:
    """Return when the process has next to nothing to do, or never stops having."""
    used = usage(pid).cpu_seconds
    for _ in range(_QUIET_WINDOWS):
        time.sleep(_QUIET_WINDOW_SECONDS)
        before, used = used, usage(pid).cpu_seconds
        if used - before < _QUIET_CPU_SECONDS:
            return
