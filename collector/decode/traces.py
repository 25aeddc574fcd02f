"""Spans, their events and their links: undecoded items to tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.envelope import Envelope, owners
from agenttracer.collector.decode.identifiers import SPAN_ID_BYTES, TRACE_ID_BYTES, hex_ids
from agenttracer.collector.decode.rows import Rows, empty, labels
from agenttracer.collector.decode.timestamps import timestamps
from agenttracer.schemas.batch import Place
from agenttracer.schemas.spans import DECODED_SPANS, EVENTS, LINKS

_KINDS = pa.array(["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"])
_STATUS_CODES = pa.array(["Unset", "Ok", "Error"])


def read_spans(envelope: Envelope, received_unix_ns: int) -> Rows:
    """The spans whose ids are valid, with the events and links of these; the others are refused.

    A span without a start has the time it was received, one that ends before it starts lasts 0 ns.
    """
    spans = wire.parse(wire.SPAN, envelope.items)
    trace_ids, good_trace = hex_ids(spans.column("trace_id"), TRACE_ID_BYTES)
    span_ids, good_span = hex_ids(spans.column("span_id"), SPAN_ID_BYTES)
    carriers = (envelope.request_of_item, envelope.resource_of_item, envelope.scope_of_item)
    kept = good_trace & good_span
    refused = carriers[0][~kept]
    if len(refused):
        mask = pa.array(kept)
        spans, trace_ids, span_ids = (column.filter(mask) for column in (spans, trace_ids, span_ids))
        carriers = tuple(carrier[kept] for carrier in carriers)
    start = spans.column("start_time_unix_nano").to_numpy()
    end = spans.column("end_time_unix_nano").to_numpy()
    start = np.where(start == 0, np.uint64(received_unix_ns), start)
    status = spans.column("status")
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(carriers[1]),
            pa.array(carriers[2]),
            timestamps(start),
            trace_ids,
            span_ids,
            hex_ids(spans.column("parent_span_id"), SPAN_ID_BYTES)[0],
            spans.column("trace_state"),
            spans.column("name"),
            labels(spans.column("kind"), _KINDS),
            pa.array(np.maximum(end, start) - start),
            labels(status.field("code"), _STATUS_CODES),
            status.field("message"),
            spans.column("flags"),
            spans.column("dropped_attributes_count"),
            spans.column("dropped_events_count"),
            spans.column("dropped_links_count"),
        ],
        schema=DECODED_SPANS,
    )
    events, event_attributes = _events(spans.column("events"))
    links, link_attributes = _links(spans.column("links"))
    attributes = [(Place.ROW, spans.column("attributes")), *event_attributes, *link_attributes]
    return Rows({"rows": rows, "events": events, "links": links}, attributes, carriers[0], refused)


def _events(per_span: pa.ListArray) -> tuple[pa.RecordBatch, list[tuple[Place, pa.ListArray]]]:
    if not len(per_span.values):
        return empty(EVENTS), []
    events = wire.parse(wire.EVENT, per_span.values)
    columns = [
        pa.array(owners(per_span)),
        timestamps(events.column("time_unix_nano").to_numpy()),
        events.column("name"),
        events.column("dropped_attributes_count"),
    ]
    table = pa.RecordBatch.from_arrays(columns, schema=EVENTS)
    return table, [(Place.EVENT, events.column("attributes"))]


def _links(per_span: pa.ListArray) -> tuple[pa.RecordBatch, list[tuple[Place, pa.ListArray]]]:
    """A link whose ids are invalid leads nowhere: it is left out."""
    if not len(per_span.values):
        return empty(LINKS), []
    links = wire.parse(wire.LINK, per_span.values)
    trace_ids, good_trace = hex_ids(links.column("trace_id"), TRACE_ID_BYTES)
    span_ids, good_span = hex_ids(links.column("span_id"), SPAN_ID_BYTES)
    columns = [
        pa.array(owners(per_span)),
        trace_ids,
        span_ids,
        links.column("trace_state"),
        links.column("flags"),
        links.column("dropped_attributes_count"),
    ]
    table = pa.RecordBatch.from_arrays(columns, schema=LINKS)
    attributes = links.column("attributes")
    valid = good_trace & good_span
    if not valid.all():
        table, attributes = (part.filter(pa.array(valid)) for part in (table, attributes))
    return table, [(Place.LINK, attributes)]
