"""Failures that arrive as log records: exceptions, and answers of models that are none.

event_name                           type        evidence
gen_ai.client.operation.exception    model       exception.type, exception.message, error.type
gen_ai.execute_tool.exception        tool
exception                            its span's  (empty here: the span may be in another batch)
gen_ai.choice, …operation.details    model       the finish reason
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, integers, map_values, strings
from agenttracer.collector.distinct_values import of_each
from agenttracer.collector.failures.evidence import matching_rules
from agenttracer.collector.steps.tree import mask
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.failure_signs import CONTROL_FLOW, EVIDENCE_STATUS
from agenttracer.schemas.failures import EVIDENCE_RULES, FINISH_FAILURES, TYPE_OF_STEP
from agenttracer.schemas.step_types import STEP_TYPES

_SLOTS = {
    "exception": ("exception.type",),
    "error": ("error.type",),
    "message": ("exception.message",),
    "status": EVIDENCE_STATUS,
}
_EXCEPTION = r"^exception$|\.exception$"
_ANSWERS = pa.array(["gen_ai.choice", "gen_ai.client.inference.operation.details"])
_TYPE_OF_EVENT = {"gen_ai.client.operation.exception": "model", "gen_ai.execute_tool.exception": "tool"}
_TYPE_OF_OPERATION = {
    name: TYPE_OF_STEP[kind]
    for name, kind in STEP_TYPES["gen_ai.operation.name"].items()
    if kind in TYPE_OF_STEP
}


def log_failures(attributes: View, batch: Batch) -> dict[str, pa.Array]:
    """``FailureType``, ``FailureCode`` and ``FailureRule`` of a batch of log records."""
    names = batch.rows.column("EventName")
    found = find(attributes, Place.ROW, batch.num_rows, _SLOTS)
    failed = mask(of_each(names, lambda distinct: pc.match_substring_regex(distinct, _EXCEPTION)))
    for slot in ("exception", "error"):
        if slot in found:
            failed |= found[slot] >= 0
    if "exception" in found:
        failed &= ~mask(pc.match_substring_regex(strings(attributes, found["exception"]), CONTROL_FLOW))
    rule_of = np.full(batch.num_rows, -1, np.int64)
    if failed.any():
        rule_of[failed] = matching_rules(_evidence(attributes, found, failed))
    at = pa.array(rule_of, mask=rule_of < 0)
    codes = pa.array([rule.code for rule in EVIDENCE_RULES]).take(at)
    rules = pa.array([rule.name for rule in EVIDENCE_RULES]).take(at)
    finished = _finished(batch, names, failed)
    if finished is not None:
        told = finished.is_valid()
        codes, rules = pc.coalesce(finished, codes), pc.if_else(told, "finish_reason", rules)
    return {
        "FailureCode": codes.dictionary_encode(),
        "FailureRule": rules.dictionary_encode(),
        "FailureType": pc.if_else(codes.is_valid(), _types(batch, names), None).dictionary_encode(),
    }


def _evidence(attributes: View, found: dict[str, np.ndarray], failed: np.ndarray) -> pa.StringArray:
    lines = []
    for slot, index in found.items():
        if slot == "status":
            values = integers(attributes, index[failed]).cast(pa.string())
        else:
            values = strings(attributes, index[failed])
        prefix = {"status": "status:", "message": ""}.get(slot, "type:")
        lines.append(pc.binary_join_element_wise(prefix, values, ""))
    if not lines:
        return pa.repeat("", int(failed.sum()))
    joined = pc.binary_join_element_wise(*lines, "\n", null_handling="replace", null_replacement="")
    return pc.utf8_lower(joined)


def _finished(batch: Batch, names: pa.StringArray, failed: np.ndarray) -> pa.StringArray | None:
    index = batch.rows.schema.get_field_index("FinishReason")
    if index < 0:
        return None
    told = mask(pc.is_in(names, _ANSWERS)) & ~failed
    return pc.if_else(pa.array(told), map_values(batch.rows.column(index), FINISH_FAILURES), None)


def _types(batch: Batch, names: pa.StringArray) -> pa.StringArray:
    """By the event's name, else by the operation; empty where only the span can tell."""
    types = map_values(names, dict.fromkeys(_ANSWERS.to_pylist(), "model") | _TYPE_OF_EVENT)
    index = batch.rows.schema.get_field_index("Operation")
    if index >= 0:
        types = pc.coalesce(types, map_values(batch.rows.column(index), _TYPE_OF_OPERATION))
    return types
