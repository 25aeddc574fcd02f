"""How spans and events get out: through providers of our own, or through the program's.

api_url given                    own providers; the program's OpenTelemetry is left alone, traces still join
no api_url, program has its own  the program's providers; nothing is added to them
neither                          own providers, OTEL_EXPORTER_OTLP_* or http://localhost:4317
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, NoOpLoggerProvider, get_logger_provider
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.resources import Resource

from agenttracer import __version__
from agenttracer.instrumentation.endpoint import Endpoint
from agenttracer.instrumentation.export_queue import ExportQueue
from agenttracer.instrumentation.lazy_logs import LazyLoggerProvider
from agenttracer.instrumentation.otlp import SpanQueueing, connector
from agenttracer.instrumentation.run_context import RunAttributes
from agenttracer.instrumentation.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk import _logs as sdk_logs

    from agenttracer.instrumentation.spool import Spool

_SCOPE = "agenttracer"


class Signals(NamedTuple):
    """Where a tracer's spans and events go in: queues of ours to flush and close, others' providers to flush."""

    tracer: trace.Tracer
    logger: Logger
    has_logs: bool
    tracer_provider: trace.TracerProvider
    logger_provider: LoggerProvider
    span_queue: ExportQueue[sdk_trace.ReadableSpan] | None = None
    log_queue: ExportQueue[sdk_logs.ReadableLogRecord] | None = None
    providers: tuple[Any, ...] = ()
    endpoint: Endpoint | None = None
    headers: Mapping[str, str] | None = None
    resource: Resource | None = None
    spool: Spool | None = None

    @property
    def queues(self) -> tuple[ExportQueue[Any], ...]:
        """The queues that exist."""
        return tuple(queue for queue in (self.span_queue, self.log_queue) if queue is not None)


def use_program_providers(
    tracer_provider: trace.TracerProvider | None, logger_provider: LoggerProvider | None
) -> Signals | None:
    """Signals through the providers handed in or set globally; None when there is no tracer provider."""
    traces = tracer_provider or trace.get_tracer_provider()
    if isinstance(traces, trace.ProxyTracerProvider):
        return None
    logs = logger_provider or get_logger_provider()
    return Signals(
        tracer=traces.get_tracer(_SCOPE, __version__),
        logger=logs.get_logger(_SCOPE, __version__),
        # The SDK's providers can be flushed; the API's, which go nowhere, can't.
        has_logs=hasattr(logs, "force_flush") or logger_provider is not None,
        tracer_provider=traces,
        logger_provider=logs,
        providers=(traces, logs),
    )


def make_own_signals(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    resource: Resource,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    max_queue_spans: int,
    export_interval_seconds: float,
    spool: Spool | None = None,
) -> Signals:
    """Signals through providers of our own, bar those handed in, and bounded queues to the endpoint."""
    handed_in = tuple(provider for provider in (tracer_provider, logger_provider) if provider is not None)
    span_queue = log_queue = None
    if tracer_provider is None:
        span_queue = ExportQueue(
            connector("traces", endpoint, headers, spool),
            max_items=max_queue_spans,
            interval_seconds=export_interval_seconds,
        )
        tracer_provider = own_tracer_provider(resource, SpanQueueing(span_queue))
    if logger_provider is None:
        log_queue = ExportQueue(
            connector("logs", endpoint, headers, spool), interval_seconds=export_interval_seconds
        )
        logger_provider = LazyLoggerProvider(resource, log_queue)
    return Signals(
        tracer=tracer_provider.get_tracer(_SCOPE, __version__),
        logger=logger_provider.get_logger(_SCOPE, __version__),
        has_logs=True,
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        span_queue=span_queue,
        log_queue=log_queue,
        providers=handed_in,
        endpoint=endpoint,
        headers=headers,
        resource=resource,
        spool=spool,
    )


def with_policy(settings: Settings, file: str | os.PathLike[str] | None) -> Settings:
    """The settings with a file's policy; raises ``ValueError`` when there is no telling what it forbids."""
    if file is None:
        return settings
    from agenttracer.instrumentation.policy import read_policy

    return settings._replace(policy=read_policy(file))


def make_spool(folder: str | os.PathLike[str], max_bytes: int) -> Spool:
    """The spool in a folder."""
    from agenttracer.instrumentation.spool import Spool

    return Spool(folder, max_bytes)


def make_no_signals() -> Signals:
    """Signals that go nowhere: what is left when the set-up failed."""
    traces, logs = trace.NoOpTracerProvider(), NoOpLoggerProvider()
    return Signals(
        tracer=traces.get_tracer(_SCOPE),
        logger=logs.get_logger(_SCOPE),
        has_logs=False,
        tracer_provider=traces,
        logger_provider=logs,
    )


def own_tracer_provider(resource: Resource, queueing: sdk_trace.SpanProcessor) -> sdk_trace.TracerProvider:
    """A provider whose spans carry their run and go into a queue; it has no exit handler of its own."""
    provider = sdk_trace.TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(RunAttributes())
    provider.add_span_processor(queueing)
    return provider
