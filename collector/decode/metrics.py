"""Metrics, data points of every type and their exemplars: undecoded items to tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.envelope import Envelope, owners
from agenttracer.collector.decode.identifiers import SPAN_ID_BYTES, TRACE_ID_BYTES, hex_ids
from agenttracer.collector.decode.rows import Rows, empty
from agenttracer.collector.decode.timestamps import timestamps
from agenttracer.schemas.batch import Place
from agenttracer.schemas.metrics import DECODED_POINTS, EXEMPLARS, METRIC_TYPES, METRICS

Columns = dict[str, pa.Array]


def _number(points: pa.RecordBatch) -> Columns:
    return {"Value": _value(points)}


def _value(points: pa.RecordBatch) -> pa.DoubleArray:
    """as_double or as_int, null when neither is set."""
    doubles, integers = points.column("as_double"), points.column("as_int")
    if integers.null_count == len(integers):
        return doubles
    value = pc.coalesce(doubles, integers.cast(pa.float64(), safe=False))
    if doubles.null_count + integers.null_count != len(points) + value.null_count:
        raise wire.Ambiguous
    return value


def _histogram(points: pa.RecordBatch) -> Columns:
    return {
        **_statistics(points),
        "BucketCounts": _list(points.column("bucket_counts")),
        "ExplicitBounds": _list(points.column("explicit_bounds")),
    }


def _statistics(points: pa.RecordBatch) -> Columns:
    return {name: points.column(name.lower()) for name in ("Count", "Sum", "Min", "Max")}


def _exponential(points: pa.RecordBatch) -> Columns:
    positive, negative = points.column("positive"), points.column("negative")
    return {
        **_statistics(points),
        "Scale": points.column("scale"),
        "ZeroCount": points.column("zero_count"),
        "ZeroThreshold": points.column("zero_threshold"),
        "PositiveOffset": positive.field("offset"),
        "PositiveBucketCounts": _list(positive.field("bucket_counts")),
        "NegativeOffset": negative.field("offset"),
        "NegativeBucketCounts": _list(negative.field("bucket_counts")),
    }


def _summary(points: pa.RecordBatch) -> Columns:
    per_point = points.column("quantile_values")
    return {
        "Count": points.column("count"),
        "Sum": points.column("sum"),
        "Quantiles": _list(per_point, "quantile"),
        "QuantileValues": _list(per_point, "value"),
    }


_READERS: dict[str, tuple[str, Callable[[pa.RecordBatch], Columns]]] = {
    "gauge": (wire.NUMBER_POINT, _number),
    "sum": (wire.NUMBER_POINT, _number),
    "histogram": (wire.HISTOGRAM_POINT, _histogram),
    "exponential_histogram": (wire.EXPONENTIAL_POINT, _exponential),
    "summary": (wire.SUMMARY_POINT, _summary),
}


def read_points(envelope: Envelope, received_unix_ns: int) -> Rows:
    """Every data point, grouped by its metric's type, and one row for each metric that has a type.

    Invalid ids of exemplars become ''. A metric's own metadata is not read.
    """
    metrics = wire.parse(wire.METRIC, envelope.items)
    types, item_of_metric = _types(metrics)
    if len(item_of_metric) < len(metrics):
        metrics = metrics.take(pa.array(item_of_metric))
    points, attributes, exemplars, items = [], [], [], []
    for name in METRIC_TYPES:
        per_metric = metrics.column(name).field("data_points")
        if not len(per_metric.values):
            continue
        message, read = _READERS[name]
        fields = wire.parse(message, per_metric.values)
        metric = owners(per_metric)
        items.append(item_of_metric[metric])
        columns = {
            "Resource": pa.array(envelope.resource_of_item[items[-1]]),
            "Scope": pa.array(envelope.scope_of_item[items[-1]]),
            "Metric": pa.array(metric),
            "StartTimeUnix": timestamps(fields.column("start_time_unix_nano").to_numpy()),
            "TimeUnix": timestamps(fields.column("time_unix_nano").to_numpy()),
            "Flags": fields.column("flags"),
            **read(fields),
        }
        points.append([columns.get(one.name, pa.nulls(len(fields), one.type)) for one in DECODED_POINTS])
        attributes.append(fields.column("attributes"))
        exemplars.append(fields.column("exemplars") if name != "summary" else _no_exemplars(fields))
    tables = {
        "rows": empty(DECODED_POINTS),
        "metrics": _metrics(metrics, types),
        "exemplars": empty(EXEMPLARS),
    }
    if not points:
        return Rows(tables, [], np.zeros(0, np.int32))
    merged = (
        points[0] if len(points) == 1 else [pa.concat_arrays(parts) for parts in zip(*points, strict=True)]
    )
    tables["rows"] = pa.RecordBatch.from_arrays(merged, schema=DECODED_POINTS)
    tables["exemplars"], filtered = _exemplars(pa.concat_arrays(exemplars))
    return Rows(
        tables,
        [(Place.ROW, pa.concat_arrays(attributes)), *filtered],
        envelope.request_of_item[np.concatenate(items)],
    )


def _types(metrics: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """The type of each metric that has one, as an index into ``METRIC_TYPES``, and its row."""
    has = np.array([metrics.column(name).is_valid().to_numpy(zero_copy_only=False) for name in METRIC_TYPES])
    if (has.sum(axis=0) > 1).any():
        raise wire.Ambiguous
    rows = np.flatnonzero(has.any(axis=0)).astype(np.int32)
    return has.argmax(axis=0)[rows].astype(np.int32), rows


def _metrics(metrics: pa.RecordBatch, types: np.ndarray) -> pa.RecordBatch:
    # Absent messages have their fields' defaults: 0 and false.
    temporality = sum(
        metrics.column(name).field("aggregation_temporality").to_numpy()
        for name in ("sum", "histogram", "exponential_histogram")
    )
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(types), pa.array(METRIC_TYPES)),
        metrics.column("name"),
        metrics.column("description"),
        metrics.column("unit"),
        pa.array(temporality, pa.int32()),
        metrics.column("sum").field("is_monotonic"),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=METRICS)


def _exemplars(per_point: pa.ListArray) -> tuple[pa.RecordBatch, list[tuple[Place, pa.ListArray]]]:
    if not len(per_point.values):
        return empty(EXEMPLARS), []
    exemplars = wire.parse(wire.EXEMPLAR, per_point.values)
    columns = [
        pa.array(owners(per_point)),
        timestamps(exemplars.column("time_unix_nano").to_numpy()),
        _value(exemplars),
        hex_ids(exemplars.column("span_id"), SPAN_ID_BYTES)[0],
        hex_ids(exemplars.column("trace_id"), TRACE_ID_BYTES)[0],
    ]
    table = pa.RecordBatch.from_arrays(columns, schema=EXEMPLARS)
    return table, [(Place.EXEMPLAR, exemplars.column("filtered_attributes"))]


def _no_exemplars(points: pa.RecordBatch) -> pa.ListArray:
    offsets = pa.array(np.zeros(len(points) + 1, np.int32))
    return pa.ListArray.from_arrays(
        offsets, pa.array([], pa.binary()), type=points.schema.field("attributes").type
    )


def _list(lists: pa.ListArray, field: str = "") -> pa.ListArray:
    """The lists as the schema types them: their elements could be null, the decoder's could not."""
    values = lists.values.field(field) if field else lists.values
    return pa.ListArray.from_arrays(lists.offsets, values)
