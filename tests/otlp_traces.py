"""OTLP trace requests from plain Python: ``request(span("chat", {"gen_ai.operation.name": "chat"}))``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

START_UNIX_NS = time.time_ns()
"""Now: rows that are older than the store keeps them would be gone at once."""
_identifiers = itertools.count(1)


def value(given: Any) -> AnyValue:
    """A Python value as OTLP carries it."""
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    made = AnyValue()
    if isinstance(given, str):
        made.string_value = given
    elif isinstance(given, Mapping):
        made.kvlist_value.values.extend(attributes(given))
    elif isinstance(given, Sequence):
        made.array_value.values.extend(value(element) for element in given)
        made.array_value.SetInParent()
    return made


def attributes(given: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(each)) for key, each in given.items()]


def span(
    name: str = "span",
    given: Mapping[str, Any] | None = None,
    *,
    trace: int = 1,
    identifier: int | None = None,
    parent: int | None = None,
    error: str | None = None,
    events: Sequence[tuple[str, Mapping[str, Any]]] = (),
    **fields: Any,
) -> Span:
    """A span; ``error`` is the message of an error status, ``parent`` another span's identifier."""
    made = Span(
        name=name,
        trace_id=trace.to_bytes(16, "big"),
        span_id=(identifier or next(_identifiers) + 1_000_000).to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=START_UNIX_NS,
        end_time_unix_nano=START_UNIX_NS + 1_000_000,
        attributes=attributes(given or {}),
        events=[
            Span.Event(name=event, time_unix_nano=START_UNIX_NS, attributes=attributes(held))
            for event, held in events
        ],
        **fields,
    )
    if error is not None:
        made.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=error))
    return made


def request(
    *spans: Span, resource: Mapping[str, Any] | None = None, scope: str = "tests"
) -> ExportTraceServiceRequest:
    """A request with one resource and one scope."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add()
    of_resource.resource.attributes.extend(attributes({"service.name": "tests", **(resource or {})}))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    of_scope.spans.extend(spans)
    return made
