"""Failure type, code and rule of every step that failed: who failed, whose failure it is, what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, map_values
from agenttracer.collector.failures.blame import passed_on
from agenttracer.collector.failures.evidence import (
    DECLARED_CODE,
    DECLARED_TYPE,
    declared,
    evidence,
    failed_spans,
    matching_rules,
    messages,
    signs,
)
from agenttracer.collector.failures.exceptions import Exceptions, exceptions
from agenttracer.collector.failures.quiet import empty_retrievals, finish_failures
from agenttracer.collector.steps.tree import Mask, Tree, is_value
from agenttracer.schemas.batch import Batch
from agenttracer.schemas.failures import EVIDENCE_RULES, MODEL_CODES, TYPE_OF_STEP
from agenttracer.schemas.semconv import FailureCode, FailureType

_CODES = pa.array([rule.code for rule in EVIDENCE_RULES])
_RULES = pa.array([rule.name for rule in EVIDENCE_RULES])
_KINDS = pa.array([rule.kind for rule in EVIDENCE_RULES], pa.string())
_KNOWN_CODES = {code.value: code.value for code in FailureCode}
_KNOWN_TYPES = {kind.value: kind.value for kind in FailureType}


@dataclass(frozen=True, slots=True)
class Failures:
    """The columns of a batch's failures; ``raised`` are the steps that failed or passed a failure on."""

    codes: pa.StringArray
    types: pa.StringArray
    rules: pa.StringArray
    raised: Mask
    thrown: Exceptions

    def columns(self) -> dict[str, pa.DictionaryArray]:
        return {
            "FailureCode": self.codes.dictionary_encode(),
            "FailureType": self.types.dictionary_encode(),
            "FailureRule": self.rules.dictionary_encode(),
        }


def find_failures(attributes: View, batch: Batch, kinds: pa.DictionaryArray, tree: Tree) -> Failures:
    """The failures of a batch of spans, whose step types are ``kinds`` (empty: no step)."""
    found = signs(attributes, batch)
    thrown = exceptions(attributes, batch)
    failed, results = failed_spans(attributes, batch, kinds, found, thrown, tree)
    failed &= ~is_value(kinds, "")
    at = pa.nulls(batch.num_rows, pa.int64())
    blamed = failed
    if failed.any():
        texts = evidence(attributes, batch, failed, found, thrown, results, tree)
        rule_of = np.full(batch.num_rows, -1, np.int64)
        rule_of[failed] = matching_rules(texts)
        is_leaf = is_value(kinds, *_LEAVES)
        blamed = failed & ~passed_on(failed, is_leaf, rule_of, messages(batch, failed, thrown), tree)
        at = pa.array(rule_of, mask=~blamed)
    codes, rules, forced = _CODES.take(at), _RULES.take(at), _KINDS.take(at)
    if (finished := finish_failures(batch, kinds, failed)) is not None:
        codes, rules = _where(finished.is_valid(), (finished, "finish_reason"), (codes, rules))
    empty = empty_retrievals(attributes, batch, kinds, failed, tree)
    if empty.any():
        codes, rules = _where(pa.array(empty), ("empty_retrieval", "no_documents"), (codes, rules))
    if DECLARED_CODE in found:
        said = declared(attributes, found, DECLARED_CODE, _KNOWN_CODES, "error")
        told = pa.array((found[DECLARED_CODE] >= 0) & blamed)
        codes, rules = _where(told, (said, "declared"), (codes, rules))
    types = pc.coalesce(forced, _failure_types(kinds, codes))
    if DECLARED_TYPE in found:
        types = pc.coalesce(declared(attributes, found, DECLARED_TYPE, _KNOWN_TYPES, None), types)
    return Failures(codes, pc.if_else(codes.is_valid(), types, None), rules, failed, thrown)


_LEAVES = ("model", "respond", "tool", "retrieve", "embeddings")


def _where(
    told: pa.BooleanArray,
    these: tuple[pa.StringArray | str, str],
    those: tuple[pa.StringArray, pa.StringArray],
) -> tuple[pa.StringArray, pa.StringArray]:
    return pc.if_else(told, these[0], those[0]), pc.if_else(told, these[1], those[1])


def _failure_types(kinds: pa.DictionaryArray, codes: pa.StringArray) -> pa.StringArray:
    """The type by the step's; a container that failed with a provider's code failed for its model."""
    of_container = pc.if_else(pc.is_in(codes, pa.array(sorted(MODEL_CODES))), "model", "orchestration")
    return pc.coalesce(map_values(kinds, TYPE_OF_STEP), of_container)
