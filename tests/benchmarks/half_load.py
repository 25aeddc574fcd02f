"""Half of what a target can take, in an open loop: how long an answer takes, and how much memory it needs.

1  a closed loop   → spans a second, from the first request to the last row delivered
2  half of that    → answers from the time a request was due; memory while it runs, all processes together
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


def measure_half_load(target: Target, load: Load, transport: str, *, seconds: float) -> Mapping[str, float]:
    """The figures by column name; ``load`` is the closed loop's."""
    with target:
        every = load.warm_up + load.requests
        with load.client(transport) as client:
            deliver(target, client, first=0, count=load.warm_up, spans=load.warm_up * load.spans)
            started = time.perf_counter()
            deliver(target, client, first=load.warm_up, count=load.requests, spans=every * load.spans)
            capacity = load.requests * load.spans / (time.perf_counter() - started)
        quiet(target.pid)
        rate = capacity * _SHARE / load.spans
        count = max(1, round(rate * seconds))
        resident: list[int] = []
        with Client(transport, requests=count, spans=load.spans, in_flight=256) as client:
            before = usage(target.pid)
            client.begin(target.address, first=0, count=count, requests_a_second=rate)
            while not client.done():
                resident.append(usage(target.pid).resident_bytes)
                time.sleep(_LOOK_SECONDS)
            sent = client.result()
            after = usage(target.pid)
    settled = resident[len(resident) // 2 :]
    return {
        "capacity_spans_a_second": capacity,
        "spans_a_second": count * load.spans / sent.seconds,
        "cores": (after.cpu_seconds - before.cpu_seconds) / sent.seconds,
        "answer_p50_ms": sent.answer_p50_seconds * 1e3,
        "answer_p99_ms": sent.answer_p99_seconds * 1e3,
        "resident_mib": statistics.mean(settled) / 2**20,
        "peak_mib": max(resident) / 2**20,
        "refused_requests": sent.refused,
    }
