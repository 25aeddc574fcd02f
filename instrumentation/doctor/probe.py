"""Whether data arrives: one span, sent as the SDK sends, and looked for where it should be stored."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from agenttracer.instrumentation.endpoint import Endpoint, find_endpoint
from agenttracer.instrumentation.otlp import connector
from agenttracer.instrumentation.resource import make_resource

SPAN_NAME = "agenttracer doctor"
_EXPORTERS = "opentelemetry.exporter.otlp"
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Arrival:
    """What became of the probe."""

    endpoint: str
    protocol: str
    accepted: bool
    seconds: float
    trace_id: str | None = None
    stored: bool | None = None
    """None: nobody said where to look."""
    stored_seconds: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class QueryAddress:
    """ClickHouse's HTTP interface, of a server or of the extension ``clickhouse_http``."""

    url: str
    database: str = "default"


def probe(
    api_url: str | None,
    protocol: str | None,
    headers: Mapping[str, str],
    query: QueryAddress | None,
    timeout_seconds: float,
) -> Arrival:
    """Send a span and wait until it is stored. Raises ``ValueError`` for an unusable address."""
    endpoint = _resolved(api_url, protocol)
    assert endpoint.url is not None
    shown, started = endpoint.url, time.monotonic()
    refusal = _refusal(endpoint.url)
    if refusal is not None:
        return Arrival(shown, endpoint.protocol, False, time.monotonic() - started, reason=refusal)
    os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = str(
        max(1, round(timeout_seconds))
    )  # the exporters' retries end
    trace_id, accepted, reason = _send(endpoint, headers)
    seconds = time.monotonic() - started
    if not accepted or query is None:
        return Arrival(shown, endpoint.protocol, accepted, seconds, trace_id, reason=reason)
    stored, reason = _wait_until_stored(query, trace_id, timeout_seconds)
    waited = time.monotonic() - started
    return Arrival(
        shown, endpoint.protocol, True, seconds, trace_id, stored, waited if stored else None, reason
    )


def _resolved(api_url: str | None, protocol: str | None) -> Endpoint:
    """The endpoint with its address, also when that stands in the environment."""
    endpoint = find_endpoint(api_url, protocol, None, os.environ)
    if endpoint.url is None:
        named = (
            os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
        )
        endpoint = find_endpoint(named, endpoint.protocol, None, os.environ)
    return endpoint


def _refusal(url: str) -> str | None:
    """Why nobody can be reached at an address; None when somebody listens."""
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((str(address.hostname), port), timeout=3).close()
    except OSError as error:
        return f"nothing answers at {address.hostname}:{port} ({type(error).__name__})"
    return None


def _send(endpoint: Endpoint, headers: Mapping[str, str]) -> tuple[str, bool, str]:
    """The probe's trace id, whether it was accepted, and the exporter's reason if it wasn't."""
    said = _LastWarning()
    logger = logging.getLogger(_EXPORTERS)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(said)
    sending = _Sending(connector("traces", endpoint, headers)())
    try:
        provider = TracerProvider(resource=make_resource(None, "agenttracer-doctor", None))
        provider.add_span_processor(SimpleSpanProcessor(sending))
        span = provider.get_tracer("agenttracer.doctor").start_span(SPAN_NAME)
        span.end()
        provider.shutdown()
    finally:
        logger.removeHandler(said)
        logger.propagate = propagates
    return f"{span.get_span_context().trace_id:032x}", sending.accepted, said.message


class _Sending(SpanExporter):
    """Sends at once and keeps the answer."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self.accepted = False

    def export(self, spans: Any) -> SpanExportResult:
        self.accepted = self._sender.send(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._sender.shutdown()


class _LastWarning(logging.Handler):
    """What the exporter said last: an address and a status, no telemetry."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.message = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.message = record.getMessage()


def _wait_until_stored(query: QueryAddress, trace_id: str, timeout_seconds: float) -> tuple[bool, str]:
    deadline, reason = time.monotonic() + timeout_seconds, "it is not in otel_traces"
    while True:
        try:
            if _count(query, trace_id):
                return True, ""
        except urllib.error.HTTPError as error:
            reason = f"the store answers with HTTP {error.code}"
        except (OSError, ValueError) as error:
            reason = f"the store can't be asked ({type(error).__name__})"
        if time.monotonic() > deadline:
            return False, reason
        time.sleep(_POLL_SECONDS)


def _count(query: QueryAddress, trace_id: str) -> int:
    if urlsplit(query.url).scheme not in ("http", "https"):
        raise ValueError("not an HTTP address")
    sql = f"SELECT count() AS found FROM otel_traces WHERE TraceId = '{trace_id}' FORMAT JSONEachRow"
    asked = urlencode({"query": sql, "database": query.database})
    request = urllib.request.Request(f"{query.url.rstrip('/')}/?{asked}")
    for name, variable in (
        ("X-ClickHouse-User", "CLICKHOUSE_USER"),
        ("X-ClickHouse-Key", "CLICKHOUSE_PASSWORD"),
    ):
        if os.environ.get(variable):
            request.add_header(name, os.environ[variable])
    with urllib.request.urlopen(request, timeout=5) as answer:
        return int(json.loads(answer.read())["found"])
