"""What a step's library says only in the span's name, or not at all: tools, agents, operations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, map_values, strings
from agenttracer.collector.dialects.scopes import rows_of_scopes
from agenttracer.collector.steps.tree import Mask, is_value, mask
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.step_types import (
    AGENT_NAME_KEYS,
    EMBEDDINGS,
    GENERATED_NAMES,
    NAMED_AFTER_SPAN,
    SPAN_NAME_PARTS,
)

_OPERATIONS = {
    "model": "chat",
    "tool": "execute_tool",
    "retrieve": "retrieval",
    EMBEDDINGS: "embeddings",
    "agent": "invoke_agent",
    "plan": "plan",
}
# LlamaIndex: ToolCall(tool_name='lookup', …)
_AGENTS = {"agent": AGENT_NAME_KEYS}
_LLAMAINDEX = {"summary": ("llamaindex.step.input_summary",)}
_LLAMAINDEX_TOOL = r"^ToolCall\(tool_name='(?P<name>[^']{1,96})'"


def step_names(attributes: View, batch: Batch, types: pa.DictionaryArray) -> dict[str, pa.Array]:
    """``ToolName``, ``AgentName`` and ``Operation``, each where the row has none yet."""
    made: dict[str, pa.Array] = {}
    for kind, column in (("tool", "ToolName"), ("agent", "AgentName")):
        own = _column(batch, column)
        lacking = is_value(types, kind) & mask(own.is_null())
        if lacking.any():
            names = _from_span_name(attributes, batch, lacking, kind)
            made[column] = pc.replace_with_mask(own, pa.array(lacking), names)
    own = _column(batch, "Operation")
    if own.null_count:
        made["Operation"] = pc.coalesce(own, map_values(types, _OPERATIONS))
    return made


def _column(batch: Batch, name: str) -> pa.StringArray:
    index = batch.rows.schema.get_field_index(name)
    return batch.rows.column(index) if index >= 0 else pa.nulls(batch.num_rows, pa.string())


def _from_span_name(attributes: View, batch: Batch, lacking: Mask, kind: str) -> pa.StringArray:
    rows = pa.array(np.flatnonzero(lacking))
    spans = batch.rows.column("SpanName").take(rows)
    parts = pc.extract_regex(spans, SPAN_NAME_PARTS[kind])
    # A group that took no part is the empty string.
    found = [_text(pc.struct_field(parts, field.name)) for field in parts.type]
    if kind == "agent":
        named_by = find(attributes, Place.ROW, batch.num_rows, _AGENTS)
        if "agent" in named_by:
            found.insert(0, strings(attributes, named_by["agent"]).take(rows))
    if kind == "tool":
        summaries = find(attributes, Place.ROW, batch.num_rows, _LLAMAINDEX)
        if "summary" in summaries:
            texts = strings(attributes, summaries["summary"]).take(rows)
            found.insert(0, pc.struct_field(pc.extract_regex(texts, _LLAMAINDEX_TOOL), "name"))
    # What the library calls the step, where it is a tool's or an agent's, is the tool's or agent's name.
    steps = _column(batch, "StepName").take(rows)
    if steps.null_count < len(steps):
        found.insert(0, pc.if_else(pc.match_substring_regex(steps, GENERATED_NAMES), None, steps))
    named = rows_of_scopes(batch, NAMED_AFTER_SPAN)
    if kind == "tool" and named is not None:
        found.append(pc.if_else(pa.array(named[lacking]), spans, None))
    return pc.coalesce(*found)


def _text(values: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(values, ""), None, values)
