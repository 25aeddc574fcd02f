"""OTLP requests of any shape that protobuf allows, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from agenttracer.schemas.batch import Signal

Strategy = st.SearchStrategy[Any]

_uint32 = st.integers(0, 2**32 - 1)
_int32 = st.integers(-(2**31), 2**31 - 1)
_int64 = st.integers(-(2**63), 2**63 - 1)
_enum = st.integers(-1, 7) | _int32
_count = st.integers(0, 2**64 - 1)
_time = st.just(0) | st.integers(10**18, 10**18 + 9) | _count
_text = st.text(max_size=6)


def _identifier(width: int) -> Strategy:
    return (
        st.binary(min_size=width, max_size=width)
        | st.just(b"")
        | st.just(bytes(width))
        | st.binary(max_size=20)
    )


def _few(items: Strategy, most: int = 2) -> Strategy:
    return st.lists(items, max_size=most)


def _maybe(message: Strategy) -> Strategy:
    return st.none() | message


_scalars = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=_text),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=_int64),
    st.builds(AnyValue, double_value=st.floats()),
    st.builds(AnyValue, bytes_value=st.binary(max_size=5)),
    st.builds(AnyValue, string_value_strindex=st.integers(0, 5)),
)


def _containers(values: Strategy) -> Strategy:
    pairs = st.builds(KeyValue, key=_text, value=_maybe(values))
    return st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=_few(values, 3))),
        st.builds(AnyValue, kvlist_value=st.builds(KeyValueList, values=_few(pairs, 3))),
    )


_level_2 = _scalars | _containers(_scalars)
_level_3 = _scalars | _containers(_level_2)
any_values = _scalars | _containers(_level_3)
"""AnyValues of every kind, nested to depth 4."""
containers = _containers(_level_3)

_key = st.sampled_from(["service.name", "a", "b", ""]) | _text
_attributes = _few(st.builds(KeyValue, key=_key, value=_maybe(any_values), key_strindex=st.integers(0, 2)), 3)
_resource = st.builds(Resource, attributes=_attributes, dropped_attributes_count=_uint32)
_scope = st.builds(
    InstrumentationScope, name=_text, version=_text, attributes=_attributes, dropped_attributes_count=_uint32
)

_event = st.builds(
    Span.Event, time_unix_nano=_time, name=_text, attributes=_attributes, dropped_attributes_count=_uint32
)
_link = st.builds(
    Span.Link,
    trace_id=_identifier(16),
    span_id=_identifier(8),
    trace_state=_text,
    attributes=_attributes,
    dropped_attributes_count=_uint32,
    flags=_uint32,
)
_span = st.builds(
    Span,
    trace_id=_identifier(16),
    span_id=_identifier(8),
    parent_span_id=_identifier(8),
    trace_state=_text,
    name=_text,
    kind=_enum,
    start_time_unix_nano=_time,
    end_time_unix_nano=_time,
    attributes=_attributes,
    dropped_attributes_count=_uint32,
    events=_few(_event),
    dropped_events_count=_uint32,
    links=_few(_link),
    dropped_links_count=_uint32,
    status=_maybe(st.builds(Status, message=_text, code=_enum)),
    flags=_uint32,
)
_log_record = st.builds(
    LogRecord,
    time_unix_nano=_time,
    observed_time_unix_nano=_time,
    severity_number=st.integers(-1, 300) | _int32,
    severity_text=_text,
    body=_maybe(any_values),
    attributes=_attributes,
    dropped_attributes_count=_uint32,
    flags=_uint32,
    trace_id=_identifier(16),
    span_id=_identifier(8),
    event_name=_text,
)

_double = _maybe(st.floats())
_value = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"as_double": st.floats()}),
    st.fixed_dictionaries({"as_int": _int64}),
)
_exemplar = st.builds(
    lambda value, **fields: metrics.Exemplar(**fields, **value),
    _value,
    time_unix_nano=_time,
    span_id=_identifier(8),
    trace_id=_identifier(16),
    filtered_attributes=_attributes,
)
_point: dict[str, Strategy] = {
    "start_time_unix_nano": _time,
    "time_unix_nano": _time,
    "attributes": _attributes,
    "flags": _uint32,
}
_number = st.builds(
    lambda value, **fields: metrics.NumberDataPoint(**fields, **value),
    _value,
    exemplars=_few(_exemplar),
    **_point,
)
_statistics: dict[str, Strategy] = {"count": _count, "sum": _double, "min": _double, "max": _double}
_histogram = st.builds(
    metrics.HistogramDataPoint,
    bucket_counts=_few(_count, 3),
    explicit_bounds=_few(st.floats(), 3),
    exemplars=_few(_exemplar),
    **_statistics,
    **_point,
)
_buckets = _maybe(
    st.builds(metrics.ExponentialHistogramDataPoint.Buckets, offset=_int32, bucket_counts=_few(_count, 3))
)
_exponential = st.builds(
    metrics.ExponentialHistogramDataPoint,
    scale=_int32,
    zero_count=_count,
    zero_threshold=st.floats(),
    positive=_buckets,
    negative=_buckets,
    exemplars=_few(_exemplar),
    **_statistics,
    **_point,
)
_quantile = st.builds(metrics.SummaryDataPoint.ValueAtQuantile, quantile=st.floats(), value=st.floats())
_summary = st.builds(
    metrics.SummaryDataPoint, count=_count, sum=st.floats(), quantile_values=_few(_quantile, 3), **_point
)
_data = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"gauge": st.builds(metrics.Gauge, data_points=_few(_number))}),
    st.fixed_dictionaries(
        {
            "sum": st.builds(
                metrics.Sum,
                data_points=_few(_number),
                aggregation_temporality=_enum,
                is_monotonic=st.booleans(),
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "histogram": st.builds(
                metrics.Histogram, data_points=_few(_histogram), aggregation_temporality=_enum
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "exponential_histogram": st.builds(
                metrics.ExponentialHistogram, data_points=_few(_exponential), aggregation_temporality=_enum
            )
        }
    ),
    st.fixed_dictionaries({"summary": st.builds(metrics.Summary, data_points=_few(_summary))}),
)
_metric = st.builds(
    lambda data, **fields: metrics.Metric(**fields, **data),
    _data,
    name=_text,
    description=_text,
    unit=_text,
    metadata=_attributes,
)

requests: dict[Signal, Strategy] = {
    Signal.TRACES: st.builds(
        ExportTraceServiceRequest,
        resource_spans=_few(
            st.builds(
                ResourceSpans,
                resource=_maybe(_resource),
                scope_spans=_few(
                    st.builds(ScopeSpans, scope=_maybe(_scope), spans=_few(_span, 3), schema_url=_text)
                ),
                schema_url=_text,
            )
        ),
    ),
    Signal.LOGS: st.builds(
        ExportLogsServiceRequest,
        resource_logs=_few(
            st.builds(
                ResourceLogs,
                resource=_maybe(_resource),
                scope_logs=_few(
                    st.builds(
                        ScopeLogs, scope=_maybe(_scope), log_records=_few(_log_record, 3), schema_url=_text
                    )
                ),
                schema_url=_text,
            )
        ),
    ),
    Signal.METRICS: st.builds(
        ExportMetricsServiceRequest,
        resource_metrics=_few(
            st.builds(
                metrics.ResourceMetrics,
                resource=_maybe(_resource),
                scope_metrics=_few(
                    st.builds(
                        metrics.ScopeMetrics, scope=_maybe(_scope), metrics=_few(_metric, 3), schema_url=_text
                    )
                ),
                schema_url=_text,
            )
        ),
    ),
}
"""Requests of each signal: missing sub-messages, several resources and scopes, every value out of range."""
