"""GenAI events that come as log records: what their names and bodies say, before redaction drops the body.

gen_ai.choice                                  body {"finish_reason": …}            (conventions 1.27 to 1.36)
gen_ai.client.inference.operation.details      attributes gen_ai.* as on a span     (from 1.37)
exception, gen_ai.client.operation.exception   attributes exception.*
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, strings
from agenttracer.collector.decode.nested import render_nested
from agenttracer.collector.dialects.columns import Columns
from agenttracer.collector.dialects.json_facts import known_reasons
from agenttracer.schemas.batch import Batch, Kind, Place
from agenttracer.schemas.dialect_json import PATTERNS


def event_names(attributes: View, batch: Batch) -> pa.StringArray:
    """Each record's event name; older SDKs send it as the attribute ``event.name``."""
    names = batch.rows.column("EventName")
    found = find(attributes, Place.ROW, batch.num_rows, {"name": ("event.name",)})
    if "name" not in found:
        return names
    return pc.coalesce(
        pc.if_else(pc.equal(names, ""), None, names), strings(attributes, found["name"]), names
    )


def add_from_bodies(attributes: View, batch: Batch, columns: Columns) -> None:
    """The finish reason of ``gen_ai.choice`` records, which stands in the body."""
    choices = pc.fill_null(pc.equal(batch.rows.column("EventName"), "gen_ai.choice"), False)
    rows = np.flatnonzero(choices.to_numpy(zero_copy_only=False))
    if not len(rows):
        return
    texts = _bodies(attributes, batch, rows)
    reasons = known_reasons(pc.struct_field(pc.extract_regex(texts, PATTERNS["FinishReason"]), "value"))
    own = columns.get("FinishReason", pa.nulls(batch.num_rows, pa.string()))
    columns["FinishReason"] = pc.coalesce(own, pc.replace_with_mask(own, choices, reasons))


def _bodies(attributes: View, batch: Batch, wanted: np.ndarray) -> pa.StringArray:
    """The bodies of some records as text: a string as it is, anything nested as JSON."""
    part = attributes.place(Place.BODY)
    of_row = np.full(batch.num_rows, -1, np.int64)
    of_row[attributes.owners[part]] = np.arange(part.start, part.stop)
    of_row = of_row[wanted]
    at = pa.array(of_row, mask=of_row < 0)
    texts = attributes.table.column("string").take(at)
    kinds = pc.fill_null(attributes.table.column("kind").take(at), Kind.EMPTY)
    is_map = pc.equal(kinds, Kind.KVLIST)
    if not pc.any(is_map, min_count=0).as_py():
        return texts
    rows = at.filter(is_map)
    rendered = render_nested(
        attributes.table.column("kind").take(rows), attributes.table.column("nested").take(rows)
    )
    return pc.replace_with_mask(texts, is_map, rendered)
