"""Spans and log records as OTLP requests, and back: what the spool holds.

decode("traces", encode("traces", spans))    # spans again, equal in every byte that is sent
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)


def encode(signal: str, batch: Sequence[Any]) -> bytes:
    """The bytes of an export request for ``traces`` or ``logs``."""
    message: Any = encode_spans(batch) if signal == "traces" else encode_logs(batch)
    return bytes(message.SerializeToString())


def decode(signal: str, payload: bytes) -> list[Any]:
    """The spans or log records of an export request; raises ``ValueError`` for other bytes."""
    try:
        return _spans(payload) if signal == "traces" else _logs(payload)
    except DecodeError:
        raise ValueError(f"not an OTLP request: {len(payload)} bytes") from None


def _spans(payload: bytes) -> list[ReadableSpan]:
    return [
        _span(span, resource, scope)
        for group in ExportTraceServiceRequest.FromString(payload).resource_spans
        for resource in [_resource(group)]
        for scoped in group.scope_spans
        for scope in [_scope(scoped)]
        for span in scoped.spans
    ]


def _logs(payload: bytes) -> list[ReadableLogRecord]:
    return [
        ReadableLogRecord(_record(record), resource, scope)
        for group in ExportLogsServiceRequest.FromString(payload).resource_logs
        for resource in [_resource(group)]
        for scoped in group.scope_logs
        for scope in [_scope(scoped)]
        for record in scoped.log_records
    ]


def _span(span: Any, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    context = _context(span)
    parent = None
    if span.parent_span_id:
        is_remote = bool(span.flags & 0x200)
        parent = SpanContext(
            context.trace_id, _id(span.parent_span_id), is_remote, trace_state=context.trace_state
        )
    return ReadableSpan(
        span.name,
        context,
        parent,
        resource,
        _attributes(span.attributes),
        [Event(event.name, _attributes(event.attributes), event.time_unix_nano) for event in span.events],
        [Link(_context(link), _attributes(link.attributes)) for link in span.links],
        SpanKind(span.kind - 1) if span.kind else SpanKind.INTERNAL,
        status=Status(StatusCode(span.status.code), span.status.message or None),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        instrumentation_scope=scope,
    )


def _record(record: Any) -> LogRecord:
    span = SpanContext(_id(record.trace_id), _id(record.span_id), False, TraceFlags(record.flags))
    return LogRecord(
        timestamp=record.time_unix_nano,
        observed_timestamp=record.observed_time_unix_nano,
        context=set_span_in_context(NonRecordingSpan(span), Context()),
        severity_text=record.severity_text or None,
        severity_number=SeverityNumber(record.severity_number),
        body=_value(record.body),
        attributes=_attributes(record.attributes),
        event_name=record.event_name or None,
    )


def _context(message: Any) -> SpanContext:
    state = TraceState.from_header([message.trace_state] if message.trace_state else [])
    return SpanContext(
        _id(message.trace_id),
        _id(message.span_id),
        bool(message.flags & 0x200),
        TraceFlags(message.flags & 0xFF),
        state,
    )


def _resource(group: Any) -> Resource:
    return Resource(_attributes(group.resource.attributes), group.schema_url or None)


def _scope(scoped: Any) -> InstrumentationScope:
    scope = scoped.scope
    return InstrumentationScope(
        scope.name, scope.version or None, scoped.schema_url or None, _attributes(scope.attributes)
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def _id(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
