"""Protobuf bytes to Arrow, one flat message type at a time.

    request ─ resources ─ scopes ─ items          one call, the items left as bytes
    Span │ LogRecord │ Metric                     one call, what repeats in them left as bytes
    Event, Link, …DataPoint, Exemplar             one call each, if there are any
    KeyValue, AnyValue, ArrayValue                one call for the attributes of everything, if ``key_values`` left it

``ptars`` decodes by a descriptor. Ours is OTLP's with some message types declared ``repeated bytes``,
which the wire format can't tell apart: it peels one level instead of building columns for twenty
nested ones that are mostly empty (390 µs a call), and attributes of all places come out as one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from ptars import HandlerPool

from agenttracer.collector.decode.large_stack import LIMIT_LEVELS
from agenttracer.schemas.batch import Signal

_OTLP = "opentelemetry.proto."
KEY_VALUE: Final = _OTLP + "common.v1.KeyValue"
ANY_VALUE: Final = _OTLP + "common.v1.AnyValue"
ARRAY_VALUE: Final = _OTLP + "common.v1.ArrayValue"
KEY_VALUE_LIST: Final = _OTLP + "common.v1.KeyValueList"
SPAN: Final = _OTLP + "trace.v1.Span"
EVENT: Final = _OTLP + "trace.v1.Span.Event"
LINK: Final = _OTLP + "trace.v1.Span.Link"
LOG_RECORD: Final = _OTLP + "logs.v1.LogRecord"
METRIC: Final = _OTLP + "metrics.v1.Metric"
NUMBER_POINT: Final = _OTLP + "metrics.v1.NumberDataPoint"
HISTOGRAM_POINT: Final = _OTLP + "metrics.v1.HistogramDataPoint"
EXPONENTIAL_POINT: Final = _OTLP + "metrics.v1.ExponentialHistogramDataPoint"
SUMMARY_POINT: Final = _OTLP + "metrics.v1.SummaryDataPoint"
EXEMPLAR: Final = _OTLP + "metrics.v1.Exemplar"

_LEFT_AS_BYTES = {
    *(KEY_VALUE, ANY_VALUE, ARRAY_VALUE, KEY_VALUE_LIST, SPAN, EVENT, LINK, LOG_RECORD, METRIC),
    *(NUMBER_POINT, HISTOGRAM_POINT, EXPONENTIAL_POINT, SUMMARY_POINT, EXEMPLAR),
}
_NEVER_READ = {"entity_refs", "metadata", "key_strindex", "string_value_strindex"}

_REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
REQUESTS: Final[dict[Signal, str]] = {
    signal: request.DESCRIPTOR.full_name for signal, request in _REQUESTS.items()
}
_REFERENCE: dict[str, Any] = {
    **{request.DESCRIPTOR.full_name: request for request in _REQUESTS.values()},
    KEY_VALUE: common_pb2.KeyValue,
    ANY_VALUE: common_pb2.AnyValue,
}


class Malformed(ValueError):
    """These bytes are not the message they should be; the text says what is wrong, not with which value."""


class Ambiguous(ValueError):
    """Two members of a oneof are set, so the last counts; only ``canonical`` bytes tell which that is."""


def _peeling_handlers() -> dict[str, Any]:
    """A handler for each message, of OTLP's descriptors with ``_LEFT_AS_BYTES`` changed."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: Any) -> None:
        for dependency in file.dependencies:
            add(dependency)
        if file.name not in files:
            files[file.name] = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(files[file.name])

    for request in _REQUESTS.values():
        add(request.DESCRIPTOR.file)
    pool = descriptor_pool.DescriptorPool()
    for file in files.values():
        for message in file.message_type:
            _leave_as_bytes(message)
        pool.Add(file)
    handlers = HandlerPool(
        [pool.FindFileByName(request.DESCRIPTOR.file.name) for request in _REQUESTS.values()]
    )
    names = {*REQUESTS.values(), *_LEFT_AS_BYTES}
    return {name: handlers.get_for_message(pool.FindMessageTypeByName(name)) for name in names}


def _leave_as_bytes(message: descriptor_pb2.DescriptorProto) -> None:
    fields = [field for field in message.field if field.name not in _NEVER_READ]
    for field in fields:
        # A key's value stays a message: it would cost a copy of every attribute.
        if field.type_name.lstrip(".") in _LEFT_AS_BYTES and message.name != "KeyValue":
            field.type = field.TYPE_BYTES
            field.label = field.LABEL_REPEATED
            field.ClearField("type_name")
            field.ClearField("oneof_index")
    kept = [descriptor_pb2.FieldDescriptorProto.FromString(field.SerializeToString()) for field in fields]
    message.ClearField("field")
    message.field.extend(kept)
    for nested in message.nested_type:
        _leave_as_bytes(nested)


_HANDLERS: dict[str, Any] = _peeling_handlers()


def parse(message: str, values: pa.BinaryArray) -> pa.RecordBatch:
    """One row for each value, one column for each field; raises ``Malformed``."""
    try:
        return _HANDLERS[message].array_to_record_batch(values)
    except ValueError as error:
        raise Malformed(str(error).rpartition(": ")[2]) from None
    except BaseException as error:  # a panic in Rust derives from BaseException
        if type(error).__name__ != "PanicException":
            raise
        raise Malformed("a length is out of range") from None


def check(message: str, value: bytes) -> Any:
    """The message as the reference implementation, which limits depth, reads it; raises ``Malformed``."""
    try:
        return _REFERENCE[message].FromString(value)
    except DecodeError as error:
        raise Malformed(str(error).rpartition(": ")[2]) from None


def canonical(message: str, value: bytes) -> bytes:
    """The same message as the reference implementation writes it; raises ``Malformed``."""
    return check(message, value).SerializeToString()


def as_array(bodies: Sequence[bytes]) -> pa.BinaryArray:
    """The bodies as one Arrow array; a single one without a copy."""
    offsets = np.zeros(len(bodies) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, bodies), np.int32, len(bodies)), out=offsets[1:])
    data = bodies[0] if len(bodies) == 1 else b"".join(bodies)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(bodies), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def risky(values: pa.BinaryArray) -> list[int]:
    """Which requests could recurse too deep, or make a length wrap around: they are to pass ``check``."""
    _, offsets_buffer, data_buffer = values.buffers()
    data = np.frombuffer(data_buffer, np.uint8)
    # A length wraps above 2**64 - 11, written with eight bytes of 0xff in a row, which always hold an
    # aligned word of four. (Small negative integers look the same and pay for it.)
    words = np.flatnonzero(np.frombuffer(data_buffer, np.uint32, len(data) // 4) == 0xFFFFFFFF)
    if len(data) <= LIMIT_LEVELS and not len(words):
        return []
    offsets = np.frombuffer(offsets_buffer, np.int32)
    wrapping = np.searchsorted(offsets, 4 * words, side="right") - 1
    # A level begins with a tag of wire type 3: as text goes, an eighth of all bytes looks like one.
    large = np.flatnonzero(np.diff(offsets) > LIMIT_LEVELS).tolist()
    deep = [at for at in large if _count_group_tags(data[offsets[at] : offsets[at + 1]]) > LIMIT_LEVELS]
    return sorted({*deep, *wrapping.tolist()})


def _count_group_tags(data: np.ndarray) -> int:
    return int(np.count_nonzero((data & 7) == 3))
