"""Batches become the rows that ClickHouse stores."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.clickhouse_tables import FLATTENED, LEDGER_TABLE, NEVER
from agenttracer.schemas.dictionaries import compact
from agenttracer.schemas.flatten import flatten
from tests.batches import make_batch

SECOND = 1_000_000_000
TIME = 1_790_000_000 * SECOND
HOUR = 3600


def first_row(batch: Batch, table: str, ttl_seconds: float = HOUR) -> dict[str, Any]:
    """The first flattened row."""
    row: dict[str, Any] = flatten(batch, ttl_seconds)[table].slice(0, 1).to_pylist()[0]
    return row


def spans(*rows: dict[str, Any], **tables: Any) -> Batch:
    """A traces batch whose spans have a time."""
    return make_batch("traces", [{"Timestamp": TIME, **row} for row in rows], **tables)


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_batch_has_no_rows_for_any_table(signal: Signal) -> None:
    """Nothing in, nothing out."""
    assert {} == flatten(make_batch(signal), HOUR)


@pytest.mark.parametrize("table", [table for table in FLATTENED if table != LEDGER_TABLE])
def test_what_nobody_set_is_left_at_its_default(table: str) -> None:
    """Rows with nothing in them have every column, empty, and null only where null means unknown."""
    signal = {"otel_traces": "traces", "otel_logs": "logs"}.get(table, "metrics")
    metrics = [{"MetricType": table.removeprefix("otel_metrics_")}] if signal == "metrics" else []
    tables = {"metrics": metrics} if metrics else {}
    batch = make_batch(signal, [{"Metric": 0}] if metrics else [{}], **tables)

    flat = flatten(batch, 0)[table]
    flat.validate(full=True)

    assert FLATTENED[table] == flat.schema
    expected = {"TenantId": "default", "ExpiresAt": NEVER}
    unset = {name: value for name, value in flat.to_pylist()[0].items() if value}
    time = {"Timestamp": unset.get("Timestamp")} if "Timestamp" in unset else {}
    assert {**expected, **time, **({"MetricName": ""} if "MetricName" in unset else {})} == unset
    nullable = {field.name for field in flat.schema if field.nullable}
    assert nullable == {name for name in flat.schema.names if flat.column(name).null_count}


def test_a_pipeline_without_the_processors_of_typed_columns_is_stored_too() -> None:
    """Typed columns that don't exist are defaults."""
    row = first_row(spans({"TraceId": "ab"}, drop=["RunId", "StepType", "InputTokens"]), "otel_traces")
    assert {"TraceId": "ab", "RunId": "", "StepType": "", "InputTokens": None} == {
        name: row[name] for name in ("TraceId", "RunId", "StepType", "InputTokens")
    }


def test_spans_carry_their_resource_scope_and_attributes() -> None:
    """Every span has the maps, the names and the tenant of the resource and scope that it points at."""
    batch = spans(
        {"Resource": 1, "SpanKind": "Client"},
        {"Resource": 0},
        resources=[{"ServiceName": "a", "TenantId": "t0"}, {"ServiceName": "b", "TenantId": "t1"}],
        scopes=[{"ScopeName": "openinference", "ScopeVersion": "2"}],
        attributes=[
            (Place.RESOURCE, 0, "service.name", "a"),
            (Place.RESOURCE, 1, "service.name", "b"),
            (Place.RESOURCE, 1, "host.name", "h"),
            (Place.ROW, 0, "z", "last"),
            (Place.ROW, 0, "a", "first"),
        ],
    )
    first, second = flatten(batch, HOUR)["otel_traces"].to_pylist()
    assert [("host.name", "h"), ("service.name", "b")] == first["ResourceAttributes"]
    assert [("a", "first"), ("z", "last")] == first["SpanAttributes"]
    assert ("b", "t1", "openinference", "2", "Client") == tuple(
        first[name] for name in ("ServiceName", "TenantId", "ScopeName", "ScopeVersion", "SpanKind")
    )
    assert [("service.name", "a")] == second["ResourceAttributes"]
    assert ([], "a", "t0", "") == tuple(
        second[name] for name in ("SpanAttributes", "ServiceName", "TenantId", "SpanKind")
    )


def test_events_and_links_are_lists_of_their_span() -> None:
    """Each column of an event or link is one list a span, in order, with a map each."""
    batch = spans(
        {},
        {},
        {},
        events=[
            {"Owner": 0, "Name": "first", "Timestamp": TIME},
            {"Owner": 2, "Name": "second", "Timestamp": TIME},
            {"Owner": 2, "Name": None, "Timestamp": None},
        ],
        links=[{"Owner": 1, "TraceId": "ab", "SpanId": "cd"}],
        attributes=[(Place.EVENT, 1, "exception.type", "E"), (Place.LINK, 0, "k", "v")],
    )
    rows = flatten(batch, HOUR)["otel_traces"].to_pylist()
    assert [["first"], [], ["second", ""]] == [row["Events.Name"] for row in rows]
    assert [[[]], [], [[("exception.type", "E")], []]] == [row["Events.Attributes"] for row in rows]
    assert [[], ["ab"], []] == [row["Links.TraceId"] for row in rows]
    assert [[], [[("k", "v")]], []] == [row["Links.Attributes"] for row in rows]


@pytest.mark.parametrize(
    ("timestamp", "ttl_seconds", "expected"),
    [
        (TIME, HOUR, TIME // SECOND + HOUR),
        (TIME + 999, 0.5, TIME // SECOND + 1),
        (TIME, 0, NEVER),
        (4_200_000_000 * SECOND, 1e9, NEVER),
        (None, HOUR, HOUR),
        (-HOUR * 2 * SECOND, HOUR, 0),
    ],
    ids=["hours", "part of a second", "for ever", "beyond 2106", "no time", "before 1970"],
)
def test_rows_expire_a_while_after_their_own_time(
    timestamp: int | None, ttl_seconds: float, expected: int
) -> None:
    """The expiry depends on the row and the ttl alone, so that a retry carries the same rows."""
    batch = make_batch("traces", [{"Timestamp": timestamp}])
    assert expected == first_row(batch, "otel_traces", ttl_seconds)["ExpiresAt"]


def test_some_nulls_among_values_are_defaults() -> None:
    """A null timestamp, string, number or label among others is a zero or an empty one."""
    names = ("Timestamp", "SpanName", "Duration", "StatusCode", "RunStatus")
    full = {"SpanName": "chat", "Duration": 5, "StatusCode": "Ok", "RunStatus": "success", "Timestamp": TIME}
    _, row = flatten(make_batch("traces", [full, {}]), HOUR)["otel_traces"].to_pylist()
    assert (0, "", 0, "", "") == (row["Timestamp"].value, *(row[name] for name in names[1:]))


def test_log_bodies_are_text_and_artifacts_have_none() -> None:
    """A body is rendered as an attribute is; the bytes of an artifact never come this far."""
    batch = make_batch(
        "logs",
        [{"EventName": "agent.artifact"}, {"EventName": "x"}, {}, {"EventName": "agent.heartbeat"}],
        attributes=[
            (Place.BODY, 0, "", b"report"),
            (Place.BODY, 1, "", 42),
            (Place.BODY, 3, "", "alive"),
            (Place.ROW, 0, "agent.artifact.name", "report.pdf"),
            (Place.SCOPE, 0, "scope", True),
        ],
    )
    rows = flatten(batch, HOUR)["otel_logs"].to_pylist()
    assert ["", "42", "", "alive"] == [row["Body"] for row in rows]
    assert [("agent.artifact.name", "report.pdf")] == rows[0]["LogAttributes"]
    assert [("scope", "true")] == rows[3]["ScopeAttributes"]


def test_points_go_to_the_table_of_their_metrics_type() -> None:
    """Each type has its own table and columns, and its points keep their attributes and exemplars."""
    kinds = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    batch = make_batch(
        "metrics",
        [
            {"Metric": 0, "Value": 1.5, "TimeUnix": TIME},
            {"Metric": 1, "Value": 2.0},
            {"Metric": 2, "Count": 3, "BucketCounts": [1, 2], "ExplicitBounds": [0.5]},
            {"Metric": 3, "Scale": 2, "PositiveBucketCounts": [4]},
            {"Metric": 4, "Quantiles": [0.5, 0.9], "QuantileValues": [1.0, 2.0]},
            {"Metric": 1, "Value": 7.0},
        ],
        metrics=[{"MetricType": kind, "MetricName": f"m.{kind}", "IsMonotonic": True} for kind in kinds],
        exemplars=[{"Owner": 5, "Value": 0.1, "TimeUnix": 2 * SECOND, "TraceId": "ab"}],
        attributes=[(Place.ROW, 5, "k", "v"), (Place.EXEMPLAR, 0, "e", "f")],
    )
    tables = flatten(batch, HOUR)
    rows = {name: table.to_pylist() for name, table in tables.items()}
    for table in tables.values():
        table.validate(full=True)

    assert {f"otel_metrics_{kind}": 2 if kind == "sum" else 1 for kind in kinds} == {
        name: len(found) for name, found in rows.items()
    }
    assert (1.5, TIME // SECOND, "m.gauge") == tuple(
        rows["otel_metrics_gauge"][0][name] for name in ("Value", "TimeUnix", "MetricName")
    )
    total = rows["otel_metrics_sum"][1]
    assert ([("k", "v")], True, [[("e", "f")]], [2], ["ab"], [""]) == (
        total["Attributes"],
        total["IsMonotonic"],
        *(total[f"Exemplars.{name}"] for name in ("FilteredAttributes", "TimeUnix", "TraceId", "SpanId")),
    )
    assert ([1, 2], [0.5], 3) == tuple(
        rows["otel_metrics_histogram"][0][name] for name in ("BucketCounts", "ExplicitBounds", "Count")
    )
    assert [4] == rows["otel_metrics_exponential_histogram"][0]["PositiveBucketCounts"]
    summary = rows["otel_metrics_summary"][0]
    assert ([0.5, 0.9], [1.0, 2.0]) == (
        summary["ValueAtQuantiles.Quantile"],
        summary["ValueAtQuantiles.Value"],
    )


def test_dictionaries_hold_what_is_used_once() -> None:
    """A value that is twice in a dictionary becomes one; one that no row has is gone; null is empty."""
    column = pa.DictionaryArray.from_arrays(
        pa.array([2, 1, None, 2, 0], pa.int32()), pa.array(["a", "b", "a", "secret", None])
    )
    compacted = compact(column)
    assert ["a", "b", "", "a", "a"] == compacted.to_pylist()
    assert {"a", "b", ""} == set(compacted.dictionary.to_pylist())
    assert 3 == len(compacted.dictionary)
