"""Every place of an OTLP request that holds text, found by walking the descriptors of its messages.

resource_spans.scope_spans.spans.status.message
resource_spans.resource.attributes.key
resource_spans.resource.attributes.value.kvlist_value.values.value.bytes_value

So a field that a later version of OTLP brings can't be forgotten. Ids are opaque bytes, their format
enforced where they are decoded; values are followed into two levels of arrays and kvlists.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

ANY_VALUE = AnyValue.DESCRIPTOR.full_name
KEY_VALUE = KeyValue.DESCRIPTOR.full_name
LEVELS = 2
_IDS = ("trace_id", "span_id", "parent_span_id")

MAY_BE_LABELS = {
    "InstrumentationScope.name", "InstrumentationScope.version", "ResourceSpans.schema_url",
    "ScopeSpans.schema_url", "ResourceLogs.schema_url", "ScopeLogs.schema_url",
    "ResourceMetrics.schema_url", "ScopeMetrics.schema_url", "Event.name", "LogRecord.severity_text",
    "LogRecord.event_name", "Metric.name", "Metric.unit",
}  # fmt: skip
"""Fields whose columns keep labels and names; every other one, those to come included, keeps no text."""


def is_text(field: FieldDescriptor) -> bool:
    """Whether a field is a string or bytes, and no id."""
    return field.type in (field.TYPE_STRING, field.TYPE_BYTES) and field.name not in _IDS


def may_be_label(field: FieldDescriptor) -> bool:
    """Whether a word in this field may be kept as the label that it looks like."""
    return f"{field.containing_type.name}.{field.name}" in MAY_BE_LABELS


def text_places(descriptor: Descriptor) -> frozenset[str]:
    """Every place of a message that holds text."""
    return frozenset(_walk(descriptor, "", 0))


def _walk(descriptor: Descriptor, path: str, level: int) -> Iterator[str]:
    deeper = level + (descriptor.full_name == ANY_VALUE)
    for field in descriptor.fields:
        place = f"{path}.{field.name}" if path else field.name
        if field.message_type is None:
            if is_text(field):
                yield place
        elif not (descriptor.full_name == ANY_VALUE and level >= LEVELS):
            yield from _walk(field.message_type, place, deeper)
