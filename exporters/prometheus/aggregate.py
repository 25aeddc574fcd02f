"""Sums a batch up into the few numbers that its series grow by, with one group-by over all its rows.

rows ── group by every label and bucket at once ──▶ facts, a few hundred rows
facts ── filter, group by its labels ──▶ the increments of each metric
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.exporters.prometheus.families import BOUNDS_SECONDS, LOG_FAMILIES, SPAN_FAMILIES, Family
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.semconv import EventName

_LABELS = (
    *("AgentName", "AgentVersion", "RunStatus", "StepType", "FailureType", "FailureCode"),
    *("ToolName", "Provider", "Model", "StatusCode"),
)
_MEASURES = (
    *("InputTokens", "OutputTokens", "CacheReadTokens", "CacheWriteTokens", "ReasoningTokens"),
    "CostUsd",
)
_RUN_EVENTS = {
    EventName.RUN_QUEUED.value: "queued",
    EventName.RUN_STARTED.value: "started",
    EventName.RUN_CANCELLED.value: "cancelled",
}

BucketCounts = tuple[int, ...]
"""Observations a bucket of ``BOUNDS_SECONDS`` and beyond, not cumulative."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What one series grows by; ``buckets`` is empty for a counter, ``value`` a histogram's sum."""

    family: Family
    labels: tuple[str, ...]
    value: float
    buckets: BucketCounts = ()


def aggregate(batch: Batch, tenant_label: bool = False) -> list[Increment]:
    """The increments of every series that the batch touches; the tenant is the first label if wanted."""
    if batch.signal is Signal.TRACES:
        return _increments(_span_facts(batch, tenant_label), SPAN_FAMILIES, tenant_label)
    if batch.signal is Signal.LOGS:
        return _increments(_log_facts(batch, tenant_label), LOG_FAMILIES, tenant_label)
    return []


def _span_facts(batch: Batch, tenant_label: bool) -> pa.Table:
    rows = batch.rows
    seconds = pc.divide(pc.cast(rows["Duration"], pa.float64()), 1e9).fill_null(0.0)
    bucket = np.searchsorted(np.array(BOUNDS_SECONDS), seconds.to_numpy(zero_copy_only=False), side="left")
    measures = {name: _column(rows, name, pa.uint64()) for name in _MEASURES}
    facts = _group(
        {name: _column(rows, name, pa.string()) for name in _LABELS} | _tenant(batch, tenant_label),
        {"bucket": pa.array(bucket)},
        {"seconds": seconds, **measures},
    )
    failed = pc.or_(pc.equal(facts["StatusCode"], "Error"), pc.not_equal(facts["FailureCode"], ""))
    return facts.append_column("Status", pc.if_else(failed, "error", "ok"))


def _log_facts(batch: Batch, tenant_label: bool) -> pa.Table:
    known = pc.is_in(batch.rows["EventName"], pa.array(list(_RUN_EVENTS)))
    if not known.true_count:
        return pa.table({})
    rows = batch.rows.filter(known)
    event = pc.index_in(rows["EventName"], pa.array(list(_RUN_EVENTS)))
    labels = {
        "AgentName": _column(rows, "AgentName", pa.string()),
        "Event": pa.array(list(_RUN_EVENTS.values())).take(event),
    }
    return _group(labels | _tenant(batch.with_tables(rows=rows), tenant_label), {}, {})


def _tenant(batch: Batch, tenant_label: bool) -> dict[str, pa.Array]:
    if not tenant_label:
        return {}
    return {"TenantId": batch.tables["resources"]["TenantId"].take(batch.rows["Resource"])}


def _column(rows: pa.RecordBatch, name: str, otherwise: pa.DataType) -> pa.Array:
    """A column of the rows; all null where the processor that makes it isn't in the pipeline."""
    return rows[name] if name in rows.schema.names else pa.nulls(rows.num_rows, otherwise)


def _group(labels: dict[str, pa.Array], keys: dict[str, pa.Array], measures: dict[str, pa.Array]) -> pa.Table:
    """Rows and sums of measures by labels and keys; labels as strings, empty for null; sums as doubles."""
    # Numbers group several times faster than strings; two numbers of one string merge in the next step.
    coded = {name: _encode(column) for name, column in labels.items()}
    codes = {name: column.indices for name, column in coded.items()}
    grouped = (
        pa.table({**codes, **keys, **measures})
        .group_by([*codes, *keys], use_threads=False)
        .aggregate([([], "count_all"), *((name, "sum") for name in measures)])
    )
    columns = {name: column.dictionary.take(grouped[name]).fill_null("") for name, column in coded.items()}
    columns |= {name: grouped[name] for name in keys}
    columns |= {name: pc.cast(grouped[f"{name}_sum"], pa.float64()) for name in measures}
    return pa.table({**columns, "rows": pc.cast(grouped["count_all"], pa.float64())})


def _encode(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _increments(facts: pa.Table, families: Sequence[Family], tenant_label: bool) -> list[Increment]:
    if not facts.num_rows:
        return []
    tenant = ["TenantId"] if tenant_label else []
    return [
        increment
        for family in families
        if (chosen := facts.filter(family.where(facts))).num_rows
        for increment in _of_family(family, chosen, [*tenant, *family.labels.values()])
    ]


def _of_family(family: Family, facts: pa.Table, columns: list[str]) -> Iterable[Increment]:
    if family.type == "histogram":
        return _histogram(family, facts, columns)
    return _counter(family, facts, columns)


def _counter(family: Family, facts: pa.Table, columns: list[str]) -> Iterable[Increment]:
    names = list(family.measures.values())
    grouped = facts.group_by(columns, use_threads=False).aggregate([(name, "sum") for name in names])
    labels = _label_values(grouped, columns)
    for value, name in family.measures.items():
        extra = (value,) if family.measure_label else ()
        for series, amount in zip(labels, grouped[f"{name}_sum"].to_pylist(), strict=True):
            if amount:
                yield Increment(family, (*series, *extra), amount)


def _histogram(family: Family, facts: pa.Table, columns: list[str]) -> Iterable[Increment]:
    grouped = facts.group_by([*columns, "bucket"], use_threads=False).aggregate(
        [("rows", "sum"), ("seconds", "sum")]
    )
    counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: dict[tuple[str, ...], float] = defaultdict(float)
    numbers = (grouped[name].to_pylist() for name in ("bucket", "rows_sum", "seconds_sum"))
    for series, bucket, rows, sum_seconds in zip(_label_values(grouped, columns), *numbers, strict=True):
        counts[series][bucket] += int(rows)
        seconds[series] += sum_seconds
    return [Increment(family, series, seconds[series], tuple(buckets)) for series, buckets in counts.items()]


def _label_values(grouped: pa.Table, columns: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(grouped[name].to_pylist() for name in columns), strict=True))
