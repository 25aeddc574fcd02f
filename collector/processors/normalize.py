"""Puts every dialect's facts into the typed columns; the attributes themselves stay as they came.

    processors:
      normalize: {}

What means what is a table, ``schemas/dialects.py``; this file only looks it up, a column at a time.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, has_kind, integers, map_values, strings, view
from agenttracer.collector.component import Options, Processor
from agenttracer.collector.decode.nested import render_nested
from agenttracer.schemas import logs, metrics, spans
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.dialects import (
    FRAMEWORKS,
    PROVIDERS,
    RESOURCE_STRINGS,
    SPAN_INTEGERS,
    SPAN_STRINGS,
)
from agenttracer.schemas.semconv import RUN_STATUS_ALIASES, RunStatus

_TYPED = {Signal.TRACES: spans.TYPED, Signal.LOGS: logs.TYPED, Signal.METRICS: metrics.TYPED}
_PROVIDER_NAMES = frozenset(PROVIDERS.values())
_STATUSES = {**{status.value: status.value for status in RunStatus}, **RUN_STATUS_ALIASES}


class Normalize(Processor[Options]):
    """The typed columns of a batch, from whatever dialect its attributes are in."""

    options_type = Options

    def process(self, batch: Batch) -> Batch:
        attributes = view(batch)
        wanted = set(_TYPED[batch.signal].names)
        columns = _from_rows(attributes, batch, wanted)
        _from_resources(attributes, batch, wanted, columns)
        if "RunId" in wanted:
            columns["RunId"] = _run_ids(batch, columns.get("RunId"))
        if (status := columns.get("RunStatus")) is not None:
            columns["RunStatus"] = map_values(status, _STATUSES).dictionary_encode()
        if (provider := columns.get("Provider")) is not None:
            columns["Provider"] = _providers(provider)
        return batch.with_columns(**columns)


def _from_rows(attributes: View, batch: Batch, wanted: set[str]) -> dict[str, pa.Array]:
    slots = {name: keys for name, keys in (SPAN_STRINGS | SPAN_INTEGERS).items() if name in wanted}
    columns: dict[str, pa.Array] = {}
    for name, index in find(attributes, Place.ROW, batch.num_rows, slots).items():
        if name in SPAN_STRINGS:
            column = strings(attributes, index)
            if name == "FinishReason":
                column = _first_reason(attributes, index, column)
            columns[name] = column
        else:
            kind = spans.SPANS.field(name).type
            numbers = integers(attributes, index)
            sensible = pc.and_(pc.greater_equal(numbers, 0), pc.less_equal(numbers, 2**31 - 1))
            columns[name] = pc.if_else(sensible, numbers, None).cast(kind)
    return columns


def _first_reason(attributes: View, index: np.ndarray, texts: pa.StringArray) -> pa.StringArray:
    """The first finish reason of a list, of a JSON list in a string, or the string itself."""
    lists = has_kind(attributes, index, Kind.ARRAY)
    if lists.any():
        rows = pa.array(index[lists])
        rendered = render_nested(
            attributes.table.column("kind").take(rows), attributes.table.column("nested").take(rows)
        )
        texts = pc.replace_with_mask(texts, pa.array(lists), rendered)
    return pc.struct_field(
        pc.extract_regex(texts, r'^(?:\[\s*")?(?P<reason>[A-Za-z_]{1,32})(?:"|$)'), "reason"
    )


def _from_resources(attributes: View, batch: Batch, wanted: set[str], columns: dict[str, pa.Array]) -> None:
    slots = {name: keys for name, keys in RESOURCE_STRINGS.items() if name in wanted}
    resources = batch.tables["resources"].num_rows
    for name, index in find(attributes, Place.RESOURCE, resources, slots).items():
        inherited = strings(attributes, index).take(batch.rows.column("Resource"))
        own = columns.get(name)
        columns[name] = inherited if own is None else pc.coalesce(own, inherited)


def _run_ids(batch: Batch, own: pa.StringArray | None) -> pa.StringArray:
    """The row's own run id, else that of a row of the same trace, else the trace id."""
    traces = batch.rows.column("TraceId")
    if own is None:
        return traces
    if own.null_count:
        named = own.is_valid()
        first = pc.index_in(traces, traces.filter(named))
        own = pc.coalesce(own, own.filter(named).take(first), traces)
    return own


def _providers(values: pa.StringArray) -> pa.StringArray:
    """The conventions' names for the providers that the table knows, whatever the case they came in; any
    other stays as it came, for redaction to judge what it really is."""
    known = {
        value: None if value.lower() in FRAMEWORKS else PROVIDERS.get(value.lower(), _plain(value))
        for value in pc.unique(values).drop_null().to_pylist()
    }
    return map_values(values, {value: name for value, name in known.items() if name is not None})


def _plain(value: str) -> str:
    return value.lower() if value.lower() in _PROVIDER_NAMES else value
