"""An OTLP receiver that really listens, before a pipeline that is not there.

with running_receiver({"grpc": {"endpoint": "localhost:0"}}) as running:
    call(running.grpc_port, TRACES, make_traces().SerializeToString())
    running.pipeline.requests
"""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agenttracer.collector.component import Accepted, Context, Request
from agenttracer.collector.errors import Rejected
from agenttracer.collector.receivers.otlp import OtlpReceiver
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Signal

T = TypeVar("T")

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
REQUEST_TYPES: Mapping[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


def parse_and_accept(request: Request) -> Accepted:
    """What the pipeline answers: garbage is refused whole, spans without proper ids one by one."""
    try:
        message: Any = REQUEST_TYPES[request.signal].FromString(request.body)
    except DecodeError:
        raise Rejected("the request is not valid OTLP", reason="malformed") from None
    if request.signal is not Signal.TRACES:
        return Accepted()
    spans = [
        span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]
    bad = sum(len(span.trace_id) != 16 or len(span.span_id) != 8 for span in spans)
    return Accepted(bad, f"{bad} spans have invalid ids" if bad else "")


@dataclass
class FakePipeline:
    """Remembers requests and answers them at once; ``answer`` can be replaced, ``None`` never answers."""

    answer: Callable[[Request], Accepted] | None = parse_and_accept
    requests: list[Request] = field(default_factory=list)
    unanswered: list[Future[Accepted]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> Future[Accepted]:
        self.requests.append(request)
        future: Future[Accepted] = Future()
        if self.answer is None:
            self.unanswered.append(future)
        else:
            try:
                future.set_result(self.answer(request))
            except Exception as error:
                future.set_exception(error)
        self.arrived.set()
        return future


@dataclass
class Running:
    """A receiver that listens, the pipeline behind it and its metrics."""

    receiver: OtlpReceiver
    pipeline: FakePipeline
    telemetry: Telemetry
    loop: asyncio.AbstractEventLoop

    @property
    def grpc_port(self) -> int:
        return self.receiver.grpc_port

    @property
    def http_port(self) -> int:
        return self.receiver.http_port

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the receiver's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def requests(self, transport: str, outcome: str) -> float:
        """How often a request had this outcome."""
        labels = {"receiver": "otlp", "transport": transport, "outcome": outcome}
        return self.telemetry.registry.get_sample_value("otelcol_receiver_requests", labels) or 0.0


@contextmanager
def event_loop_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        over = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), over))
        await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    loop, over = started.result()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


def make_receiver(
    protocols: Mapping[str, Any],
    pipeline: FakePipeline,
    extensions: Mapping[str, Any] | None = None,
    **options: Any,
) -> OtlpReceiver:
    """A receiver that is not started."""
    parsed = OtlpReceiver.options_type.model_validate({"protocols": protocols, **options})
    context = Context(id="otlp", telemetry=Telemetry(), extensions=extensions or {})
    return OtlpReceiver(parsed, context, pipeline)


@contextmanager
def running_receiver(
    protocols: Mapping[str, Any] | None = None,
    pipeline: FakePipeline | None = None,
    extensions: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Running]:
    """A receiver on free ports, both protocols unless others are named."""
    pipeline = pipeline or FakePipeline()
    if protocols is None:
        protocols = {"grpc": {}, "http": {}}
    protocols = {name: {"endpoint": "localhost:0", **(given or {})} for name, given in protocols.items()}
    receiver = make_receiver(protocols, pipeline, extensions, **options)
    with event_loop_thread() as loop:
        running = Running(receiver, pipeline, receiver.context.telemetry, loop)
        running.run(receiver.start())
        try:
            yield running
        finally:
            running.run(receiver.stop())


def make_traces(num_spans: int = 1, *, trace_id: bytes = b"\x01" * 16) -> ExportTraceServiceRequest:
    """A request of spans that all have names and proper ids, unless told otherwise."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(num_spans):
        spans.add(trace_id=trace_id, span_id=(number + 1).to_bytes(8), name="execute_tool search")
    return request


GOOD = make_traces().SerializeToString()


def call(
    port: int,
    method: str,
    body: bytes,
    *,
    metadata: tuple[tuple[str, str], ...] = (),
    compression: grpc.Compression = grpc.Compression.NoCompression,
    credentials: grpc.ChannelCredentials | None = None,
    timeout_seconds: float = 20,
) -> bytes:
    """One unary call of raw bytes; raises ``grpc.RpcError``."""
    options = (("grpc.max_send_message_length", -1),)
    target = f"localhost:{port}"
    channel = (
        grpc.insecure_channel(target, options)
        if credentials is None
        else grpc.secure_channel(target, credentials, options)
    )
    with channel:
        unary = channel.unary_unary(method)
        response: bytes = unary(body, metadata=metadata, compression=compression, timeout=timeout_seconds)
        return response


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    port: int,
    method: str = "POST",
    path: str = "/v1/traces",
    body: Any = GOOD,
    headers: Mapping[str, str] = PROTOBUF,
    **connection: Any,
) -> Answer:
    """One HTTP request; ``context=`` makes it HTTPS."""
    kind = http.client.HTTPSConnection if "context" in connection else http.client.HTTPConnection
    opened = kind("localhost", port, timeout=20, **connection)
    try:
        opened.request(method, path, body, dict(headers))
        response = opened.getresponse()
        lower = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lower, response.read())
    finally:
        opened.close()
