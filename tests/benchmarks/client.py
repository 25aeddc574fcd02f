"""The load: a process of its own that has its requests ready and keeps so many of them in flight.

with Client("grpc", requests=400, spans=1000, in_flight=8) as client:
    client.begin("localhost:4317", first=0, count=40)
    while not client.done(): …
    client.result()
    client.begin("localhost:4317", first=40, count=360, requests_a_second=12)

In a closed loop a request follows an answer. With a rate the loop is open: requests have their times, and how
long an answer took counts from there, so that what a slow one keeps waiting is seen, too.
"""

from __future__ import annotations

import http.client
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import grpc

from tests.benchmarks.spans import make_requests

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_TIMEOUT_SECONDS = 60.0
_RESEND_SECONDS = 0.05

Send = Callable[[bytes], bool]
"""Sends a request and waits for the answer; whether it was taken."""


@dataclass(frozen=True)
class Sent:
    """``seconds`` from the first byte to the last answer; a refused request was sent again until taken."""

    seconds: float
    refused: int
    answer_p50_seconds: float
    answer_p99_seconds: float


class Client:
    """Requests of ``spans`` spans each, made once at the start."""

    def __init__(self, transport: str, *, requests: int, spans: int, in_flight: int) -> None:
        context = get_context("spawn")  # grpcio doesn't survive a fork
        self.requests = requests
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(theirs, transport, requests, spans, in_flight), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()

    def begin(
        self,
        address: str,
        *,
        first: int,
        count: int,
        requests_a_second: float = math.inf,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a range of the requests, each at its time or as soon as another is answered."""
        self._pipe.send((address, first, count, requests_a_second, headers or {}))

    def done(self) -> bool:
        """Whether all of them are answered."""
        return self._pipe.poll()

    def result(self) -> Sent:
        """Wait for the answers; raises what the client ran into."""
        outcome = self._pipe.recv()
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Sent)
        return outcome


def _run(pipe: Connection, transport: str, requests: int, spans: int, in_flight: int) -> None:
    bodies = make_requests(requests, spans)
    pipe.send("ready")
    while True:
        address, first, count, rate, headers = pipe.recv()
        try:
            pipe.send(_send_all(bodies[first : first + count], address, transport, in_flight, rate, headers))
        except Exception as error:
            pipe.send(RuntimeError(f"the load could not be sent: {error}"))


def _send_all(
    bodies: Sequence[bytes],
    address: str,
    transport: str,
    in_flight: int,
    rate: float,
    headers: Mapping[str, str],
) -> Sent:
    waiting = iter(enumerate(bodies))
    seconds: list[float] = []
    refusals: list[int] = []
    failures: list[Exception] = []
    with grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)]) as channel:
        call = channel.unary_unary(_EXPORT)

        def work() -> None:
            send = _over_grpc(call) if transport == "grpc" else _over_http(address, headers)
            try:
                refusals.append(_send_each(waiting, send, seconds, started, rate))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(in_flight)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - started
    if failures:
        raise failures[0]
    seconds.sort()
    return Sent(elapsed, sum(refusals), seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)])


def _send_each(
    waiting: Iterator[tuple[int, bytes]], send: Send, seconds: list[float], begun: float, rate: float
) -> int:
    refused = 0
    for number, body in waiting:
        if rate < math.inf:
            started = begun + number / rate
            time.sleep(max(0.0, started - time.perf_counter()))
        else:
            started = time.perf_counter()
        while not send(body):
            refused += 1
            time.sleep(_RESEND_SECONDS)
        seconds.append(time.perf_counter() - started)
    return refused


def _over_grpc(call: grpc.UnaryUnaryMultiCallable) -> Send:
    def send(body: bytes) -> bool:
        try:
            call(body, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    return send


def _over_http(address: str, headers: Mapping[str, str]) -> Send:
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)

    def send(body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf", **headers})
        response = connection.getresponse()
        response.read()
        if response.status not in (200, 429, 503):
            raise RuntimeError(f"status {response.status}")
        return response.status == 200

    return send
