"""One set of providers that a process shares: zero-code instrumentation makes it, tracers without address join it.

    signals = share_signals(api_url="http://localhost:4317")
    instrumentor.instrument(tracer_provider=signals.tracer_provider)
    release(timeout_seconds=5)

OpenTelemetry lets a process set its global provider once. So ours, once made, is kept: after a ``release`` it
drops what it is given, until the next ``share_signals`` gives it a new queue.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LoggerProvider
from opentelemetry.trace import TracerProvider, get_tracer_provider

from agenttracer.instrumentation.endpoint import find_endpoint
from agenttracer.instrumentation.lazy_logs import LazyLoggerProvider
from agenttracer.instrumentation.otlp import SpanQueueing
from agenttracer.instrumentation.resource import make_resource
from agenttracer.instrumentation.setup import (
    Signals,
    make_own_signals,
    own_tracer_provider,
    use_program_providers,
)

if TYPE_CHECKING:
    from agenttracer.instrumentation.run_context import Agent
    from agenttracer.instrumentation.spool import Spool

_lock = Lock()
_signals: Signals | None = None
_kept: tuple[Any, SpanQueueing, LazyLoggerProvider] | None = None


def shared() -> Signals | None:
    """What ``share_signals`` made, until ``release``."""
    return _signals


def share_signals(
    api_url: str | None = None,
    *,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    insecure: bool | None = None,
    service_name: str | None = None,
    environment: str | None = None,
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    max_queue_spans: int = 2048,
    export_interval_seconds: float = 1.0,
    spool: Spool | None = None,
) -> Signals:
    """The process's shared signals; only the first call makes them.

    Providers handed in, and a global TracerProvider that isn't ours, are used as they are; else own ones to
    ``api_url``. Raises ``ValueError`` for an unusable address.
    """
    global _signals
    with _lock:
        if _signals is not None:
            return _signals
        ours = _is_kept(get_tracer_provider())
        if tracer_provider is not None or (api_url is None and not ours):
            _signals = use_program_providers(tracer_provider, logger_provider)
        if _signals is None:
            _signals = _keep(
                make_own_signals(
                    find_endpoint(api_url, protocol, insecure, os.environ),
                    headers or {},
                    make_resource(None, service_name, environment),
                    max_queue_spans=max_queue_spans,
                    export_interval_seconds=export_interval_seconds,
                    spool=spool,
                )
            )
            atexit.register(release)
        return _signals


def release(timeout_seconds: float = 5.0) -> bool:
    """Send what waits and forget the shared signals; False when something was not sent in time."""
    global _signals
    with _lock:
        signals, _signals = _signals, None
    atexit.unregister(release)
    deadline = monotonic() + timeout_seconds
    queues = () if signals is None else signals.queues
    closed = [queue.close(max(0.0, deadline - monotonic())) for queue in queues]
    return all(closed)


def _keep(fresh: Signals) -> Signals:
    """The fresh signals' queues behind the providers of the first ones, which the program may hold."""
    global _kept
    assert fresh.span_queue is not None
    assert fresh.log_queue is not None
    assert fresh.resource is not None
    if _kept is None:
        queueing = SpanQueueing(fresh.span_queue)
        logs = LazyLoggerProvider(fresh.resource, fresh.log_queue)
        _kept = own_tracer_provider(fresh.resource, queueing), queueing, logs
    traces, queueing, logs = _kept
    queueing.queue, logs.queue = fresh.span_queue, fresh.log_queue
    return fresh._replace(
        tracer=traces.get_tracer("agenttracer"),
        logger=logs.get_logger("agenttracer"),
        tracer_provider=traces,
        logger_provider=logs,
    )


def join_signals(
    agent: Agent,
    api_url: str | None,
    *,
    protocol: str | None,
    headers: Mapping[str, str] | None,
    insecure: bool | None,
    service_name: str | None,
    environment: str | None,
    tracer_provider: TracerProvider | None,
    logger_provider: LoggerProvider | None,
    max_queue_spans: int,
    export_interval_seconds: float,
    spool: Spool | None,
) -> tuple[Signals, bool]:
    """A tracer's signals, and whether they are the shared ones. Raises ``ValueError`` for an unusable address."""
    if api_url is None:
        if _signals is not None and tracer_provider is None:
            return _signals, True
        if tracer_provider is not None or not _is_kept(get_tracer_provider()):
            signals = use_program_providers(tracer_provider, logger_provider)
            if signals is not None:
                return signals, False
    endpoint = find_endpoint(api_url, protocol, insecure, os.environ)
    if _signals is not None and _signals.endpoint == endpoint and tracer_provider is None:
        return _signals, True
    own = make_own_signals(
        endpoint,
        headers or {},
        make_resource(agent, service_name, environment),
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        max_queue_spans=max_queue_spans,
        export_interval_seconds=export_interval_seconds,
        spool=spool,
    )
    return own, False


def _is_kept(provider: object) -> bool:
    return _kept is not None and provider is _kept[0]
