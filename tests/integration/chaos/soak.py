"""A long load at a part of what the collector can take: memory, journal and freshness over time. ``make soak``.

    python -m tests.integration.chaos.soak [--minutes 20] [--share 0.7]

    1  full load for two minutes     → spans a second that this machine can take, merges included: those that
                                       full load has put off are waited for, since no load that lasts can put them off
    2  that, times the share, paced  → every few seconds: memory, journal; freshness: span end → queryable
    3  the promise                   → the books balance, what was acknowledged is stored

Ends with 1 if memory grew, the journal was not bounded, or freshness was 2 s or more at p99.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import clickhouse_connect
import grpc
import numpy as np

from agenttracer.schemas.batch import Signal
from tests.benchmarks.client import Client
from tests.benchmarks.measure import quiet
from tests.benchmarks.spans import make_requests
from tests.integration.chaos import promise
from tests.otlp_traces import request, span
from tests.running_collector import CONFIG, METHODS, RunningCollector, free_ports, running_collector

_SPANS = 500  # a request
_MEASURED_REQUESTS = 10_000  # two minutes: merges of what was merged are a part of what it can take
_IN_FLIGHT = 8
_LOOK_SECONDS = 5.0
_MOST_GROWTH = 0.10  # of memory, from the second quarter of the time to the last
_MOST_JOURNAL_BYTES = 64 * 1024 * 1024
_MOST_SECONDS_TO_QUERY = 2.0
_PROBE = "freshness-probe"
_PROBE_SECONDS = 0.5
_ASK_SECONDS = 0.1
_LAST_SECONDS = 60


def main() -> int:
    """Runs it and prints a line every minute, then the verdict."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=20.0)
    options.add_argument("--share", type=float, default=0.7)
    options.add_argument("--rate", type=float, help="spans a second, instead of a share of what is measured")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the collector")
    chosen = options.parse_args()
    # Told to end, it takes the collector and the sender with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="agenttracer-soak-") as name:
        (port,) = free_ports(1)
        folder = Path(name)
        changes = (
            *chosen.set,
            f"extensions.clickhouse_http={{endpoint: 'localhost:{port}', path: {folder}/data/clickhouse}}",
            "service.extensions=[health_check, file_storage, clickhouse_http]",
        )
        arguments = ["--config", str(CONFIG), *(word for change in changes for word in ("--set", change))]
        with running_collector(folder, *arguments) as collector:
            rate = chosen.rate or _capacity(collector) * chosen.share
            return _soak(collector, port, chosen.minutes * 60, rate)


def _soak(collector: RunningCollector, port: int, seconds: float, rate: float) -> int:
    print(f"{rate:,.0f} spans/s for {seconds / 60:g} minutes", flush=True)
    print(f"the machine has {os.cpu_count()} cores, its load is {os.getloadavg()[0]:.1f}", flush=True)
    memory: list[float] = []
    journal: list[float] = []
    fresh = Freshness(collector, port)
    context = get_context("spawn")  # grpcio doesn't survive a fork
    pipe, theirs = context.Pipe()
    sender = context.Process(
        target=_send_paced, args=(theirs, collector.ports["grpc"], rate, seconds), daemon=True
    )
    sender.start()
    fresh.start()
    begun = time.monotonic()
    while not pipe.poll(_LOOK_SECONDS):
        memory.append(_gauge(collector, "otelcol_process_memory_rss"))
        journal.append(_gauge(collector, "agenttracer_journal_bytes"))
        if len(memory) % 12 == 0:
            print(
                f"{(time.monotonic() - begun) / 60:5.1f} min  memory {memory[-1] / 2**20:6.0f} MiB  "
                f"journal {journal[-1] / 2**20:5.1f} MiB  fresh p50 {fresh.p50():.2f} p99 {fresh.p99():.2f} s  "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    sent, refused = pipe.recv()
    fresh.finish()
    sender.join()
    collector.wait_until_stored(120)
    books = promise.check_books(collector)
    quarter = max(1, len(memory) // 4)
    growth = np.mean(memory[-quarter:]) / np.mean(memory[quarter : 2 * quarter]) - 1
    verdicts = {
        f"memory grew {growth:+.1%}, at most {max(memory) / 2**20:.0f} MiB": growth <= _MOST_GROWTH,
        f"journal at most {max(journal) / 2**20:.1f} MiB": max(journal) <= _MOST_JOURNAL_BYTES,
        f"fresh p50 {fresh.p50():.2f} s, p99 {fresh.p99():.2f} s": fresh.p99() < _MOST_SECONDS_TO_QUERY,
        f"stored {books['stored']:,.0f} of {books['received']:,.0f} received": (
            books["stored"] == books["received"] - books.get("duplicate", 0)
        ),
        f"sent {sent:,} requests in time for {rate:,.0f} spans/s, {refused} refused": (
            sent * _SPANS >= 0.95 * rate * seconds
        ),
    }
    for words, holds in verdicts.items():
        print(("ok      " if holds else "FAILED  ") + words)
    return 0 if all(verdicts.values()) else 1


def _capacity(collector: RunningCollector) -> float:
    """Spans a second, from the first request until the last row is stored and nothing is left to merge, which is
    waited for 20 seconds at most."""
    spans = _MEASURED_REQUESTS * _SPANS
    with Client("grpc", requests=_MEASURED_REQUESTS, spans=_SPANS, in_flight=_IN_FLIGHT) as client:
        begun = time.monotonic()
        client.begin(f"localhost:{collector.ports['grpc']}", first=0, count=_MEASURED_REQUESTS)
        client.result()
        collector.wait_until_stored(120)
        stored = spans / (time.monotonic() - begun)
        quiet(collector.process.pid)
        capacity = spans / (time.monotonic() - begun)
    print(f"capacity {capacity:,.0f} spans/s; {stored:,.0f} without the merges put off", flush=True)
    return capacity


def _gauge(collector: RunningCollector, name: str) -> float:
    lines = collector.metrics_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def _send_paced(pipe: Connection, port: int, rate: float, seconds: float) -> None:
    """In a process of its own: (requests acknowledged, answers that told to resend) at the end."""
    acknowledged = refused = 0
    bodies: list[bytes] = []
    room = threading.Semaphore(64)
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        call = channel.unary_unary(METHODS[Signal.TRACES])
        lock = threading.Lock()

        def send(body: bytes) -> None:
            pending = call.future(body, timeout=60)
            pending.add_done_callback(lambda done: note(body, done))
            held.add(pending)

        def note(body: bytes, done: grpc.Future) -> None:
            nonlocal acknowledged, refused
            held.discard(done)
            if done.code() is grpc.StatusCode.OK:
                with lock:
                    acknowledged += 1
                room.release()
            else:
                with lock:
                    refused += 1
                threading.Timer(0.5, send, [body]).start()

        held: set[grpc.Future] = set()
        begun = time.monotonic()
        number = 0
        while time.monotonic() - begun < seconds:
            if not bodies:
                bodies = make_requests(64, _SPANS)
            room.acquire()
            send(bodies.pop())
            number += 1
            time.sleep(max(0.0, begun + number * _SPANS / rate - time.monotonic()))
        for _ in range(64):
            room.acquire(timeout=60)
    pipe.send((acknowledged, refused))


class Freshness:
    """Sends a span twice a second and asks the store until each is there."""

    def __init__(self, collector: RunningCollector, port: int) -> None:
        self._collector = collector
        self._port = port
        self._stopping = threading.Event()
        self._sent: dict[str, int] = {}  # trace → when its span ended, in Unix nanoseconds
        self._seconds: list[float] = []
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._send, self._ask)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait for the last one; what isn't there by then has waited until now."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_LAST_SECONDS)
        self._seconds += [(time.time_ns() - ended) / 1e9 for ended in tuple(self._sent.values())]

    def p50(self) -> float:
        return _quantile(self._seconds, 0.5)

    def p99(self) -> float:
        return _quantile(self._seconds, 0.99)

    def _send(self) -> None:
        trace = 2**100
        while not self._stopping.wait(_PROBE_SECONDS):
            trace += 1
            sent = span(trace=trace)
            ended = sent.start_time_unix_nano = sent.end_time_unix_nano = time.time_ns()
            body = request(sent, resource={"service.name": _PROBE}).SerializeToString()
            self._sent[f"{trace:032x}"] = ended
            self._collector.export(Signal.TRACES, body)

    def _ask(self) -> None:
        with clickhouse_connect.get_client(host="localhost", port=self._port) as client:
            while self._sent or not self._stopping.is_set():
                time.sleep(_ASK_SECONDS)
                if not (waiting := dict(self._sent)):
                    continue
                # Asking so often must not be a load of its own: a part that ends before the oldest is passed over.
                found = client.query(
                    f"SELECT TraceId FROM otel_traces WHERE ServiceName = '{_PROBE}' AND TraceId IN %(traces)s "
                    "AND Timestamp >= fromUnixTimestamp64Nano(%(oldest)s)",
                    parameters={"traces": tuple(waiting), "oldest": min(waiting.values())},
                )
                now = time.time_ns()
                self._seconds += [(now - self._sent.pop(trace)) / 1e9 for (trace,) in found.result_rows]


def _quantile(values: Sequence[float], part: float) -> float:
    return float(np.quantile(values, part)) if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
