"""The .sql files and the columns that are inserted say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from agenttracer.schemas import migrate
from agenttracer.schemas.clickhouse_tables import FLATTENED, SECOND
from agenttracer.schemas.columns import TIME
from agenttracer.schemas.steps import STEPS_TABLE, STORED

INSERTED = {**FLATTENED, STEPS_TABLE: STORED}
LABELS = ("String", "LowCardinality(String)")
TRACES_OF_THE_COLLECTOR = (
    "Timestamp TraceId SpanId ParentSpanId TraceState SpanName SpanKind ServiceName ResourceAttributes ScopeName "
    "ScopeVersion SpanAttributes Duration StatusCode StatusMessage Events.Timestamp Events.Name "
    "Events.Attributes Links.TraceId Links.SpanId Links.TraceState Links.Attributes"
).split()
LOGS_OF_THE_COLLECTOR = (
    "Timestamp TraceId SpanId TraceFlags SeverityText SeverityNumber ServiceName Body ResourceSchemaUrl "
    "ResourceAttributes ScopeSchemaUrl ScopeName ScopeVersion ScopeAttributes LogAttributes EventName"
).split()
METRICS_ORDER = "ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix"
KEYS = {
    "otel_traces": ("toDate(Timestamp)", "ServiceName, SpanName, toDateTime(Timestamp)"),
    "otel_traces_trace_id_ts": ("toDate(Start)", "TraceId, Start"),
    "otel_logs": ("toDate(Timestamp)", "toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp"),
    **{table: ("toDate(TimeUnix)", METRICS_ORDER) for table in FLATTENED if "metrics" in table},
    "agent_runs_state": ("toDate(ExpiresAt)", "TenantId, RunId"),
    "agent_step_spans": ("toDate(Timestamp)", "TenantId, RunId, Timestamp, TraceId, SpanId, LogKey"),
    "agent_artifacts": ("toDate(Timestamp)", "TenantId, RunId, Name, Timestamp"),
    "redaction_ledger": (
        "toDate(ExpiresAt)",
        "TenantId, Hour, PolicyHash, ServiceName, Signal, Place, Rule, Class, Action",
    ),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with every table."""
    folder = str(tmp_path_factory.mktemp("ddl"))
    with closing(clickhouse_connect.get_client(interface="chdb", path=folder)) as client:
        migrate.apply(client)
        yield client


def columns(client: Client, table: str) -> dict[str, str]:
    """The columns that an insert may name, and their types."""
    found = client.query(
        f"SELECT name, type FROM system.columns WHERE database = 'default' AND table = '{table}' "
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position"
    )
    # An aggregate that adds up, or takes the largest, is inserted as the plain value.
    return {
        name: re.sub(r"SimpleAggregateFunction\(\w+, (\w+)\)", r"\1", kind)
        for name, kind in found.result_rows
    }


def types_for(field: pa.Field) -> set[str]:
    """The ClickHouse types that take a column of this Arrow type as it is."""
    of: Any = field.type
    if pa.types.is_list(of):
        return {f"Array({name})" for name in types_for(pa.field(field.name, of.value_type, nullable=False))}
    if pa.types.is_map(of):
        return {"Map(LowCardinality(String), String)"}
    if pa.types.is_dictionary(of) or pa.types.is_string(of):
        return set(LABELS)
    if of == TIME:
        names = {"DateTime64(9)"}
    elif of == SECOND and field.name.endswith(("Unix", "ExpiresAt", "Hour")):
        names = {"DateTime"}
    elif pa.types.is_decimal(of):
        names = {f"Decimal({of.precision}, {of.scale})"}
    else:
        names = {
            {"bool": "Bool", "double": "Float64"}.get(str(of)) or str(of).title().replace("Uint", "UInt")
        }
    return {f"Nullable({name})" for name in names} if field.nullable else names


@pytest.mark.parametrize("table", INSERTED)
def test_tables_have_exactly_the_columns_that_are_inserted(client: Client, table: str) -> None:
    """No column is inserted that the DDL lacks, and none is left out of the inserts."""
    assert set(INSERTED[table].names) == set(columns(client, table))


@pytest.mark.parametrize("table", INSERTED)
def test_columns_have_agreeing_types(client: Client, table: str) -> None:
    """Every column's type takes the Arrow type as it is, nulls only where nulls are inserted."""
    declared = columns(client, table)
    differing = {
        field.name: (declared[field.name], types_for(field))
        for field in INSERTED[table]
        if declared[field.name] not in types_for(field)
    }
    assert {} == differing


def test_the_collectors_columns_come_first_in_its_order(client: Client) -> None:
    """Readers of the Collector's tables find them as they know them."""
    assert list(columns(client, "otel_traces"))[: len(TRACES_OF_THE_COLLECTOR)] == TRACES_OF_THE_COLLECTOR
    assert list(columns(client, "otel_logs"))[: len(LOGS_OF_THE_COLLECTOR)] == LOGS_OF_THE_COLLECTOR


def test_partitions_and_order_are_the_collectors(client: Client) -> None:
    """Days are partitions; the sorting keys are those of the Collector's released layouts."""
    rows = client.query(
        "SELECT name, partition_key, sorting_key FROM system.tables WHERE database = 'default' "
        "AND engine LIKE '%MergeTree' AND name != 'agenttracer_migrations'"
    ).result_rows
    assert KEYS == {name: (partition, order) for name, partition, order in rows}


def test_every_table_expires_rows_and_knows_repeated_inserts(client: Client) -> None:
    """Rows go by their own ExpiresAt; a deduplication window stands behind every table and view."""
    rows = client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = 'default' AND name IN "
        f"({', '.join(repr(name) for name in KEYS)})"
    ).result_rows
    wanted = ("TTL ExpiresAt", "non_replicated_deduplication_window = 1000", "fsync_after_insert = 1")
    assert {name: list(wanted) for name in KEYS} == {
        name: [part for part in wanted if part in query] for name, query in rows
    }


def test_timestamp_time_serves_readers_of_the_older_log_layout(client: Client) -> None:
    """The column that older readers filter by is there, and costs nothing."""
    (kind,) = client.query(
        "SELECT default_kind FROM system.columns WHERE table = 'otel_logs' AND name = 'TimestampTime'"
    ).first_row
    assert kind == "ALIAS"
