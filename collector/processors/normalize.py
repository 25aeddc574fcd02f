"""Puts every dialect's facts into the typed columns; the attributes themselves stay as they came.

    processors:
      normalize: {}

What means what is a table, ``schemas/dialects.py``; this file only looks it up, a column at a time.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import view
from agenttracer.collector.component import Options, Processor
from agenttracer.collector.dialects.columns import (
    add_from_events,
    add_from_resources,
    add_from_scopes,
    from_rows,
)
from agenttracer.collector.dialects.event_records import add_from_bodies, event_names
from agenttracer.collector.dialects.json_facts import add_from_event_json, add_from_json
from agenttracer.collector.dialects.values import translate
from agenttracer.schemas import logs, metrics, spans
from agenttracer.schemas.batch import Batch, Signal

_TYPED = {Signal.TRACES: spans.TYPED, Signal.LOGS: logs.TYPED, Signal.METRICS: metrics.TYPED}


class Normalize(Processor[Options]):
    """The typed columns of a batch, from whatever dialect its attributes are in."""

    options_type = Options

    def process(self, batch: Batch) -> Batch:
        attributes = view(batch)
        wanted = set(_TYPED[batch.signal].names)
        columns = from_rows(attributes, batch, wanted)
        if batch.signal is Signal.TRACES:
            add_from_events(attributes, batch, columns)
            add_from_event_json(attributes, batch, columns)
            add_from_scopes(attributes, batch, wanted, columns)
        elif batch.signal is Signal.LOGS:
            columns["EventName"] = event_names(attributes, batch)
            add_from_bodies(attributes, batch.with_columns(EventName=columns["EventName"]), columns)
        if batch.signal is not Signal.METRICS:
            add_from_json(attributes, batch, wanted, columns)
        add_from_resources(attributes, batch, wanted, columns)
        translate(columns, batch)
        if "RunId" in wanted:
            columns["RunId"] = _run_ids(batch, columns.get("RunId"))
        return batch.with_columns(**columns)


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
