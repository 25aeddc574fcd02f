"""Span names from allowed parts: frameworks put whole prompts into them.

<operation> <tool | model | agent | step>      a step of an agent
<method> <route>                               an HTTP call
<kind>                                         anything else
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import find, strings, view
from agenttracer.schemas.batch import Batch, Place

_HTTP = {"method": ("http.request.method", "http.method"), "route": ("http.route",)}


def span_names(clean: Batch) -> pa.StringArray:
    """The names of a redacted batch's spans, out of what redaction left."""
    rows = clean.rows
    steps = _column(rows, "StepType")
    subject = pc.case_when(
        pc.make_struct(
            pc.equal(steps, "tool"),
            pc.is_in(steps, pa.array(["model", "respond"])),
            pc.equal(steps, "agent"),
        ),
        _column(rows, "ToolName"),
        _column(rows, "Model"),
        _column(rows, "AgentName"),
        _column(rows, "StepName"),
    )
    names = _words(pc.coalesce(_column(rows, "Operation"), steps), subject)
    nameless = pc.equal(names, "")
    if not pc.any(nameless, min_count=0).as_py():
        return names
    attributes = view(clean)
    found = find(attributes, Place.ROW, clean.num_rows, _HTTP)
    if "method" in found:
        call = _words(*(strings(attributes, found[slot]) for slot in ("method", "route") if slot in found))
        names = pc.if_else(nameless, call, names)
        nameless = pc.equal(names, "")
    return pc.if_else(nameless, pc.utf8_lower(_column(rows, "SpanKind")), names)


def _column(rows: pa.RecordBatch, name: str) -> pa.StringArray:
    index = rows.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(rows.num_rows, pa.string())
    column = rows.column(index)
    return column.cast(pa.string()) if isinstance(column, pa.DictionaryArray) else column


def _words(*parts: pa.StringArray) -> pa.StringArray:
    # Not null_handling="skip": with it, rows in which every part is null vanish from the answer.
    joined = pc.binary_join_element_wise(*parts, " ", null_handling="replace", null_replacement="")
    return pc.utf8_trim_whitespace(joined)
