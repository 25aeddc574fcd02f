"""Clients under which the collector is broken: each knows what it sent and what it was told is stored.

ledger = Ledger()
with under_load(Resending(collector, ledger), Resending(collector, ledger, transport="http")):
    collector.kill()
    collector.start()
ledger.acknowledged ⊆ ledger.sent
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agenttracer.schemas.batch import Signal
from tests.otlp_traces import request, span
from tests.running_collector import METHODS, RunningCollector

ROUNDS = int(os.environ.get("AGENTTRACER_CHAOS_ROUNDS", "1"))
"""How often, and how long, what happens at random happens; ``make chaos`` sets more."""

SpanKey = tuple[str, str]
"""Trace and span id, as the store shows them."""

_traces = itertools.count()
_FIRST_TRACE = random.getrandbits(120) << 8
_PLACE = random.getrandbits(128)
_QUICK = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50),
          ("grpc.max_reconnect_backoff_ms", 200), ("grpc.max_receive_message_length", -1)]  # fmt: skip


class Ledger:
    """The spans that left the clients, those they were told are stored, and the answers by their names."""

    def __init__(self) -> None:
        self.sent: set[SpanKey] = set()
        self.acknowledged: set[SpanKey] = set()
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []
        self._lock = threading.Lock()

    def note_sent(self, keys: Sequence[SpanKey]) -> None:
        with self._lock:
            self.sent.update(keys)

    def note_answer(self, name: str, keys: Sequence[SpanKey], seconds: float = 0.0) -> None:
        """``OK`` acknowledges the spans."""
        with self._lock:
            self.answers[name] += 1
            if name == "OK":
                self.acknowledged.update(keys)
                self.times.append(seconds)

    def add(self, other: Ledger) -> None:
        """The spans of other clients, too."""
        self.sent |= other.sent
        self.acknowledged |= other.acknowledged


def make_request(spans: int = 10, text: str = "") -> tuple[bytes, list[SpanKey]]:
    """A request that was never made before, and its spans."""
    trace = _FIRST_TRACE + next(_traces)
    keys = [(f"{trace:032x}", f"{identifier:016x}") for identifier in range(1, spans + 1)]
    return _template(spans, text).replace(_PLACE.to_bytes(16, "big"), trace.to_bytes(16, "big")), keys


@lru_cache
def _template(spans: int, text: str) -> bytes:
    # An operation makes every span a step, so that the views can be asked whether they have each once.
    given = {
        "agent.run.id": f"run of {spans}",
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": text,
    }
    made = [span("chat", given, trace=_PLACE, identifier=identifier) for identifier in range(1, spans + 1)]
    return request(*made).SerializeToString()


class Client(threading.Thread):
    """Sends until it is told to stop."""

    def __init__(self, collector: RunningCollector, ledger: Ledger) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.collector = collector
        self.ledger = ledger
        self.stopping = threading.Event()

    def finish(self) -> None:
        """Stop sending and wait for the last answer."""
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "the client has no answer"


class Resending(Client):
    """Sends the same bytes again until they are acknowledged, as a client does that must not lose anything."""

    def __init__(
        self,
        collector: RunningCollector,
        ledger: Ledger,
        *,
        transport: str = "grpc",
        spans: int = 10,
        text: str = "",
        headers: Mapping[str, str] | None = None,
        pause_seconds: float = 0.005,
        resend_seconds: float = 0.05,
    ) -> None:
        super().__init__(collector, ledger)
        self.transport = transport
        self.spans = spans
        self.text = text
        self.headers = dict(headers or {})
        self.pause_seconds = pause_seconds
        self.resend_seconds = resend_seconds

    def run(self) -> None:
        address = f"localhost:{self.collector.ports['grpc']}"
        with grpc.insecure_channel(address, options=_QUICK) as channel:
            call = channel.unary_unary(METHODS[Signal.TRACES])
            while not self.stopping.is_set():
                body, keys = make_request(self.spans, self.text)
                self.ledger.note_sent(keys)
                while True:
                    started = time.monotonic()
                    answer = self._grpc(call, body) if self.transport == "grpc" else self._http(body)
                    self.ledger.note_answer(answer, keys, time.monotonic() - started)
                    if answer == "OK" or self.stopping.wait(self.resend_seconds):
                        break
                self.stopping.wait(self.pause_seconds)

    def _grpc(self, call: grpc.UnaryUnaryMultiCallable, body: bytes) -> str:
        metadata = tuple((name.lower(), value) for name, value in self.headers.items())
        code: grpc.StatusCode = call.future(body, timeout=30, metadata=metadata).code()
        return code.name

    def _http(self, body: bytes) -> str:
        connection = http.client.HTTPConnection("localhost", self.collector.ports["http"], timeout=30)
        headers = {"Content-Type": "application/x-protobuf", **self.headers}
        try:
            connection.request("POST", "/v1/traces", body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return "no answer"
        finally:
            connection.close()
        return "OK" if response.status == 200 else str(response.status)


class Standard(Client):
    """The SDK's own exporter behind its own batch processor."""

    def run(self) -> None:
        endpoint = f"http://localhost:{self.collector.ports['grpc']}"
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=5)
        provider = TracerProvider(resource=Resource({"service.name": "tests"}), shutdown_on_exit=False)
        provider.add_span_processor(
            BatchSpanProcessor(_Noting(exporter, self.ledger), schedule_delay_millis=50)
        )
        tracer = provider.get_tracer("tests")
        while not self.stopping.is_set():
            with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
                self.stopping.wait(0.002)
        provider.shutdown()


class _Noting(SpanExporter):
    def __init__(self, exporter: SpanExporter, ledger: Ledger) -> None:
        self._exporter = exporter
        self._ledger = ledger

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        contexts = [each.context for each in spans if each.context is not None]
        keys = [(f"{context.trace_id:032x}", f"{context.span_id:016x}") for context in contexts]
        self._ledger.note_sent(keys)
        result = self._exporter.export(spans)
        self._ledger.note_answer("OK" if result is SpanExportResult.SUCCESS else "given up", keys)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


@contextmanager
def under_load(*clients: Client) -> Iterator[None]:
    """The clients send inside the ``with``; at its end each has had its last answer."""
    for client in clients:
        client.start()
    try:
        yield
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.finish()


def wait_for_answers(ledger: Ledger, count: int = 1, name: str = "OK", timeout_seconds: float = 30) -> None:
    """Until clients had so many more of these answers."""
    deadline = time.monotonic() + timeout_seconds
    wanted = ledger.answers[name] + count
    while ledger.answers[name] < wanted:
        assert time.monotonic() < deadline, dict(ledger.answers)
        time.sleep(0.02)


def send(collector: RunningCollector, ledger: Ledger, body: bytes, keys: Sequence[SpanKey]) -> str:
    """One request over gRPC; returns the answer's name."""
    ledger.note_sent(keys)
    name = "OK"
    try:
        collector.export(Signal.TRACES, body)
    except grpc.RpcError as error:
        name = error.code().name
    ledger.note_answer(name, keys)
    return name
