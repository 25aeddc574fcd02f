"""The columns of metrics: one row a data point of any type, and one row a metric it belongs to."""

import pyarrow as pa

from agenttracer.schemas.columns import AGENT_NAME, ID, LABEL, SAFE, STRINGS, TEXT, TIME, column

METRIC_TYPES = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

DECODED_POINTS = pa.schema(
    [
        column("Resource", pa.int32(), SAFE, "row of the resources table"),
        column("Scope", pa.int32(), SAFE, "row of the scopes table"),
        column("Metric", pa.int32(), SAFE, "row of the metrics table"),
        column("StartTimeUnix", TIME, SAFE, "start_time_unix_nano"),
        column("TimeUnix", TIME, SAFE, "time_unix_nano"),
        column("Flags", pa.uint32(), SAFE, "flags"),
        column("Value", pa.float64(), SAFE, "as_double or as_int: gauge, sum"),
        column("Count", pa.uint64(), SAFE, "count: histograms, summary"),
        column("Sum", pa.float64(), SAFE, "sum: histograms, summary"),
        column("Min", pa.float64(), SAFE, "min: histograms"),
        column("Max", pa.float64(), SAFE, "max: histograms"),
        column("BucketCounts", pa.list_(pa.uint64()), SAFE, "bucket_counts: histogram"),
        column("ExplicitBounds", pa.list_(pa.float64()), SAFE, "explicit_bounds: histogram"),
        column("Scale", pa.int32(), SAFE, "scale: exponential histogram"),
        column("ZeroCount", pa.uint64(), SAFE, "zero_count: exponential histogram"),
        column("ZeroThreshold", pa.float64(), SAFE, "zero_threshold: exponential histogram"),
        column("PositiveOffset", pa.int32(), SAFE, "positive.offset: exponential histogram"),
        column("PositiveBucketCounts", pa.list_(pa.uint64()), SAFE, "positive.bucket_counts"),
        column("NegativeOffset", pa.int32(), SAFE, "negative.offset: exponential histogram"),
        column("NegativeBucketCounts", pa.list_(pa.uint64()), SAFE, "negative.bucket_counts"),
        column("Quantiles", pa.list_(pa.float64()), SAFE, "quantile_values.quantile: summary"),
        column("QuantileValues", pa.list_(pa.float64()), SAFE, "quantile_values.value: summary"),
    ]
)
"""A data point as it was decoded; the columns that its type lacks are null."""

TYPED = pa.schema(
    [
        column("AgentName", pa.string(), AGENT_NAME, "gen_ai.agent.name"),
        column("PolicyHash", STRINGS, SAFE, "redaction: the policy that the row passed"),
        column("RedactedCount", pa.uint32(), SAFE, "redaction: values dropped, masked or hashed"),
        column("RedactedBytes", pa.uint64(), SAFE, "redaction: size of what was dropped", "By"),
    ]
)
"""What the processors add to a data point."""

POINTS = pa.unify_schemas([DECODED_POINTS, TYPED])

METRICS = pa.schema(
    [
        column("MetricType", STRINGS, SAFE, "which of METRIC_TYPES"),
        column("MetricName", pa.string(), LABEL, "Metric.name"),
        column("MetricDescription", pa.string(), TEXT, "Metric.description"),
        column("MetricUnit", pa.string(), LABEL, "Metric.unit"),
        column("AggregationTemporality", pa.int32(), SAFE, "0 unspecified, 1 delta, 2 cumulative"),
        column("IsMonotonic", pa.bool_(), SAFE, "Sum.is_monotonic"),
    ]
)

EXEMPLARS = pa.schema(
    [
        column("Owner", pa.int32(), SAFE, "row of the data point"),
        column("TimeUnix", TIME, SAFE, "Exemplar.time_unix_nano"),
        column("Value", pa.float64(), SAFE, "as_double or as_int"),
        column("SpanId", pa.string(), ID, "Exemplar.span_id, lower-case hex"),
        column("TraceId", pa.string(), ID, "Exemplar.trace_id, lower-case hex"),
    ]
)
