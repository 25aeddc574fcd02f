"""The columns that go into each ClickHouse table, as Arrow types: what ``flatten`` makes and the DDL declares.

The Collector exporter's columns come first, in its order; the typed ones stand behind them.
"""

from __future__ import annotations

import pyarrow as pa

from agenttracer.schemas import logs, metrics, spans
from agenttracer.schemas.columns import STRINGS, TIME

MAP = pa.map_(STRINGS, pa.string())
"""Attributes of one owner; the keys are a few dozen strings a batch and stay encoded."""

SECOND = pa.uint32()  # ClickHouse's DateTime: seconds since 1970, to 2106
NEVER = 2**32 - 1

_RETENTION = {"TenantId": STRINGS, "ExpiresAt": SECOND}
_IDS = {"TraceId": pa.string(), "SpanId": pa.string()}
_SCOPE = {"ScopeName": STRINGS, "ScopeVersion": STRINGS}


def _schema(collector: dict[str, pa.DataType], typed: pa.Schema) -> pa.Schema:
    """Only typed columns where null means something, numbers that may be unknown, can be null."""
    ours = [
        field.with_nullable(_is_number(field) and not field.name.startswith("Redacted")) for field in typed
    ]
    plain = [pa.field(name, of, nullable=False) for name, of in collector.items()]
    kept = [pa.field(name, of, nullable=False) for name, of in _RETENTION.items()]
    return pa.schema([*plain, *ours, *kept])


def _is_number(field: pa.Field) -> bool:
    return pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)


def _lists(prefix: str, columns: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    return {f"{prefix}.{name}": pa.list_(of) for name, of in columns.items()}


_TRACES = {
    "Timestamp": TIME,
    **_IDS,
    "ParentSpanId": pa.string(),
    "TraceState": pa.string(),
    "SpanName": pa.string(),
    "SpanKind": STRINGS,
    "ServiceName": STRINGS,
    "ResourceAttributes": MAP,
    **_SCOPE,
    "SpanAttributes": MAP,
    "Duration": pa.uint64(),
    "StatusCode": STRINGS,
    "StatusMessage": pa.string(),
    **_lists("Events", {"Timestamp": TIME, "Name": pa.string(), "Attributes": MAP}),
    **_lists("Links", {**_IDS, "TraceState": pa.string(), "Attributes": MAP}),
}
_LOGS = {
    "Timestamp": TIME,
    **_IDS,
    "TraceFlags": pa.uint8(),
    "SeverityText": pa.string(),
    "SeverityNumber": pa.uint8(),
    "ServiceName": STRINGS,
    "Body": pa.string(),
    "ResourceSchemaUrl": STRINGS,
    "ResourceAttributes": MAP,
    "ScopeSchemaUrl": STRINGS,
    **_SCOPE,
    "ScopeAttributes": MAP,
    "LogAttributes": MAP,
    "EventName": pa.string(),
}
_POINT = {
    "ResourceAttributes": MAP,
    "ResourceSchemaUrl": STRINGS,
    **_SCOPE,
    "ScopeAttributes": MAP,
    "ScopeDroppedAttrCount": pa.uint32(),
    "ScopeSchemaUrl": STRINGS,
    "ServiceName": STRINGS,
    "MetricName": STRINGS,
    "MetricDescription": STRINGS,
    "MetricUnit": STRINGS,
    "Attributes": MAP,
    "StartTimeUnix": SECOND,
    "TimeUnix": SECOND,
    "Flags": pa.uint32(),
}
_EXEMPLARS = _lists(
    "Exemplars", {"FilteredAttributes": MAP, "TimeUnix": SECOND, "Value": pa.float64(), **_IDS}
)
_COUNT = {"Count": pa.uint64(), "Sum": pa.float64()}
_RANGE = {"Min": pa.float64(), "Max": pa.float64(), "AggregationTemporality": pa.int32(), **_EXEMPLARS}
_METRICS: dict[str, dict[str, pa.DataType]] = {
    "gauge": {"Value": pa.float64(), **_EXEMPLARS},
    "sum": {
        "Value": pa.float64(),
        **_EXEMPLARS,
        "AggregationTemporality": pa.int32(),
        "IsMonotonic": pa.bool_(),
    },
    "summary": {**_COUNT, **_lists("ValueAtQuantiles", {"Quantile": pa.float64(), "Value": pa.float64()})},
    "histogram": {
        **_COUNT,
        "BucketCounts": pa.list_(pa.uint64()),
        "ExplicitBounds": pa.list_(pa.float64()),
        **_RANGE,
    },
    "exponential_histogram": {
        **_COUNT,
        "Scale": pa.int32(),
        "ZeroCount": pa.uint64(),
        "PositiveOffset": pa.int32(),
        "PositiveBucketCounts": pa.list_(pa.uint64()),
        "NegativeOffset": pa.int32(),
        "NegativeBucketCounts": pa.list_(pa.uint64()),
        **_RANGE,
    },
}

_LEDGER = {
    "TenantId": STRINGS,
    "Hour": SECOND,
    "PolicyHash": STRINGS,
    "ServiceName": STRINGS,
    "Signal": STRINGS,
    "Place": STRINGS,
    "Rule": STRINGS,
    "Class": STRINGS,
    "Action": STRINGS,
    "Count": pa.uint64(),
    "Bytes": pa.uint64(),
    "ExpiresAt": SECOND,
}

TRACES_TABLE, LOGS_TABLE, LEDGER_TABLE = "otel_traces", "otel_logs", "redaction_ledger"
METRICS_TABLES = {kind: f"otel_metrics_{kind}" for kind in metrics.METRIC_TYPES}

FLATTENED: dict[str, pa.Schema] = {
    TRACES_TABLE: _schema(_TRACES, spans.TYPED),
    LOGS_TABLE: _schema(_LOGS, logs.TYPED),
    **{METRICS_TABLES[kind]: _schema({**_POINT, **own}, metrics.TYPED) for kind, own in _METRICS.items()},
    LEDGER_TABLE: pa.schema([pa.field(name, of, nullable=False) for name, of in _LEDGER.items()]),
}
"""The columns of each ClickHouse table as Arrow types: the DDL must agree."""
