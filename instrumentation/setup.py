"""How spans and events get out: through providers of our own, or through the program's.

api_url given                    own providers; the program's OpenTelemetry is left alone, traces still join
no api_url, program has its own  the program's providers; nothing is added to them
neither                          own providers, OTEL_EXPORTER_OTLP_* or http://localhost:4317
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, NoOpLoggerProvider, get_logger_provider
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.resources import Resource

from agenttracer import __version__
from agenttracer.instrumentation.endpoint import Endpoint
from agenttracer.instrumentation.export_queue import ExportQueue
from agenttracer.instrumentation.otlp import LogQueueing, SpanQueueing, exporters
from agenttracer.instrumentation.run_context import Agent, RunAttributes
from agenttracer.schemas import semconv

_SCOPE = "agenttracer"


@dataclass(frozen=True)
class Signals:
    """Where a tracer's spans and events go in: queues of ours to flush and close, others' providers to flush."""

    tracer: trace.Tracer
    logger: Logger
    has_logs: bool
    span_queue: ExportQueue[sdk_trace.ReadableSpan] | None = None
    log_queue: ExportQueue[sdk_logs.ReadableLogRecord] | None = None
    providers: tuple[Any, ...] = ()

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
        has_logs=isinstance(logs, sdk_logs.LoggerProvider) or logger_provider is not None,
        providers=(traces, logs),
    )


def make_resource(agent: Agent, service_name: str | None, environment: str | None) -> Resource:
    """The resource of our own providers; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES fill what isn't given."""
    found = Resource.create({}).attributes
    attributes = {
        semconv.SERVICE_NAME: service_name or _named(found.get(semconv.SERVICE_NAME)) or agent.id,
        semconv.SERVICE_VERSION: found.get(semconv.SERVICE_VERSION) or agent.version,
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: environment or found.get(semconv.DEPLOYMENT_ENVIRONMENT_NAME),
        semconv.TELEMETRY_DISTRO_NAME: "agenttracer",
        semconv.TELEMETRY_DISTRO_VERSION: __version__,
    }
    return Resource.create({key: value for key, value in attributes.items() if value})


def _named(service_name: object) -> str | None:
    """The service's name, unless it is what OpenTelemetry writes for want of one."""
    return (
        None if service_name is None or str(service_name).startswith("unknown_service") else str(service_name)
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
) -> Signals:
    """Signals through providers of our own, bar those handed in, and bounded queues to the endpoint."""
    connect_spans, connect_logs = exporters(endpoint, headers)
    handed_in = tuple(provider for provider in (tracer_provider, logger_provider) if provider is not None)
    span_queue = log_queue = None
    if tracer_provider is None:
        span_queue = ExportQueue(
            connect_spans, max_items=max_queue_spans, interval_seconds=export_interval_seconds
        )
        tracer_provider = _own_tracer_provider(resource, span_queue)
    if logger_provider is None:
        log_queue = ExportQueue(connect_logs, interval_seconds=export_interval_seconds)
        logger_provider = sdk_logs.LoggerProvider(resource=resource, shutdown_on_exit=False)
        logger_provider.add_log_record_processor(LogQueueing(log_queue))
    return Signals(
        tracer=tracer_provider.get_tracer(_SCOPE, __version__),
        logger=logger_provider.get_logger(_SCOPE, __version__),
        has_logs=True,
        span_queue=span_queue,
        log_queue=log_queue,
        providers=handed_in,
    )


def make_no_signals() -> Signals:
    """Signals that go nowhere: what is left when the set-up failed."""
    return Signals(
        tracer=trace.NoOpTracerProvider().get_tracer(_SCOPE),
        logger=NoOpLoggerProvider().get_logger(_SCOPE),
        has_logs=False,
    )


def _own_tracer_provider(
    resource: Resource, queue: ExportQueue[sdk_trace.ReadableSpan]
) -> sdk_trace.TracerProvider:
    provider = sdk_trace.TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(RunAttributes())
    provider.add_span_processor(SpanQueueing(queue))
    return provider
