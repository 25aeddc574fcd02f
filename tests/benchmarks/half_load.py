"""Half of what a target can take, in an open loop: how long an answer takes, and how much memory it needs.

1  a closed loop of seconds   → what it takes in a burst: from the first request to the last row delivered
2  a closed loop of a minute  → what it takes for long: until what the load put off, merges, is done, too
3  half of each               → answers from the time a request was due; memory while it runs
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from tests.benchmarks.client import Client
from tests.benchmarks.measure import Load, deliver, quiet
from tests.benchmarks.target import Target
from tests.benchmarks.usage import usage

_LOOK_SECONDS = 0.25
_SHARE = 0.5
_IN_FLIGHT = 256

Figures = Mapping[str, float]


def measure_half_load(target: Target, load: Load, transport: str, *, seconds: float) -> dict[str, Figures]:
    """The figures by column name, for half of what it takes for long and half of what it takes in a burst.
    ``load`` is the closed loop of seconds, ``seconds`` what every other load lasts, roughly."""
    with target:
        with load.client(transport) as client:
            deliver(target, client, first=0, count=load.warm_up, spans=load.warm_up * load.spans)
            burst, _ = _capacity(target, client, load, before=load.warm_up)
        requests = max(1, round(burst / load.spans * seconds))
        long = Load(load.spans, requests, warm_up=0, in_flight=load.in_flight)
        with long.client(transport) as client:
            _, lasting = _capacity(target, client, long, before=load.warm_up + load.requests)
        return {
            name: {
                "capacity_spans_a_second": capacity,
                **_open_loop(target, load.spans, transport, capacity * _SHARE, seconds),
            }
            for name, capacity in (("what lasts", lasting), ("a burst", burst))
        }


def _capacity(target: Target, client: Client, load: Load, *, before: int) -> tuple[float, float]:
    """Spans a second until the last one is delivered, and until merges are done; ``before`` is how many requests
    the target has had."""
    spans = load.requests * load.spans
    started = time.perf_counter()
    deliver(target, client, first=load.warm_up, count=load.requests, spans=before * load.spans + spans)
    delivered = spans / (time.perf_counter() - started)
    quiet(target.pid)
    return delivered, spans / (time.perf_counter() - started)


def _open_loop(target: Target, spans: int, transport: str, rate: float, seconds: float) -> Figures:
    requests_a_second = rate / spans
    requests = max(1, round(requests_a_second * seconds))
    resident: list[int] = []
    with Client(transport, requests=requests, spans=spans, in_flight=_IN_FLIGHT) as client:
        before = usage(target.pid)
        client.begin(target.address, first=0, count=requests, requests_a_second=requests_a_second)
        while not client.done():
            resident.append(usage(target.pid).resident_bytes)
            time.sleep(_LOOK_SECONDS)
        sent = client.result()
        after = usage(target.pid)
    quiet(target.pid)
    settled = resident[len(resident) // 2 :]
    return {
        "spans_a_second": requests * spans / sent.seconds,
        "cores": (after.cpu_seconds - before.cpu_seconds) / sent.seconds,
        "answer_p50_ms": sent.answer_p50_seconds * 1e3,
        "answer_p99_ms": sent.answer_p99_seconds * 1e3,
        "resident_mib": statistics.mean(settled) / 2**20,
        "peak_mib": max(resident) / 2**20,
        "refused_requests": sent.refused,
    }
