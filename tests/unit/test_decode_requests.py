"""What becomes of requests that real senders never make: decode's own rules, one by one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agenttracer.collector.decode import Decoded, Outcome, decode, wire
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from tests.otlp_reference import as_values, reference

RECEIVED = 1_700_000_000_000_000_000
LAST_NS = 2**63 - 1


def _span(number: int = 1, **fields: Any) -> Span:
    fields = {
        "trace_id": bytes([number] * 16),
        "span_id": bytes([number] * 8),
        "start_time_unix_nano": 5,
    } | fields
    return Span(**fields)


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _traces(*spans: Span, resource: Resource | None = None) -> bytes:
    scopes = [ScopeSpans(spans=spans)]
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=scopes)])
    return request.SerializeToString()


def _logs(*records: LogRecord) -> bytes:
    scopes = [ScopeLogs(log_records=records)]
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=scopes)]).SerializeToString()


def _metrics(*metrics: Metric) -> bytes:
    scopes = [ScopeMetrics(metrics=metrics)]
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=scopes)]
    ).SerializeToString()


def _decode(signal: Signal, *bodies: bytes) -> Decoded:
    return decode(signal, bodies, "tenant", RECEIVED)


def _batch(signal: Signal, *bodies: bytes) -> Batch:
    batch = _decode(signal, *bodies).batch
    assert batch is not None
    return batch


def _column(table: pa.RecordBatch, name: str) -> list[Any]:
    column = table.column(name)
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()


def _agrees(signal: Signal, body: bytes) -> None:
    expected, _ = reference(signal, [body], "tenant", RECEIVED)
    assert expected
    assert expected == as_values(_decode(signal, body).batch)


def test_nothing() -> None:
    """No requests, empty ones, and ones without rows make no batch and are no error."""
    assert Decoded(None, ()) == _decode(Signal.TRACES)
    assert Decoded(None, (Outcome(), Outcome())) == _decode(Signal.LOGS, b"", _logs())


@pytest.mark.parametrize("bad", [b"\x0a\x05abc", b"garbage", b"\x0a\x02\x1a\xff", _traces(_span())[:-1]])
def test_one_malformed_request(bad: bytes) -> None:
    """A malformed request is refused with its size and a reason; the others of its group are as if alone."""
    decoded = _decode(Signal.TRACES, _traces(_span(1)), bad, _traces(_span(2), _span(3)))
    assert [1, 0, 2] == [outcome.rows for outcome in decoded.outcomes]
    assert ["", "malformed", ""] == [outcome.error for outcome in decoded.outcomes]
    assert decoded.outcomes[1].message.startswith("not a protobuf request of OTLP traces: ")
    assert f"({len(bad)} bytes)" in decoded.outcomes[1].message
    assert decoded.batch is not None
    assert ["01" * 8, "02" * 8, "03" * 8] == _column(decoded.batch.rows, "SpanId")


def test_malformed_messages_carry_no_content() -> None:
    """Whatever the reason, the message shows nothing of what was sent."""
    body = _traces(_span(name="secret"), _span(name="secret"))
    for at in range(len(body)):
        for outcome in _decode(Signal.TRACES, body[:at], body[:at] + b"\xff" + body[at:]).outcomes:
            assert "secret" not in outcome.message


def test_length_that_wraps_around(capfd: pytest.CaptureFixture[str]) -> None:
    """A length near 2**64 is malformed like any other that is too long, and nothing is printed."""
    wraps = b"\xff" * 9 + b"\x01"
    for body in (b"\x0a" + wraps, b"\x0a\x0b\x0a" + wraps, b"\x7a" + wraps + b"\x00\x00"):
        assert ["malformed"] == [outcome.error for outcome in _decode(Signal.TRACES, body).outcomes]
    assert ("", "") == capfd.readouterr()


def test_panic_in_the_decoder(capfd: pytest.CaptureFixture[str]) -> None:
    """Were a request to get past these checks, the decoder's panic is a malformed request, no more."""
    with pytest.raises(wire.Malformed, match="a length is out of range"):
        wire.parse(wire.ANY_VALUE, wire.as_array([b"\x0a" + b"\xff" * 9 + b"\x01"]))
    assert "panicked" in capfd.readouterr().err


def test_negative_numbers() -> None:
    """Negative integers, whose bytes look like such lengths, are accepted."""
    attributes = [KeyValue(key="k", value=AnyValue(int_value=number)) for number in (-1, -2, -(2**63))]
    batch = _batch(Signal.TRACES, _traces(_span(attributes=attributes)))
    assert [-1, -2, -(2**63)] == _column(batch.attributes, "int")


@pytest.mark.parametrize(
    "ids",
    [
        {"trace_id": b""},
        {"trace_id": bytes(16)},
        {"trace_id": b"x" * 15},
        {"trace_id": b"x" * 17},
        {"span_id": b""},
        {"span_id": bytes(8)},
        {"span_id": b"x" * 9},
    ],
)
def test_span_with_invalid_ids(ids: dict[str, bytes]) -> None:
    """A span with an invalid id is refused with all that hangs on it, and nothing else."""

    def span(number: int, **ids: bytes) -> Span:
        key = f"of {number}"
        event = Span.Event(name=key, attributes=[_text(key, "event")])
        link = Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=[_text(key, "link")])
        return _span(number, attributes=[_text(key, "span")], events=[event], links=[link], **ids)

    decoded = _decode(Signal.TRACES, _traces(span(1), span(2, **ids), span(3)), _traces(span(4)))
    assert (Outcome(rows=2, rejected_rows=1), Outcome(rows=1)) == decoded.outcomes
    assert decoded.batch is not None
    assert ["01" * 8, "03" * 8, "04" * 8] == _column(decoded.batch.rows, "SpanId")
    assert ["of 1", "of 3", "of 4"] * 3 == _column(decoded.batch.attributes, "key")
    assert [0, 1, 2] * 3 == _column(decoded.batch.attributes, "owner")
    assert [0, 1, 2] == _column(decoded.batch.tables["events"], "Owner")
    assert [0, 1, 2] == _column(decoded.batch.tables["links"], "Owner")


def test_only_invalid_spans() -> None:
    """A request whose every span is refused leaves no batch."""
    assert Decoded(None, (Outcome(rejected_rows=2),)) == _decode(Signal.TRACES, _traces(Span(), Span()))


def test_invalid_parent_id() -> None:
    """A parent id of the wrong length makes the span a root."""
    batch = _batch(
        Signal.TRACES, _traces(*(_span(parent_span_id=each) for each in (b"p" * 8, b"p", bytes(8))))
    )
    assert [(b"p" * 8).hex(), "", ""] == _column(batch.rows, "ParentSpanId")


def test_link_with_invalid_ids() -> None:
    """A link that leads nowhere is left out with its attributes; its span stays."""
    good = Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=[_text("good", "")])
    bad = Span.Link(trace_id=b"t", span_id=b"s" * 8, attributes=[_text("bad", "")])
    batch = _batch(Signal.TRACES, _traces(_span(links=[bad]), _span(links=[bad, good])))
    assert [1] == _column(batch.tables["links"], "Owner")
    assert [("good", Place.LINK, 0)] == list(
        zip(*(_column(batch.attributes, name) for name in ("key", "place", "owner")), strict=True)
    )


def test_span_times() -> None:
    """No start: when it was received. An end before the start: no duration. Beyond the year 2262: its end."""
    times = [(0, RECEIVED + 7), (9, 8), (2**64 - 1, 2**64 - 1), (5, 2**64 - 1)]
    spans = [_span(start_time_unix_nano=start, end_time_unix_nano=end) for start, end in times]
    rows = _batch(Signal.TRACES, _traces(*spans)).rows
    assert [RECEIVED, 9, LAST_NS, 5] == _column(rows, "Timestamp")
    assert [7, 0, 0, 2**64 - 6] == _column(rows, "Duration")


def test_unknown_enum_numbers() -> None:
    """A kind or status code from the future means unspecified and unset."""
    spans = [_span(kind=kind, status={"code": code}) for kind, code in ((5, 2), (6, 3), (-1, -1))]
    rows = _batch(Signal.TRACES, _traces(*spans)).rows
    assert ["Consumer", "Unspecified", "Unspecified"] == _column(rows, "SpanKind")
    assert ["Error", "Unset", "Unset"] == _column(rows, "StatusCode")


def test_log_times() -> None:
    """A record without a time has that of its observation, else of its receipt."""
    records = [
        LogRecord(time_unix_nano=3, observed_time_unix_nano=4),
        LogRecord(observed_time_unix_nano=4),
        LogRecord(),
    ]
    assert [3, 4, RECEIVED] == _column(_batch(Signal.LOGS, _logs(*records)).rows, "Timestamp")


def test_log_ids() -> None:
    """Records need no ids; invalid ones are as if absent."""
    ids = [(b"t" * 16, b"s" * 8), (b"", b""), (b"t", b"s" * 9), (bytes(16), bytes(8))]
    rows = _batch(Signal.LOGS, _logs(*(LogRecord(trace_id=trace, span_id=span) for trace, span in ids))).rows
    assert [(b"t" * 16).hex(), "", "", ""] == _column(rows, "TraceId")
    assert [(b"s" * 8).hex(), "", "", ""] == _column(rows, "SpanId")


def test_log_bodies() -> None:
    """A body stands among the attributes, after them; a record without one has no row there."""
    records = [
        LogRecord(body=AnyValue(string_value="b"), attributes=[_text("k", "v")]),
        LogRecord(),
        LogRecord(body={}),
    ]
    attributes = _batch(Signal.LOGS, _logs(*records)).attributes
    assert [Place.ROW, Place.BODY, Place.BODY] == _column(attributes, "place")
    assert [0, 0, 2] == _column(attributes, "owner")
    assert ["k", "", ""] == _column(attributes, "key")
    assert [Kind.STRING, Kind.STRING, Kind.EMPTY] == _column(attributes, "kind")


def test_resources() -> None:
    """Each has the tenant, and its service's name if that is a string."""
    number = KeyValue(key="service.name", value=AnyValue(int_value=1))
    services = [
        [_text("a", "x"), _text("service.name", "shop")],
        [],
        [number],
        [_text("service.name", "pay")],
    ]
    bodies = [_traces(_span(), resource=Resource(attributes=each)) for each in services]
    resources = _batch(Signal.TRACES, *bodies).tables["resources"]
    assert ["shop", "", "", "pay"] == _column(resources, "ServiceName")
    assert ["tenant"] * 4 == _column(resources, "TenantId")


def test_attribute_order() -> None:
    """Attributes come by place and owner, each owner's in the order sent, a repeated key each time."""
    spans = [
        _span(attributes=[_text("k", "1"), _text("j", "2"), _text("k", "3")]),
        _span(attributes=[_text("k", "4")]),
    ]
    resource = Resource(attributes=[_text("r", "0")])
    attributes = _batch(Signal.TRACES, _traces(*spans, resource=resource)).attributes
    assert ["0", "1", "2", "3", "4"] == _column(attributes, "string")
    assert [0, 0, 0, 0, 1] == _column(attributes, "owner")


def test_value_of_two_kinds() -> None:
    """Of several members of a oneof the last counts, as protobuf has it, and no trace of the others stays."""
    secret, number = AnyValue(string_value="secret"), AnyValue(int_value=1)
    for first, last in ((secret, number), (number, secret)):
        value = first.SerializeToString() + last.SerializeToString()
        key_value = b"\x0a\x01k" + b"\x12" + bytes([len(value)]) + value
        span = _span().SerializeToString() + b"\x4a" + bytes([len(key_value)]) + key_value
        body = (
            b"\x0a"
            + bytes([len(span) + 4])
            + b"\x12"
            + bytes([len(span) + 2])
            + b"\x12"
            + bytes([len(span)])
            + span
        )
        _agrees(Signal.TRACES, body)


def test_message_in_parts() -> None:
    """A message that comes in parts is merged, as protobuf has it: arrays, bodies, resources."""
    array = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)])).SerializeToString()
    record = b"\x2a" + bytes([2 * len(array)]) + 2 * array
    for body in (record, 2 * record):
        scope = b"\x12" + bytes([len(body)]) + body
        logs = b"\x12" + bytes([len(scope)]) + scope
        resource = Resource(attributes=[_text("service.name", "a")]).SerializeToString()
        logs += 2 * (b"\x0a" + bytes([len(resource)]) + resource)
        _agrees(Signal.LOGS, b"\x0a" + bytes([len(logs)]) + logs)


def test_point_of_two_types() -> None:
    """A metric or a point that claims to be of two types is of the last."""
    point = NumberDataPoint(as_int=3).SerializeToString() + NumberDataPoint(as_double=0.5).SerializeToString()
    gauge = b"\x2a" + bytes([len(point) + 2]) + b"\x0a" + bytes([len(point)]) + point
    total = Metric(sum=Sum(data_points=[NumberDataPoint(as_int=4)])).SerializeToString()
    for metric in (gauge, gauge + total, total + gauge):
        scope = b"\x12" + bytes([len(metric)]) + metric
        body = b"\x12" + bytes([len(scope)]) + scope
        _agrees(Signal.METRICS, b"\x0a" + bytes([len(body)]) + body)


def test_points_by_type() -> None:
    """Data points are grouped by the type of their metric; a metric without data has no row."""
    gauge = Metric(name="g", gauge=Gauge(data_points=[NumberDataPoint(as_int=3)]))
    total = Metric(name="s", sum=Sum(data_points=[NumberDataPoint(as_double=0.5), NumberDataPoint()]))
    decoded = _decode(Signal.METRICS, _metrics(total, Metric(name="empty"), gauge), _metrics(gauge))
    assert (Outcome(rows=3), Outcome(rows=1)) == decoded.outcomes
    assert decoded.batch is not None
    assert [3.0, 3.0, 0.5, None] == _column(decoded.batch.rows, "Value")
    assert [1, 2, 0, 0] == _column(decoded.batch.rows, "Metric")
    assert ["s", "g", "g"] == _column(decoded.batch.tables["metrics"], "MetricName")
