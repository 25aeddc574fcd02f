"""From the tables of a batch to the rows that ClickHouse stores, one Arrow table a ClickHouse table.

    rows ── resources, scopes      columns, spread by number
         ── attributes             Map(LowCardinality(String), String)
         ── events, links          Nested: one list a column
         ── ttl_seconds            ExpiresAt = the row's own time + ttl, so that a retry carries the same rows

What a pipeline didn't make, for want of the processor, is left at its default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.schemas.attribute_maps import AttributeMaps, offsets_of
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.clickhouse_tables import (
    FLATTENED,
    LEDGER_TABLE,
    LOGS_TABLE,
    METRICS_TABLES,
    NEVER,
    TRACES_TABLE,
)
from agenttracer.schemas.dictionaries import compact

ARTIFACT_EVENT = "agent.artifact"

Columns = dict[str, pa.Array]


def flatten(batch: Batch, ttl_seconds: float) -> dict[str, pa.Table]:
    """Rows by ClickHouse table; tables without rows are left out. A ``ttl_seconds`` of 0 is never."""
    if not batch.num_rows:
        return {}
    tables = _FLATTEN[batch.signal](batch, AttributeMaps(batch.attributes), ttl_seconds)
    ledger = batch.tables.get("ledger")
    return (
        tables
        if ledger is None or not ledger.num_rows
        else tables | {LEDGER_TABLE: _ledger(batch.signal, ledger, ttl_seconds)}
    )


def _traces(batch: Batch, attributes: AttributeMaps, ttl_seconds: float) -> dict[str, pa.Table]:
    rows, events, links = batch.rows, batch.tables["events"], batch.tables["links"]
    columns = {
        **_columns(rows),
        **_of_resource_and_scope(batch, attributes),
        **_lists("Events", events, rows.num_rows, attributes.maps(Place.EVENT, events.num_rows)),
        **_lists("Links", links, rows.num_rows, attributes.maps(Place.LINK, links.num_rows)),
        "SpanAttributes": attributes.maps(Place.ROW, rows.num_rows),
        "ExpiresAt": _expiry(rows.column("Timestamp"), ttl_seconds),
    }
    return {TRACES_TABLE: _table(columns, TRACES_TABLE)}


def _logs(batch: Batch, attributes: AttributeMaps, ttl_seconds: float) -> dict[str, pa.Table]:
    rows = batch.rows
    artifacts = pc.fill_null(pc.equal(rows.column("EventName"), ARTIFACT_EVENT), False)
    columns = {
        **_columns(rows),
        **_of_resource_and_scope(batch, attributes),
        "LogAttributes": attributes.maps(Place.ROW, rows.num_rows),
        "Body": attributes.bodies(rows.num_rows, without=artifacts.to_numpy(zero_copy_only=False)),
        "ExpiresAt": _expiry(rows.column("Timestamp"), ttl_seconds),
    }
    return {LOGS_TABLE: _table(columns, LOGS_TABLE)}


def _metrics(batch: Batch, attributes: AttributeMaps, ttl_seconds: float) -> dict[str, pa.Table]:
    rows, of_metric, exemplars = batch.rows, batch.tables["metrics"], batch.tables["exemplars"]
    quantiles = {"Quantile": rows.column("Quantiles"), "Value": rows.column("QuantileValues")}
    columns = {
        **_columns(rows),
        **_spread(of_metric, rows.column("Metric")),
        **_of_resource_and_scope(batch, attributes),
        **_lists("Exemplars", exemplars, rows.num_rows, attributes.maps(Place.EXEMPLAR, exemplars.num_rows)),
        **{f"ValueAtQuantiles.{name}": column for name, column in quantiles.items()},
        "Attributes": attributes.maps(Place.ROW, rows.num_rows),
        "StartTimeUnix": _seconds(rows.column("StartTimeUnix")),
        "TimeUnix": _seconds(rows.column("TimeUnix")),
        "ExpiresAt": _expiry(rows.column("TimeUnix"), ttl_seconds),
    }
    tables = {}
    for kind, table in METRICS_TABLES.items():
        mine = pc.equal(columns["MetricType"], kind)
        if pc.any(mine).as_py():
            tables[table] = _table(columns, table, where=None if pc.all(mine).as_py() else mine)
    return tables


_FLATTEN: dict[Signal, Callable[[Batch, AttributeMaps, float], dict[str, pa.Table]]] = {
    Signal.TRACES: _traces,
    Signal.LOGS: _logs,
    Signal.METRICS: _metrics,
}


def _ledger(signal: Signal, ledger: pa.RecordBatch, ttl_seconds: float) -> pa.Table:
    """What the batch's rows lost, by the hour: the store adds lines of the same hour up."""
    times = pc.floor_temporal(ledger.column("Time"), unit="hour")
    columns = {
        **_columns(ledger),
        "Hour": _seconds(times),
        "Signal": pa.repeat(pa.scalar(signal.value), ledger.num_rows),
        "ExpiresAt": _expiry(times, ttl_seconds),
    }
    return _table(columns, LEDGER_TABLE)


def _of_resource_and_scope(batch: Batch, attributes: AttributeMaps) -> Columns:
    columns: Columns = {}
    for name, place in (("Resource", Place.RESOURCE), ("Scope", Place.SCOPE)):
        table, owner = batch.tables[f"{name.lower()}s"], batch.rows.column(name)
        columns |= _spread(table, owner)
        columns[f"{name}Attributes"] = attributes.maps(place, table.num_rows).take(owner)
    return columns


def _columns(table: pa.RecordBatch) -> Columns:
    return dict(zip(table.schema.names, table.columns, strict=True))


def _spread(table: pa.RecordBatch, owner: pa.Array) -> Columns:
    """Each column of a small table, once for each row that points at it; strings stay dictionaries."""
    return {
        name: _spread_strings(column, owner) if pa.types.is_string(column.type) else column.take(owner)
        for name, column in _columns(table).items()
    }


def _spread_strings(column: pa.Array, owner: pa.Array) -> pa.DictionaryArray:
    encoded = column.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(owner), encoded.dictionary)


def _lists(prefix: str, table: pa.RecordBatch, owners: int, maps: pa.Array) -> Columns:
    """What several events, links or exemplars of a row are: one list a column, and one of their maps."""
    attributes = "FilteredAttributes" if prefix == "Exemplars" else "Attributes"
    columns = _columns(table) | {attributes: maps}
    if prefix == "Exemplars":
        columns["TimeUnix"] = _seconds(columns["TimeUnix"])
    offsets = offsets_of(columns.pop("Owner"), owners)
    return {
        f"{prefix}.{name}": pa.ListArray.from_arrays(offsets, _fill(column) if column.null_count else column)
        for name, column in columns.items()
    }


def _table(columns: Mapping[str, pa.Array], name: str, where: pa.Array | None = None) -> pa.Table:
    schema = FLATTENED[name]
    rows = len(columns["ExpiresAt"])
    table = pa.table([_column(columns.get(field.name), field, rows) for field in schema], schema=schema)
    return table if where is None else table.filter(where)


def _column(column: pa.Array | None, field: pa.Field, rows: int) -> pa.Array:
    if column is None or column.null_count == rows:
        return nothing(field, rows)
    if isinstance(column, pa.DictionaryArray):
        column = compact(column)
    elif column.null_count and not field.nullable:
        column = _fill(column)
    return column if column.type == field.type else column.cast(field.type)


def nothing(field: pa.Field, rows: int) -> pa.Array:
    """Nulls; where there can be none the default of the type: no text, zero, an empty list."""
    of = field.type
    if field.nullable:
        return pa.nulls(rows, of)
    if pa.types.is_dictionary(of):
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, of.index_type), rows), pa.array([""]))
    if pa.types.is_list(of):
        return pa.ListArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), rows + 1), pa.nulls(0, of.value_type)
        )
    return pa.repeat(pa.scalar("" if pa.types.is_string(of) else 0).cast(of), rows)


def _fill(column: pa.Array) -> pa.Array:
    """The column with the default in place of nulls."""
    if pa.types.is_list(column.type):
        return pa.ListArray.from_arrays(_list_offsets(column), column.flatten())
    return column.fill_null("" if pa.types.is_string(column.type) else pa.scalar(0).cast(column.type))


def _list_offsets(column: pa.ListArray) -> pa.Array:
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _seconds(times: pa.Array, later: float = 0) -> pa.Array:
    """Whole seconds since 1970 of nanosecond times, held within what DateTime can tell."""
    nanoseconds = times.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(np.clip(nanoseconds // 1_000_000_000 + math.ceil(later), 0, NEVER).astype(np.uint32))


def _expiry(times: pa.Array, ttl_seconds: float) -> pa.Array:
    if not ttl_seconds:
        return pa.repeat(pa.scalar(NEVER, pa.uint32()), len(times))
    return _seconds(times, ttl_seconds)
