"""Gives every span its step type, every failure its type and code, every root its run's status.

    processors:
      classify: {}

Deterministic, from the tables ``schemas/dialects.py`` and ``schemas/failures.py``; the name of the rule
that decided is kept with the row. It comes before redaction, because a failure's code may stand only in
an error message that is then dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, integers, map_values, strings, view
from agenttracer.collector.component import Options, Processor
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.dialects import PLANNING_NAMES, STEP_TYPES
from agenttracer.schemas.failures import (
    DOCUMENT_COUNTS,
    EVIDENCE_RULES,
    FINISH_REASONS,
    TYPE_OF_STEP,
)
from agenttracer.schemas.semconv import FailureCode, FailureType

Mask = npt.NDArray[np.bool_]
_DECLARED = {"declared_type": ("agent.failure.type",), "declared_code": ("agent.failure.code",)}
_EVIDENCE = {
    "error": ("error.type",),
    "code": ("error.code", "crewai.tool.failure.code"),
    "status": ("http.response.status_code", "http.status_code"),
}
_MAX_DEPTH = 64


class Classify(Processor[Options]):
    """Step types, failures and run statuses of a batch of spans."""

    options_type = Options

    def process(self, batch: Batch) -> Batch:
        if batch.signal is not Signal.TRACES or not batch.num_rows:
            return batch
        attributes = view(batch)
        steps = _step_types(attributes, batch)
        failures = _failures(attributes, batch, steps)
        return batch.with_columns(
            StepType=steps.dictionary_encode(),
            RunStatus=_run_statuses(batch, steps, failures["FailureCode"].is_valid()),
            **failures,
        )


def _step_types(attributes: View, batch: Batch) -> pa.StringArray:
    found = find(attributes, Place.ROW, batch.num_rows, {key: (key,) for key in STEP_TYPES})
    types = [
        map_values(strings(attributes, found[key]), table)
        for key, table in STEP_TYPES.items()
        if key in found
    ]
    steps = pc.coalesce(*types, "") if types else pa.repeat(pa.scalar("", pa.string()), batch.num_rows)
    names = batch.rows.schema.get_field_index("StepName")
    if names >= 0:
        planning = pc.fill_null(pc.match_substring_regex(batch.rows.column(names), PLANNING_NAMES), False)
        steps = pc.if_else(pc.and_(planning, pc.equal(steps, "other")), "plan", steps)
    return steps


def _failures(attributes: View, batch: Batch, steps: pa.StringArray) -> dict[str, pa.Array]:
    found = find(
        attributes, Place.ROW, batch.num_rows, _DECLARED | _EVIDENCE | {"documents": DOCUMENT_COUNTS}
    )
    is_step = pc.not_equal(steps, "").to_numpy(zero_copy_only=False)
    exceptions = _exceptions(attributes, batch)
    failed = pc.equal(batch.rows.column("StatusCode").cast(pa.string()), "Error").to_numpy(
        zero_copy_only=False
    )
    if "error" in found:
        failed = failed | (found["error"] >= 0)
    if "declared_code" in found:
        failed = failed | (found["declared_code"] >= 0)
    failed = (failed | exceptions.failed) & is_step
    # A failure belongs to the deepest step that failed.
    failed &= ~_passed_on(batch, failed)

    codes, rules = _codes(attributes, batch, failed, found, exceptions)
    for rule, code, mask in (
        *_quiet_failures(attributes, batch, steps, found, failed),
        *_declared_failures(attributes, found, failed),
    ):
        codes = pc.if_else(pa.array(mask), code, codes)
        rules = pc.if_else(pa.array(mask), rule, rules)
    types = pc.if_else(codes.is_valid(), map_values(steps, TYPE_OF_STEP, "orchestration"), None)
    if "declared_type" in found:
        known = {kind.value: kind.value for kind in FailureType}
        declared = map_values(strings(attributes, found["declared_type"]), known)
        types = pc.if_else(codes.is_valid(), pc.coalesce(declared, types), None)
    return {
        "FailureCode": codes.dictionary_encode(),
        "FailureType": types.dictionary_encode(),
        "FailureRule": rules.dictionary_encode(),
    }


class _Exceptions:
    """The exception events of a batch, seen from their spans."""

    def __init__(self, failed: Mask, types: pa.StringArray | None, messages: pa.StringArray | None) -> None:
        self.failed = failed
        self.types = types
        self.messages = messages


def _exceptions(attributes: View, batch: Batch) -> _Exceptions:
    events = batch.tables["events"]
    failed = np.zeros(batch.num_rows, bool)
    is_exception = pc.equal(events.column("Name"), "exception").to_numpy(zero_copy_only=False)
    if not is_exception.any():
        return _Exceptions(failed, None, None)
    rows = np.flatnonzero(is_exception)
    owners = events.column("Owner").to_numpy()[rows]
    failed[owners] = True
    event_of_span = np.full(batch.num_rows, -1, np.int64)
    event_of_span[owners] = rows
    found = find(
        attributes,
        Place.EVENT,
        events.num_rows,
        {"type": ("exception.type",), "message": ("exception.message",)},
    )
    at = pa.array(event_of_span, mask=event_of_span < 0)
    texts = {slot: strings(attributes, index).take(at) for slot, index in found.items()}
    return _Exceptions(failed, texts.get("type"), texts.get("message"))


def _passed_on(batch: Batch, failed: Mask) -> Mask:
    """Which failed spans only passed on the failure of a span below them."""
    passed = np.zeros(len(failed), bool)
    if failed.sum() < 2:
        return passed
    parents = pc.index_in(batch.rows.column("ParentSpanId"), batch.rows.column("SpanId"))
    parent = pc.fill_null(parents, -1).to_numpy().astype(np.int64)
    above = parent[failed]
    for _ in range(_MAX_DEPTH):
        above = np.unique(above[above >= 0])
        if not len(above):
            break
        passed[above] = True
        above = parent[above]
    return passed


def _codes(
    attributes: View, batch: Batch, failed: Mask, found: dict[str, np.ndarray], exceptions: _Exceptions
) -> tuple[pa.StringArray, pa.StringArray]:
    nothing = pa.nulls(batch.num_rows, pa.string())
    if not failed.any():
        return nothing, nothing
    rows = pa.array(np.flatnonzero(failed))
    texts = [batch.rows.column("StatusMessage").take(rows)]
    texts += [text.take(rows) for text in (exceptions.types, exceptions.messages) if text is not None]
    texts += [strings(attributes, found[slot]).take(rows) for slot in ("error", "code") if slot in found]
    if "status" in found:
        texts.append(integers(attributes, found["status"]).cast(pa.string()).take(rows))
    evidence = pc.utf8_lower(
        pc.binary_join_element_wise(*texts, "\n", null_handling="replace", null_replacement="")
    )
    chosen = np.full(len(evidence), -1, np.int64)
    for number, rule in enumerate(EVIDENCE_RULES):
        left = np.flatnonzero(chosen < 0)
        if not len(left):
            break
        hits = pc.match_substring_regex(evidence.take(pa.array(left)), rule.pattern).to_numpy(
            zero_copy_only=False
        )
        chosen[left[hits]] = number
    rule_of_row = np.full(batch.num_rows, -1, np.int64)
    rule_of_row[failed] = chosen
    at = pa.array(rule_of_row, mask=rule_of_row < 0)
    return (
        pa.array([rule.code for rule in EVIDENCE_RULES]).take(at),
        pa.array([rule.name for rule in EVIDENCE_RULES]).take(at),
    )


def _quiet_failures(
    attributes: View, batch: Batch, steps: pa.StringArray, found: dict[str, np.ndarray], failed: Mask
) -> list[tuple[str, str | pa.StringArray, Mask]]:
    """Failures that no status shows: a finish reason, or a retrieval that found nothing."""
    quiet: list[tuple[str, str | pa.StringArray, Mask]] = []
    if batch.rows.schema.get_field_index("FinishReason") >= 0:
        codes = map_values(batch.rows.column("FinishReason"), FINISH_REASONS)
        is_model = pc.is_in(steps, pa.array(["model", "respond"])).to_numpy(zero_copy_only=False)
        mask = codes.is_valid().to_numpy(zero_copy_only=False) & is_model & ~failed
        quiet.append(("finish_reason", codes, mask))
    if "documents" in found:
        none = pc.fill_null(pc.equal(integers(attributes, found["documents"]), 0), False)
        is_retrieval = pc.equal(steps, "retrieve").to_numpy(zero_copy_only=False)
        quiet.append(
            ("no_documents", "empty_retrieval", none.to_numpy(zero_copy_only=False) & is_retrieval & ~failed)
        )
    return quiet


def _declared_failures(
    attributes: View, found: dict[str, np.ndarray], failed: Mask
) -> list[tuple[str, pa.StringArray, Mask]]:
    """What the agent itself said; a code outside the closed list is ``error``."""
    if "declared_code" not in found:
        return []
    known = {code.value: code.value for code in FailureCode}
    codes = map_values(strings(attributes, found["declared_code"]), known, "error")
    return [("declared", codes, (found["declared_code"] >= 0) & failed)]


def _run_statuses(batch: Batch, steps: pa.StringArray, failed: pa.BooleanArray) -> pa.DictionaryArray:
    """The status of each run's root: its own word, else failure if it failed, partial if a step of its trace
    in this batch did, success otherwise."""
    roots = pc.and_(pc.equal(batch.rows.column("ParentSpanId"), ""), pc.not_equal(steps, ""))
    errors = pc.equal(batch.rows.column("StatusCode").cast(pa.string()), "Error")
    traces = batch.rows.column("TraceId")
    touched = pc.is_in(traces, value_set=pc.unique(traces.filter(failed)))
    derived = pc.if_else(pc.or_(errors, failed), "failure", pc.if_else(touched, "partial", "success"))
    derived = pc.if_else(roots, derived, None)
    index = batch.rows.schema.get_field_index("RunStatus")
    if index >= 0:
        # A run inside a traced request has a parent; the span that names the status is its root all the same.
        derived = pc.coalesce(batch.rows.column(index).cast(pa.string()), derived)
    return derived.dictionary_encode()
