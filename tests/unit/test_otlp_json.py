"""OTLP/JSON becomes the protobuf it stands for, and what is wrong is refused without being quoted."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agenttracer.collector.decode.otlp_json import json_to_protobuf
from agenttracer.schemas.batch import Signal

_TRACE_ID, _SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def _span(**fields: Any) -> Any:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}).encode()
    request = ExportTraceServiceRequest.FromString(json_to_protobuf(Signal.TRACES, body))
    return request.resource_spans[0].scope_spans[0].spans[0]


def _value(value: Any) -> Any:
    return _span(attributes=[{"key": "k", "value": value}]).attributes[0].value


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"traceId": _TRACE_ID}, "trace_id", bytes.fromhex(_TRACE_ID)),
        ({"traceId": _TRACE_ID.upper()}, "trace_id", bytes.fromhex(_TRACE_ID)),
        ({"spanId": _SPAN_ID}, "span_id", bytes.fromhex(_SPAN_ID)),
        ({"parentSpanId": _SPAN_ID.upper()}, "parent_span_id", bytes.fromhex(_SPAN_ID)),
        ({"parentSpanId": ""}, "parent_span_id", b""),
        ({"traceId": "abcd"}, "trace_id", b"\xab\xcd"),  # judged where protobuf's ids are
        ({"kind": 3}, "kind", 3),
        ({"kind": 99}, "kind", 99),
        ({"startTimeUnixNano": "1544712660000000000"}, "start_time_unix_nano", 1544712660000000000),
        ({"startTimeUnixNano": 1544712660000000000}, "start_time_unix_nano", 1544712660000000000),
        ({"startTimeUnixNano": 1e3}, "start_time_unix_nano", 1000),
        ({"startTimeUnixNano": str(2**64 - 1)}, "start_time_unix_nano", 2**64 - 1),
        ({"droppedEventsCount": 7}, "dropped_events_count", 7),
        ({"name": "x", "unknown": {"deep": [{}]}}, "name", "x"),
        ({"name": None}, "name", ""),
        ({"dropped_events_count": 7}, "dropped_events_count", 0),  # names are lowerCamelCase only
        ({"name": "cut \ud83d"}, "name", "cut \ufffd"),
        ({"name": "whole \U0001f600"}, "name", "whole \U0001f600"),
    ],
)
def test_span_fields(fields: dict[str, Any], name: str, expected: Any) -> None:
    """Ids are hex in any case, enums numbers, 64-bit integers numbers or strings; unknown fields are ignored."""
    assert expected == getattr(_span(**fields), name)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ({"stringValue": "x"}, "string_value", "x"),
        ({"boolValue": False}, "bool_value", False),
        ({"intValue": "-9223372036854775808"}, "int_value", -(2**63)),
        ({"intValue": 5}, "int_value", 5),
        ({"doubleValue": 1.5}, "double_value", 1.5),
        ({"doubleValue": 2}, "double_value", 2.0),
        ({"doubleValue": "-1.5e3"}, "double_value", -1500.0),
        ({"doubleValue": "-Infinity"}, "double_value", -math.inf),
        ({"bytesValue": "/+8="}, "bytes_value", b"\xff\xef"),
        ({"bytesValue": "_-8"}, "bytes_value", b"\xff\xef"),
        ({"bytesValue": ""}, "bytes_value", b""),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_values(value: Any, kind: str | None, expected: Any) -> None:
    """Every kind of attribute value is read, bytes from base64 of either alphabet; an empty value stays empty."""
    read = _value(value)
    assert kind == read.WhichOneof("value")
    assert kind is None or expected == getattr(read, kind)


def test_not_a_number() -> None:
    """The string NaN is a double."""
    assert math.isnan(_value({"doubleValue": "NaN"}).double_value)


def test_nested_values() -> None:
    """Arrays and key-value lists are read, in each other, to a depth."""
    inner = {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "1"}}]}}
    read = _value({"arrayValue": {"values": [inner, {"stringValue": "x"}]}})
    assert 1 == read.array_value.values[0].kvlist_value.values[0].value.int_value
    assert "x" == read.array_value.values[1].string_value


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "SPAN_KIND_SERVER"},
        {"kind": "3"},
        {"kind": 2**31},
        {"kind": True},
        {"traceId": "zz" * 16},
        {"traceId": "abc"},
        {"traceId": "ab cd"},
        {"traceId": 7},
        {"name": 7},
        {"name": ["x"]},
        {"startTimeUnixNano": "1_000"},
        {"startTimeUnixNano": " 1"},
        {"startTimeUnixNano": "0x1"},
        {"startTimeUnixNano": "９"},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": 1.5},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": True},
        {"startTimeUnixNano": "9" * 5000},
        {"droppedEventsCount": 2**32},
        {"attributes": {}},
        {"attributes": [None]},
        {"attributes": ["x"]},
        {"status": []},
        {"attributes": [{"value": {"boolValue": 1}}]},
        {"attributes": [{"value": {"boolValue": "true"}}]},
        {"attributes": [{"value": {"intValue": ""}}]},
        {"attributes": [{"value": {"intValue": 2**63}}]},
        {"attributes": [{"value": {"doubleValue": "1,5"}}]},
        {"attributes": [{"value": {"doubleValue": True}}]},
        {"attributes": [{"value": {"doubleValue": "1e999"}}]},
        {"attributes": [{"value": {"doubleValue": 10**400}}]},
        {"attributes": [{"value": {"bytesValue": "*"}}]},
        {"attributes": [{"value": {"bytesValue": "é"}}]},
        {"attributes": [{"value": {"bytesValue": 7}}]},
    ],
)
def test_wrong_values_are_refused(fields: dict[str, Any]) -> None:
    """A value that its field can't have is an error, whose text quotes neither values nor names."""
    with pytest.raises(ValueError, match=r"^the JSON has ") as raised:
        _span(**fields)
    assert raised.value.__cause__ is None
    assert not any(str(value) in str(raised.value) for value in fields.values() if len(str(value)) > 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"resourceSpans": [',
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe\xfa",
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"x": NaN}]}]}]}',
        b'{"x": ' + b"1" * 5000 + b"}",
        b'{"x":' + b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Truncated, nested too deep, or not an object: an error, never a crash."""
    with pytest.raises(ValueError, match=r"^the (request's body is not valid )?JSON"):
        json_to_protobuf(Signal.TRACES, body)


@pytest.mark.parametrize(("levels", "fits"), [(40, True), (60, False), (300, False)])
def test_depth_is_limited_to_what_protobuf_reads(levels: int, fits: bool) -> None:
    """Nesting that protobuf parsers take is taken; more is refused."""
    value = '{"arrayValue":{"values":[' * levels + '{"intValue":1}' + "]}}" * levels
    body = f'{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"k","value":{value}}}]}}}}]}}'.encode()
    if fits:
        ExportLogsServiceRequest.FromString(json_to_protobuf(Signal.LOGS, body))
    else:
        with pytest.raises(ValueError, match="nested too deep"):
            json_to_protobuf(Signal.LOGS, body)


def test_exemplars_and_buckets_of_metrics() -> None:
    """Ids inside exemplars are hex too, and lists of numbers may mix numbers and strings."""
    point = {
        "bucketCounts": ["1", 2, "3"],
        "explicitBounds": [0, "0.5"],
        "exemplars": [{"traceId": _TRACE_ID, "spanId": _SPAN_ID, "asInt": "4"}],
    }
    metric = {"name": "m", "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    request = ExportMetricsServiceRequest.FromString(json_to_protobuf(Signal.METRICS, body))
    read = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    assert ([1, 2, 3], [0.0, 0.5]) == (list(read.bucket_counts), list(read.explicit_bounds))
    assert (bytes.fromhex(_TRACE_ID), 4) == (read.exemplars[0].trace_id, read.exemplars[0].as_int)


_VALUES = st.recursive(
    st.one_of(
        st.builds(AnyValue, string_value=st.text()),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
        st.builds(AnyValue, bytes_value=st.binary()),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda values: AnyValue(array_value={"values": values})),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(value=_VALUES, trace_id=st.binary(min_size=16, max_size=16), nanoseconds=st.integers(0, 2**64 - 1))
def test_round_trip(value: AnyValue, trace_id: bytes, nanoseconds: int) -> None:
    """What protobuf's own JSON writer writes, with ids as OTLP has them, comes back as it was."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.time_unix_nano = trace_id, nanoseconds
    record.body.CopyFrom(value)
    written = json_format.MessageToDict(request)
    written_record = written["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    written_record["traceId"] = base64.b64decode(written_record["traceId"]).hex()
    read = json_to_protobuf(Signal.LOGS, json.dumps(written).encode())
    assert request == ExportLogsServiceRequest.FromString(read)
