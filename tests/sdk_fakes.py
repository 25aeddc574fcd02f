"""What tests of the SDK share: a tracer that records into memory, a sender that does as told, OTLP servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agenttracer import AgentTracer
from agenttracer.instrumentation.run_context import RunAttributes


class Recording:
    """An AgentTracer whose spans and events stay in memory."""

    def __init__(self, **options: Any) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(RunAttributes())
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        logger_provider = LoggerProvider(shutdown_on_exit=False)
        logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.tracer = AgentTracer(
            "support",
            "1.2.3",
            tracer_provider=self.tracer_provider,
            logger_provider=logger_provider,
            **options,
        )

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Spans in the order in which they ended."""
        return self._spans.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def attributes(self, name: str) -> Mapping[str, Any]:
        """The attributes of the one span of that name."""
        return dict(self.span(name).attributes or {})

    @property
    def root(self) -> Mapping[str, Any]:
        """The attributes of the run's span."""
        return self.attributes("invoke_agent support")

    @property
    def events(self) -> list[Any]:
        """The log records, in order."""
        return [readable.log_record for readable in self._logs.get_finished_logs()]


@dataclass
class FakeSender:
    """Keeps the batches it is sent; blocks while ``gate`` is closed; answers ``answer``."""

    answer: bool = True
    gate: threading.Event = field(default_factory=threading.Event)
    batches: list[list[Any]] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    shutdowns: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def send(self, batch: Sequence[Any]) -> bool:
        self.entered.set()
        self.gate.wait(10)
        self.batches.append(list(batch))
        return self.answer

    def shutdown(self) -> None:
        self.shutdowns += 1
        self.gate.set()


@dataclass
class Received:
    """What a fake collector was sent: requests by signal, and the headers of each."""

    port: int
    traces: list[trace_service_pb2.ExportTraceServiceRequest] = field(default_factory=list)
    logs: list[logs_service_pb2.ExportLogsServiceRequest] = field(default_factory=list)
    metrics: list[metrics_service_pb2.ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refuse: grpc.StatusCode | None = None
    """What to answer instead of taking a request."""
    delay_seconds: float = 0.0
    """How long to think about each request."""

    def take(self, context: Any) -> None:
        """Be slow, or refuse, as told."""
        time.sleep(self.delay_seconds)
        if self.refuse is not None:
            context.abort(self.refuse, "told so")

    @property
    def metric_names(self) -> set[str]:
        """Names of all metrics."""
        return {
            metric.name
            for request in self.metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def spans(self) -> list[Any]:
        """All spans, as protobuf messages."""
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def records(self) -> list[Any]:
        """All log records, as protobuf messages."""
        return [
            record
            for request in self.logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.take(context)
        self._received.headers.append(dict(context.invocation_metadata()))
        self._received.traces.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.take(context)
        self._received.logs.append(request)
        return logs_service_pb2.ExportLogsServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.take(context)
        self._received.metrics.append(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@contextmanager
def grpc_collector(port: int = 0) -> Iterator[Received]:
    """A collector that takes everything over OTLP/gRPC, on a free port unless it is given one."""
    options = [("grpc.max_receive_message_length", 64 * 2**20), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(2), options=options)
    received = Received(server.add_insecure_port(f"127.0.0.1:{port}"))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(received), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(received), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(received), server)
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()


@contextmanager
def http_collector() -> Iterator[Received]:
    """A collector that takes everything over OTLP/HTTP with protobuf bodies, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.headers.append({key.lower(): value for key, value in self.headers.items()})
            if self.path == "/v1/traces":
                received.traces.append(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            elif self.path == "/v1/logs":
                received.logs.append(logs_service_pb2.ExportLogsServiceRequest.FromString(body))
            self.send_response(200 if self.path in ("/v1/traces", "/v1/logs") else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
