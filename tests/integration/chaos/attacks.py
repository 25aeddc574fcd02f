"""Connections and requests that are made to use up what others need.

with attacking(SlowConnections(collector), Bombs(collector), TinyRequests(collector, headers)):
    …                                  # good clients go on
"""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

import grpc

from agenttracer.schemas.batch import Signal
from tests.integration.chaos.load import SpanKey, make_request
from tests.running_collector import METHODS, RunningCollector

_BOMB = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=9)


class Attack(threading.Thread):
    """Goes on until it is stopped; ``made`` counts what it did, ``sent`` are its spans."""

    def __init__(self, collector: RunningCollector, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.collector = collector
        self.headers = dict(headers or {})
        self.stopping = threading.Event()
        self.made = 0
        self.sent: set[SpanKey] = set()
        self.answers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self) -> None:
        while not self.stopping.is_set():
            with suppress(OSError, http.client.HTTPException):
                self.strike()
                self.made += 1

    def strike(self) -> None:
        """Do it once."""
        raise NotImplementedError


class SlowConnections(Attack):
    """Hundreds of connections: silent ones, ones whose headers never end, ones whose body comes by the byte."""

    COUNT = 600
    BEGINNINGS = (
        ("http", b""),
        ("http", b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        ("http", b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                 b"%sContent-Length: 1000000\r\n\r\n"),
        ("grpc", b""),
        ("grpc", b"PRI * HTTP/2.0\r\n"),
    )  # fmt: skip

    def run(self) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode()
        with ExitStack() as ends:
            opened = []
            for number in range(self.COUNT):
                port, beginning = self.BEGINNINGS[number % len(self.BEGINNINGS)]
                with suppress(OSError):
                    connection = socket.create_connection(("localhost", self.collector.ports[port]), 5)
                    opened.append(ends.enter_context(connection))
                    connection.sendall(beginning.replace(b"%s", lines))
                    self.made += 1
            while not self.stopping.wait(0.2):
                for connection in opened:
                    with suppress(OSError):
                        connection.sendall(b"x")
            self.closed = sum(_is_closed(connection) for connection in opened)


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


class Bombs(Attack):
    """Small bodies that unpack to 200 MB."""

    def strike(self) -> None:
        connection = http.client.HTTPConnection("localhost", self.collector.ports["http"], timeout=30)
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", **self.headers}
        try:
            connection.request("POST", "/v1/traces", _BOMB, headers)
            connection.getresponse().read()
        finally:
            connection.close()


class Flood(Attack):
    """Requests as fast as they can be sent, a thousand in flight, none sent again."""

    SPANS, TEXT, IN_FLIGHT = 1, "", 1000

    def run(self) -> None:
        metadata = tuple((name.lower(), value) for name, value in self.headers.items())
        room = threading.Semaphore(self.IN_FLIGHT)
        pending: set[grpc.Future] = set()

        def note(done: grpc.Future) -> None:
            with self._lock:
                self.answers[done.code().name] += 1
                pending.discard(done)
            room.release()

        with grpc.insecure_channel(f"localhost:{self.collector.ports['grpc']}") as channel:
            call = channel.unary_unary(METHODS[Signal.TRACES])
            while not self.stopping.is_set():
                if not room.acquire(timeout=0.1):
                    continue
                body, keys = make_request(self.SPANS, self.TEXT)
                self.sent.update(keys)
                answer = call.future(body, timeout=30, metadata=metadata)
                pending.add(answer)  # a call that nobody holds is cancelled
                answer.add_done_callback(note)
                self.made += 1
            for _ in range(self.IN_FLIGHT):
                room.acquire(timeout=30)


class LargeFlood(Flood):
    """The same with requests of half a megabyte."""

    SPANS, TEXT, IN_FLIGHT = 50, "x" * 10_000, 100


@contextmanager
def attacking(*attacks: Attack) -> Iterator[None]:
    """They go on inside the ``with``."""
    for attack in attacks:
        attack.start()
    try:
        yield
    finally:
        for attack in attacks:
            attack.stopping.set()
        for attack in attacks:
            attack.join(60)
            assert attack.made
