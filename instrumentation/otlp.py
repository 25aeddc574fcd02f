"""OpenTelemetry's OTLP exporters behind our queues: the processors that put in, the senders that take out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from agenttracer.instrumentation.endpoint import Endpoint
from agenttracer.instrumentation.export_queue import ExportQueue


class OtlpSender:
    """An OpenTelemetry exporter behind an export queue."""

    def __init__(self, exporter: Any, success: object) -> None:
        self._exporter = exporter
        self._success = success

    def send(self, batch: Sequence[Any]) -> bool:
        """Export, with the exporter's own retries; False when it gave up."""
        return self._exporter.export(batch) is self._success

    def shutdown(self) -> None:
        """Close the exporter's connection, which ends an export under way."""
        self._exporter.shutdown()


class SpanQueueing(sdk_trace.SpanProcessor):
    """Puts sampled spans into the queue as they end."""

    def __init__(self, queue: ExportQueue[sdk_trace.ReadableSpan]) -> None:
        self._queue = queue

    def on_end(self, span: sdk_trace.ReadableSpan) -> None:
        """Queue the span; a full queue drops it and counts it."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._queue.put(span)


class LogQueueing(sdk_logs.LogRecordProcessor):
    """Puts log records into the queue, with the size of their bodies."""

    def __init__(self, queue: ExportQueue[sdk_logs.ReadableLogRecord]) -> None:
        self._queue = queue

    def on_emit(self, log_record: sdk_logs.ReadWriteLogRecord) -> None:
        """Queue the record without the context that it would keep alive."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        readable = sdk_logs.ReadableLogRecord(
            log_record=record,
            resource=log_record.resource or Resource.get_empty(),
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        self._queue.put(readable, len(record.body) if isinstance(record.body, bytes) else 0)

    def shutdown(self) -> None:
        """Nothing: the tracer closes the queue."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._queue.flush(timeout_millis / 1000)


def exporters(
    endpoint: Endpoint, headers: Mapping[str, str]
) -> tuple[Callable[[], OtlpSender], Callable[[], OtlpSender]]:
    """What connects for spans, and for logs.

    The modules are imported now, on the caller's thread: while the interpreter shuts down some no longer import.
    """
    options: dict[str, Any] = {"headers": {key.lower(): value for key, value in headers.items()} or None}
    if endpoint.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter, trace_exporter

        options["insecure"] = endpoint.insecure
    else:
        from opentelemetry.exporter.otlp.proto.http import _log_exporter, trace_exporter  # type: ignore[no-redef]

    def connect_spans() -> OtlpSender:
        exporter = trace_exporter.OTLPSpanExporter(endpoint=endpoint.signal_url("traces"), **options)
        return OtlpSender(exporter, SpanExportResult.SUCCESS)

    def connect_logs() -> OtlpSender:
        exporter = _log_exporter.OTLPLogExporter(endpoint=endpoint.signal_url("logs"), **options)
        return OtlpSender(exporter, LogRecordExportResult.SUCCESS)

    return connect_spans, connect_logs
