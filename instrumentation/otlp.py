"""OpenTelemetry's OTLP exporters behind our queues: the processor that puts in, the sender that takes out."""

from __future__ import annotations

# Imported here because it can't be once the interpreter shuts down, and gRPC, which is loaded later, needs it.
import concurrent.futures.thread  # noqa: F401
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.sdk import trace as sdk_trace

from agenttracer.instrumentation.endpoint import Endpoint
from agenttracer.instrumentation.export_queue import ExportQueue, Sender
from agenttracer.instrumentation.quiet import QUIET

if TYPE_CHECKING:
    from agenttracer.instrumentation.spool import Spool

Signal = Literal["traces", "logs", "metrics"]

_EXPORTERS: Mapping[Signal, tuple[str, str]] = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}


class OtlpSender:
    """An OpenTelemetry exporter behind an export queue."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        QUIET.begin()

    def send(self, batch: Sequence[Any]) -> bool:
        """Export, with the exporter's own retries; False when it gave up."""
        return self._exporter.export(batch).name == "SUCCESS"

    def shutdown(self) -> None:
        """Close the exporter's connection, which ends an export under way."""
        self._exporter.shutdown()
        QUIET.end()


class MetricSender(OtlpSender):
    """The same for metrics, whose exporter takes one collection at a time."""

    def send(self, batch: Sequence[Any]) -> bool:
        """Export each collection; False when one was given up."""
        sent = [self._exporter.export(data).name == "SUCCESS" for data in batch]
        return all(sent)


class SpanQueueing(sdk_trace.SpanProcessor):
    """Puts sampled spans into the queue as they end."""

    def __init__(self, queue: ExportQueue[sdk_trace.ReadableSpan]) -> None:
        self.queue = queue

    def on_end(self, span: sdk_trace.ReadableSpan) -> None:
        """Queue the span; a full queue drops it and counts it."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.queue.put(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self.queue.flush(timeout_millis / 1000)


def connector(
    signal: Signal, endpoint: Endpoint, headers: Mapping[str, str], spool: Spool | None = None
) -> Callable[[], Sender[Any]]:
    """What connects for a signal. It loads the transport, which takes longer than all the rest: in the queue's
    thread, with the first item.
    """

    def connect() -> Sender[Any]:
        sender = (MetricSender if signal == "metrics" else OtlpSender)(_exporter(signal, endpoint, headers))
        if spool is None or signal == "metrics":  # a metric's value of an hour ago is of no use
            return sender
        from agenttracer.instrumentation.spooling import SpoolingSender

        return SpoolingSender(sender, spool, signal)

    return connect


def _exporter(signal: Signal, endpoint: Endpoint, headers: Mapping[str, str]) -> Any:
    options: dict[str, Any] = {
        "endpoint": endpoint.signal_url(signal),
        "headers": {key.lower(): value for key, value in headers.items()} or None,
    }
    transport = "http"
    if endpoint.protocol == "grpc":
        transport = "grpc"
        options["insecure"] = endpoint.insecure
    module, name = _EXPORTERS[signal]
    exporter: Callable[..., Any] = getattr(
        import_module(f"opentelemetry.exporter.otlp.proto.{transport}.{module}"), name
    )
    return exporter(**options)
