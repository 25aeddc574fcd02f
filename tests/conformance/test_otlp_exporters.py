"""The OpenTelemetry SDK's own exporters can send everything to the receiver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agenttracer.collector.component import Accepted, Request
from agenttracer.collector.errors import Unavailable
from agenttracer.schemas.batch import Signal
from tests.otlp_harness import REQUEST_TYPES, FakePipeline, Running, parse_and_accept, running_receiver

_EXPORTERS: dict[tuple[str, Signal], type[Any]] = {
    ("grpc", Signal.TRACES): GrpcSpanExporter,
    ("grpc", Signal.LOGS): GrpcLogExporter,
    ("grpc", Signal.METRICS): GrpcMetricExporter,
    ("http", Signal.TRACES): HttpSpanExporter,
    ("http", Signal.LOGS): HttpLogExporter,
    ("http", Signal.METRICS): HttpMetricExporter,
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One receiver for all exporters."""
    with running_receiver() as started:
        yield started


@pytest.fixture(autouse=True)
def _forget(running: Running) -> None:
    running.pipeline.requests.clear()
    running.pipeline.answer = parse_and_accept


def _telemetry(signal: Signal) -> Any:
    """What the SDK hands to an exporter."""
    if signal is Signal.TRACES:
        spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(spans))
        tracers.get_tracer("test").start_span("execute_tool search").end()
        tracers.shutdown()
        return spans.get_finished_spans()
    if signal is Signal.LOGS:
        logs = InMemoryLogRecordExporter()
        loggers = LoggerProvider()
        loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
        loggers.get_logger("test").emit(LogRecord(event_name="agent.run.started"))
        loggers.shutdown()
        return logs.get_finished_logs()
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    meters.get_meter("test").create_counter("runs").add(1)
    metrics = reader.get_metrics_data()
    meters.shutdown()
    return metrics


def _export(running: Running, transport: str, signal: Signal, *, gzip: bool = False, **options: Any) -> str:
    """Export once with the SDK's exporter; the name of its result."""
    if transport == "grpc":
        compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        options |= {"endpoint": f"localhost:{running.grpc_port}", "insecure": True}
    else:
        compression = Compression.Gzip if gzip else Compression.NoCompression
        options |= {"endpoint": f"http://localhost:{running.http_port}/v1/{signal}"}
    exporter = _EXPORTERS[transport, signal](compression=compression, **options)
    try:
        return str(exporter.export(_telemetry(signal)).name)
    finally:
        exporter.shutdown()


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_every_signal_arrives(running: Running, transport: str, signal: Signal, gzip: bool) -> None:
    """Each signal's exporter succeeds, and the pipeline gets the protobuf that it sent, uncompressed."""
    assert "SUCCESS" == _export(running, transport, signal, gzip=gzip)
    (request,) = running.pipeline.requests
    assert (signal, "default", "otlp", transport) == (
        request.signal,
        request.tenant,
        request.receiver,
        request.transport,
    )
    assert 1 == len(REQUEST_TYPES[signal].FromString(request.body).ListFields())


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_back_pressure_is_retried(running: Running, transport: str) -> None:
    """A request refused as unavailable is sent again by the exporter, the same bytes, until it is stored."""
    answers = iter([Unavailable("the journal is full", retry_after_seconds=0.1), None])

    def refuse_once(request: Request) -> Accepted:
        error = next(answers)
        if error is not None:
            raise error
        return Accepted()

    running.pipeline.answer = refuse_once
    assert "SUCCESS" == _export(running, transport, Signal.TRACES)
    first, second = running.pipeline.requests
    assert first.body == second.body


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_partial_success_is_success(running: Running, transport: str) -> None:
    """Exporters must not repeat a request of which some rows were refused for good."""
    running.pipeline.answer = lambda _: Accepted(1, "1 span has an invalid id")
    assert "SUCCESS" == _export(running, transport, Signal.TRACES)
    assert 1 == len(running.pipeline.requests)


def test_fake_pipeline_is_used(running: Running) -> None:
    """The harness counts what it answers, so that the tests above test something."""
    assert isinstance(running.pipeline, FakePipeline)
    before = running.requests("grpc", "success")
    _export(running, "grpc", Signal.LOGS)
    assert before + 1 == running.requests("grpc", "success")
