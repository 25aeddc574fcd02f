"""OTLP/JSON to OTLP protobuf, by the rules in which it differs from proto3's JSON.

    {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5B8EFFF7…", "kind": 2, "name": "…"}]}]}]}

    ids        hex, upper or lower case           other bytes   base64
    enums      numbers only                       64-bit        numbers, or numbers in strings
    names      lowerCamelCase                     unknown       ignored
    null       as if it were not there

An error names what kind of value is wrong, never the value nor the name it was given.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agenttracer.schemas.batch import Signal

MAX_DEPTH = 96
"""Messages within messages; protobuf parsers stop at 100."""

_REQUESTS: Mapping[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_to_protobuf(signal: Signal, body: bytes) -> bytes:
    """An Export…ServiceRequest in JSON as protobuf; raises ``ValueError`` whose text holds nothing of it."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
    except ValueError:
        raise ValueError("the request's body is not valid JSON") from None
    request = _REQUESTS[signal]()
    _fill(request, value, MAX_DEPTH)
    return request.SerializeToString()


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


def _fill(message: Message, value: object, depth: int) -> None:
    if not isinstance(value, dict):
        raise ValueError("the JSON has another value where an object must be")
    if not depth:
        raise ValueError("the JSON is nested too deep")
    fields = _fields(message.DESCRIPTOR)
    for key, inner in value.items():
        field = fields.get(key)
        if field is not None and inner is not None:
            field.set(message, inner, depth)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message and how its JSON is read; ``read`` is None for a message."""

    name: str
    repeated: bool
    read: Callable[[object], Any] | None

    def set(self, message: Message, value: object, depth: int) -> None:
        if self.repeated:
            if not isinstance(value, list):
                raise ValueError("the JSON has another value where an array must be")
            target = getattr(message, self.name)
            if self.read is None:
                for element in value:
                    _fill(target.add(), element, depth - 1)
            else:
                target.extend(map(self.read, value))
        elif self.read is None:
            target = getattr(message, self.name)
            target.SetInParent()
            _fill(target, value, depth - 1)
        else:
            setattr(message, self.name, self.read(value))


@cache
def _fields(descriptor: Descriptor) -> Mapping[str, _Field]:
    return {
        field.json_name: _Field(field.name, field.is_repeated, _reader(field)) for field in descriptor.fields
    }


def _reader(field: FieldDescriptor) -> Callable[[object], Any] | None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return None
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _read_hex if field.name.endswith("_id") else _read_base64
    return _READERS[field.type]


def _read_string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("the JSON has another value where a string must be")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: some SDKs cut strings to a length in UTF-16.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _read_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("the JSON has another value where true or false must be")
    return value


def _read_double(value: object) -> float:
    number = math.inf
    if isinstance(value, str):
        if value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if _FLOAT.fullmatch(value):
            number = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
    if math.isinf(number):
        raise ValueError("the JSON has another value where a number must be")
    return number


def _integer_reader(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str):
            value = int(value) if _INTEGER.fullmatch(value) else None
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError("the JSON has another value where an integer of its field's range must be")
        return value

    return read


def _read_enum(value: object) -> int:
    if isinstance(value, str):
        raise ValueError("the JSON has a string where an enum's number must be")
    return _read_int32(value)


def _read_hex(value: object) -> bytes:
    text = value if isinstance(value, str) else "?"
    try:
        read = bytes.fromhex(text)
    except ValueError:
        read = b""
    if len(read) * 2 != len(text):  # fromhex skips spaces
        raise ValueError("the JSON has an id that is not hexadecimal")
    return read


def _read_base64(value: object) -> bytes:
    try:
        text = value.rstrip("=").translate(_URL_SAFE) if isinstance(value, str) else "?"
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError("the JSON has bytes that are not base64") from None


_URL_SAFE = str.maketrans("-_", "+/")
_read_int32 = _integer_reader(-(2**31), 2**31 - 1)
_read_int64 = _integer_reader(-(2**63), 2**63 - 1)
_read_uint32 = _integer_reader(0, 2**32 - 1)
_read_uint64 = _integer_reader(0, 2**64 - 1)
_READERS: Mapping[int, Callable[[object], Any]] = {
    FieldDescriptor.TYPE_STRING: _read_string,
    FieldDescriptor.TYPE_BOOL: _read_bool,
    FieldDescriptor.TYPE_DOUBLE: _read_double,
    FieldDescriptor.TYPE_ENUM: _read_enum,
    FieldDescriptor.TYPE_INT32: _read_int32,
    FieldDescriptor.TYPE_SINT32: _read_int32,
    FieldDescriptor.TYPE_SFIXED32: _read_int32,
    FieldDescriptor.TYPE_INT64: _read_int64,
    FieldDescriptor.TYPE_SINT64: _read_int64,
    FieldDescriptor.TYPE_SFIXED64: _read_int64,
    FieldDescriptor.TYPE_UINT32: _read_uint32,
    FieldDescriptor.TYPE_FIXED32: _read_uint32,
    FieldDescriptor.TYPE_UINT64: _read_uint64,
    FieldDescriptor.TYPE_FIXED64: _read_uint64,
}
