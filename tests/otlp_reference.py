"""What decoding must give, written once more the plain way: protobuf's own objects, and loops.

expected = reference(Signal.TRACES, bodies, "tenant", received_unix_ns)    as_values(batch) == expected
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.metrics import METRIC_TYPES
from agenttracer.schemas.tables import DECODED

REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
CAPTURES = sorted((Path(__file__).parent / "golden" / "captures").glob("*.pb"))
_KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
_CODES = ["Unset", "Ok", "Error"]

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def signal_of(capture: Path) -> Signal:
    """Which signal a captured request is of, by its name."""
    suffix = capture.suffixes[-2] if len(capture.suffixes) > 1 else ""
    return Signal(suffix[1:]) if suffix in (".logs", ".metrics") else Signal.TRACES


def as_values(batch: Batch | None) -> Tables:
    """A batch as plain values that compare: times in ns, doubles as text, nested elements re-encoded."""
    if batch is None:
        return {}
    tables = {name: _rows(table) for name, table in batch.tables.items()}
    for row in tables["attributes"]:
        if row["nested"] is not None:
            message = KeyValue if row["kind"] == Kind.KVLIST else AnyValue
            row["nested"] = [message.FromString(each).SerializeToString() for each in row["nested"]]
    return tables


def _rows(table: pa.RecordBatch) -> list[Row]:
    columns = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        columns[name] = [_comparable(value) for value in plain.to_pylist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    return repr(value) if isinstance(value, float) else value


def reference(
    signal: Signal, bodies: Sequence[bytes], tenant: str, received: int
) -> tuple[Tables, list[tuple]]:
    """The tables, {} without a row, and for each body (rows, rejected rows), or None if it is malformed."""
    reader = _Reader(signal, tenant, received)
    counts = []
    for body in bodies:
        try:
            request = REQUESTS[signal].FromString(body)
        except Exception:
            counts.append(None)
            continue
        before = len(reader.tables["rows"]), reader.refused
        reader.read(request)
        counts.append((len(reader.tables["rows"]) - before[0], reader.refused - before[1]))
    return reader.finish(), counts


class _Reader:
    def __init__(self, signal: Signal, tenant: str, received: int) -> None:
        self.signal, self.tenant, self.received = signal, tenant, received
        self.tables: Tables = {name: [] for name in DECODED[signal]}
        self.refused = 0

    def read(self, request: Any) -> None:
        per_resource, per_scope, items = {
            Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
            Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
            Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
        }[self.signal]
        for resources in getattr(request, per_resource):
            names = [
                each.value.string_value
                for each in resources.resource.attributes
                if each.key == "service.name" and each.value.WhichOneof("value") == "string_value"
            ]
            resource = self.add(
                "resources",
                TenantId=self.tenant,
                ServiceName=names[-1] if names else "",
                ResourceSchemaUrl=resources.schema_url,
            )
            self.attributes(Place.RESOURCE, resource, resources.resource.attributes)
            for scopes in getattr(resources, per_scope):
                scope = self.add(
                    "scopes",
                    ScopeName=scopes.scope.name,
                    ScopeVersion=scopes.scope.version,
                    ScopeSchemaUrl=scopes.schema_url,
                    ScopeDroppedAttrCount=scopes.scope.dropped_attributes_count,
                )
                self.attributes(Place.SCOPE, scope, scopes.scope.attributes)
                for item in getattr(scopes, items):
                    carriers = {"Resource": resource, "Scope": scope}
                    getattr(self, f"read_{self.signal}")(item, carriers)

    def add(self, table: str, **columns: Any) -> int:
        self.tables[table].append({name: _comparable(value) for name, value in columns.items()})
        return len(self.tables[table]) - 1

    def attributes(self, place: Place, owner: int, attributes: Iterable[KeyValue]) -> None:
        for each in attributes:
            self.attribute(place, owner, each.key, each.value)

    def attribute(self, place: Place, owner: int, key: str, value: AnyValue) -> None:
        which = value.WhichOneof("value") or ""
        kind = Kind[which.removesuffix("_value").upper()] if which and "strindex" not in which else Kind.EMPTY
        nested = None
        if kind in (Kind.ARRAY, Kind.KVLIST):
            nested = [each.SerializeToString() for each in getattr(value, which).values]
        self.add(
            "attributes",
            place=place,
            owner=owner,
            key=key,
            kind=kind,
            string=value.string_value if kind == Kind.STRING else None,
            int=int(getattr(value, which)) if kind in (Kind.INT, Kind.BOOL) else None,
            double=value.double_value if kind == Kind.DOUBLE else None,
            bytes=value.bytes_value if kind == Kind.BYTES else None,
            nested=nested,
        )

    def read_traces(self, span: Any, carriers: Row) -> None:
        if not (_hex(span.trace_id, 16) and _hex(span.span_id, 8)):
            self.refused += 1
            return
        start = span.start_time_unix_nano or self.received
        row = self.add(
            "rows",
            **carriers,
            Timestamp=_time(start),
            TraceId=_hex(span.trace_id, 16),
            SpanId=_hex(span.span_id, 8),
            ParentSpanId=_hex(span.parent_span_id, 8),
            TraceState=span.trace_state,
            SpanName=span.name,
            SpanKind=_KINDS[span.kind if 0 <= span.kind < len(_KINDS) else 0],
            Duration=max(0, span.end_time_unix_nano - start),
            StatusCode=_CODES[span.status.code if 0 <= span.status.code < len(_CODES) else 0],
            StatusMessage=span.status.message,
            Flags=span.flags,
            DroppedAttributesCount=span.dropped_attributes_count,
            DroppedEventsCount=span.dropped_events_count,
            DroppedLinksCount=span.dropped_links_count,
        )
        self.attributes(Place.ROW, row, span.attributes)
        for event in span.events:
            owner = self.add(
                "events",
                Owner=row,
                Timestamp=_time(event.time_unix_nano),
                Name=event.name,
                DroppedAttributesCount=event.dropped_attributes_count,
            )
            self.attributes(Place.EVENT, owner, event.attributes)
        for link in span.links:
            if not (_hex(link.trace_id, 16) and _hex(link.span_id, 8)):
                continue
            owner = self.add(
                "links",
                Owner=row,
                TraceId=_hex(link.trace_id, 16),
                SpanId=_hex(link.span_id, 8),
                TraceState=link.trace_state,
                Flags=link.flags,
                DroppedAttributesCount=link.dropped_attributes_count,
            )
            self.attributes(Place.LINK, owner, link.attributes)

    def read_logs(self, record: Any, carriers: Row) -> None:
        row = self.add(
            "rows",
            **carriers,
            Timestamp=_time(record.time_unix_nano or record.observed_time_unix_nano or self.received),
            TraceId=_hex(record.trace_id, 16),
            SpanId=_hex(record.span_id, 8),
            TraceFlags=record.flags % 256,
            SeverityText=record.severity_text,
            SeverityNumber=record.severity_number if 0 <= record.severity_number <= 24 else 0,
            EventName=record.event_name,
            DroppedAttributesCount=record.dropped_attributes_count,
        )
        self.attributes(Place.ROW, row, record.attributes)
        if record.HasField("body"):
            self.attribute(Place.BODY, row, "", record.body)

    def read_metrics(self, metric: Any, carriers: Row) -> None:
        which = metric.WhichOneof("data")
        if which is None:
            return
        data = getattr(metric, which)
        number = self.add(
            "metrics",
            MetricType=which,
            MetricName=metric.name,
            MetricDescription=metric.description,
            MetricUnit=metric.unit,
            AggregationTemporality=getattr(data, "aggregation_temporality", 0),
            IsMonotonic=getattr(data, "is_monotonic", False),
        )
        for point in data.data_points:
            row = self.add(
                "rows",
                **carriers,
                Metric=number,
                StartTimeUnix=_time(point.start_time_unix_nano),
                TimeUnix=_time(point.time_unix_nano),
                Flags=point.flags,
                **_point(which, point),
            )
            self.attributes(Place.ROW, row, point.attributes)
            for exemplar in getattr(point, "exemplars", ()):
                owner = self.add(
                    "exemplars",
                    Owner=row,
                    TimeUnix=_time(exemplar.time_unix_nano),
                    Value=_value(exemplar),
                    SpanId=_hex(exemplar.span_id, 8),
                    TraceId=_hex(exemplar.trace_id, 16),
                )
                self.attributes(Place.EXEMPLAR, owner, exemplar.filtered_attributes)

    def finish(self) -> Tables:
        """Points grouped by type, attributes sorted, what is missing null."""
        if not self.tables["rows"]:
            return {}
        if self.signal is Signal.METRICS:
            types = [METRIC_TYPES.index(each["MetricType"]) for each in self.tables["metrics"]]
            self.regroup("rows", [types[row["Metric"]] for row in self.tables["rows"]], Place.ROW)
            self.regroup("exemplars", [row["Owner"] for row in self.tables["exemplars"]], Place.EXEMPLAR)
        self.tables["attributes"].sort(key=lambda row: (row["place"], row["owner"]))
        return {
            table: [{column: row.get(column) for column in DECODED[self.signal][table].names} for row in rows]
            for table, rows in self.tables.items()
        }

    def regroup(self, table: str, keys: list[int], place: Place) -> None:
        """Sort a table's rows by the keys, and make those that own them follow."""
        order = sorted(range(len(keys)), key=keys.__getitem__)
        position = {before: after for after, before in enumerate(order)}
        self.tables[table] = [self.tables[table][before] for before in order]
        for row in self.tables["attributes"]:
            if row["place"] == place:
                row["owner"] = position[row["owner"]]
        for row in self.tables["exemplars"] if table == "rows" else ():
            row["Owner"] = position[row["Owner"]]


def _point(which: str, point: Any) -> Row:
    if which in ("gauge", "sum"):
        return {"Value": _value(point)}
    if which == "summary":
        return {
            "Count": point.count,
            "Sum": point.sum,
            "Quantiles": [each.quantile for each in point.quantile_values],
            "QuantileValues": [each.value for each in point.quantile_values],
        }
    columns: Row = {
        name.title(): getattr(point, name) for name in ("sum", "min", "max") if point.HasField(name)
    }
    columns["Count"] = point.count
    if which == "histogram":
        columns["BucketCounts"] = list(point.bucket_counts)
        columns["ExplicitBounds"] = list(point.explicit_bounds)
        return columns
    return {
        **columns,
        "Scale": point.scale,
        "ZeroCount": point.zero_count,
        "ZeroThreshold": point.zero_threshold,
        "PositiveOffset": point.positive.offset,
        "PositiveBucketCounts": list(point.positive.bucket_counts),
        "NegativeOffset": point.negative.offset,
        "NegativeBucketCounts": list(point.negative.bucket_counts),
    }


def _value(point: Any) -> float | None:
    which = point.WhichOneof("value")
    return float(getattr(point, which)) if which else None


def _hex(identifier: bytes, width: int) -> str:
    return identifier.hex() if len(identifier) == width and any(identifier) else ""


def _time(nanoseconds: int) -> int:
    return min(nanoseconds, 2**63 - 1)


def json_text(value: AnyValue, depth: int = 0, limit: int = 32) -> str:
    """The compact JSON of a value, arrays and kvlists below ``limit`` levels as null."""
    which = value.WhichOneof("value")
    if which in ("array_value", "kvlist_value"):
        if depth == limit:
            return "null"
        values = getattr(value, which).values
        if which == "array_value":
            return "[" + ",".join(json_text(each, depth + 1) for each in values) + "]"
        pairs = (_dumps(each.key) + ":" + json_text(each.value, depth + 1) for each in values)
        return "{" + ",".join(pairs) + "}"
    if which is None or "strindex" in which:
        return "null"
    plain = getattr(value, which)
    if which == "bytes_value":
        return _dumps(base64.b64encode(plain).decode())
    if which == "double_value" and not math.isfinite(plain):
        return '"NaN"' if math.isnan(plain) else '"Infinity"' if plain > 0 else '"-Infinity"'
    return _dumps(plain)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
