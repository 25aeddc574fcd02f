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
    operation = pc.coalesce(_filled(_column(rows, "Operation")), _filled(steps))
    is_model = pc.is_in(steps, pa.array(["model", "respond"]))
    subject = pc.case_when(
        pc.make_struct(pc.equal(steps, "tool"), is_model, pc.equal(steps, "agent")),
        _filled(_column(rows, "ToolName")),
        _filled(_column(rows, "Model")),
        _filled(_column(rows, "AgentName")),
        _filled(_column(rows, "StepName")),
    )
    names = pc.if_else(operation.is_valid(), _words(operation, subject), None)
    attributes = view(clean)
    found = find(attributes, Place.ROW, clean.num_rows, _HTTP)
    if "method" in found:
        parts = [strings(attributes, found[slot]) for slot in ("method", "route") if slot in found]
        names = pc.coalesce(names, _filled(_words(*parts)))
    kinds = pc.utf8_lower(rows.column("SpanKind").cast(pa.string()))
    return pc.coalesce(names, kinds, "span")


def _column(rows: pa.RecordBatch, name: str) -> pa.StringArray:
    index = rows.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(rows.num_rows, pa.string())
    return rows.column(index).cast(pa.string())


def _words(*parts: pa.StringArray) -> pa.StringArray:
    # Not null_handling="skip": with it, rows in which every part is null vanish from the answer.
    joined = pc.binary_join_element_wise(*parts, " ", null_handling="replace", null_replacement="")
    return pc.utf8_trim_whitespace(joined)


def _filled(column: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(column, ""), None, column)
