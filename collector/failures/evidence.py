"""Which spans failed, and everything that says why, as one text a failed span."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import Index, View, find, integers, map_values, strings
from agenttracer.collector.dialects.columns import whole_numbers
from agenttracer.collector.distinct_values import FirstMatch
from agenttracer.collector.failures.exceptions import Exceptions
from agenttracer.collector.steps.tree import Mask, Tree, is_value, mask
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.failure_signs import (
    EVIDENCE_STATUS,
    EVIDENCE_TEXTS,
    EVIDENCE_TYPES,
    FAILED_IF_PRESENT,
    FAILED_RESULT,
    FAILED_WHEN,
    TOOL_RESULTS,
)
from agenttracer.schemas.failures import EVIDENCE_RULES

DECLARED_TYPE, DECLARED_CODE = "agent.failure.type", "agent.failure.code"

_KEYS = {
    key
    for keys in (
        (DECLARED_TYPE, DECLARED_CODE),
        FAILED_WHEN,
        FAILED_IF_PRESENT,
        EVIDENCE_STATUS,
        *EVIDENCE_TYPES.values(),
        *EVIDENCE_TEXTS.values(),
    )
    for key in keys
}
_SLOTS = {key: (key,) for key in sorted(_KEYS)}
_RESULT_SLOTS = {key: (key,) for key in TOOL_RESULTS}
_TYPE_KEYS = tuple(key for keys in EVIDENCE_TYPES.values() for key in keys)
_TEXT_KEYS = tuple(key for keys in EVIDENCE_TEXTS.values() for key in keys)

_RULES = FirstMatch([rule.pattern for rule in EVIDENCE_RULES])
_LONGEST_EVIDENCE = 4096

Found = dict[str, Index]


def signs(attributes: View, batch: Batch) -> Found:
    """Where the attributes that speak of failures stand, as far as they occur."""
    return find(attributes, Place.ROW, batch.num_rows, _SLOTS)


def failed_spans(
    attributes: View,
    batch: Batch,
    types: pa.DictionaryArray,
    found: Found,
    thrown: Exceptions,
    tree: Tree,
) -> tuple[Mask, dict[str, Index]]:
    """Which spans failed, by any sign; and the tools' answers that say so."""
    failed = tree.has_error | thrown.failed
    for key in (*FAILED_IF_PRESENT, DECLARED_CODE):
        if key in found:
            failed |= found[key] >= 0
    for key, values in FAILED_WHEN.items():
        if key in found:
            failed |= _says(attributes, found[key], values)
    results = _failed_results(attributes, batch, is_value(types, "tool") & ~failed)
    for index in results.values():
        failed |= index >= 0
    return failed & (
        ~thrown.excused | (found[DECLARED_CODE] >= 0 if DECLARED_CODE in found else False)
    ), results


def _says(attributes: View, index: Index, values: frozenset[str]) -> Mask:
    texts = strings(attributes, index)
    said = pc.is_in(pc.utf8_lower(texts), pa.array(sorted(values)))
    if "true" not in values:
        return mask(said)
    return mask(said) | mask(pc.equal(integers(attributes, index), 1))


def _failed_results(attributes: View, batch: Batch, tools: Mask) -> dict[str, Index]:
    """The answers of tools that came back well, and say that the tool failed."""
    if not tools.any():
        return {}
    failed: dict[str, Index] = {}
    for key, index in find(attributes, Place.ROW, batch.num_rows, _RESULT_SLOTS).items():
        rows = np.flatnonzero(tools & (index >= 0))
        if len(rows):
            said = mask(pc.match_substring_regex(strings(attributes, index[rows]), FAILED_RESULT))
            if said.any():
                failed[key] = np.full(batch.num_rows, -1, np.int64)
                failed[key][rows[said]] = index[rows[said]]
    return failed


def evidence(
    attributes: View,
    batch: Batch,
    failed: Mask,
    found: Found,
    thrown: Exceptions,
    results: dict[str, Index],
    tree: Tree,
) -> pa.StringArray:
    """For each failed span all that says why, in lower case: kinds first, then statuses, then messages."""
    rows = pa.array(np.flatnonzero(failed))
    kinds = [strings(attributes, found[key]).take(rows) for key in _TYPE_KEYS if key in found]
    if thrown.types is not None:
        kinds.append(thrown.types.take(rows))
    lines = [pc.binary_join_element_wise("type:", kind, "") for kind in kinds]
    for key in EVIDENCE_STATUS:
        if key in found:
            codes = _statuses(attributes, found[key], failed, tree)
            lines.append(pc.binary_join_element_wise("status:", codes, ""))
    texts = [batch.rows.column("StatusMessage").take(rows)]
    if thrown.messages is not None:
        texts.append(thrown.messages.take(rows))
    texts += [strings(attributes, found[key]).take(rows) for key in _TEXT_KEYS if key in found]
    texts += [strings(attributes, index).take(rows) for index in results.values()]
    joined = pc.binary_join_element_wise(*lines, *texts, "\n", null_handling="replace", null_replacement="")
    return pc.utf8_lower(pc.utf8_slice_codeunits(joined, 0, _LONGEST_EVIDENCE))


def messages(batch: Batch, failed: Mask, thrown: Exceptions) -> pa.StringArray:
    """Each failed span's own message, its exception's or its status's; null if it has none."""
    rows = pa.array(np.flatnonzero(failed))
    found = [] if thrown.messages is None else [thrown.messages.take(rows)]
    found.append(batch.rows.column("StatusMessage").take(rows))
    return pc.coalesce(*(pc.if_else(pc.equal(text, ""), None, text) for text in found))


def _statuses(attributes: View, index: Index, failed: Mask, tree: Tree) -> pa.StringArray:
    """Each failed span's HTTP status: its own, else that of a call right below it."""
    codes = pc.coalesce(integers(attributes, index), whole_numbers(strings(attributes, index)))
    known = codes.fill_null(0).to_numpy(zero_copy_only=False).copy()
    parents = tree.parents
    tells = np.flatnonzero((known >= 400) & (parents >= 0))
    silent = tells[known[parents[tells]] == 0]
    known[parents[silent]] = known[silent]
    of_failed = known[failed]
    return pa.array(of_failed, mask=of_failed == 0).cast(pa.string())


def matching_rules(texts: pa.StringArray) -> np.ndarray:
    """For each text the number of the first rule of ``EVIDENCE_RULES`` that matches; the last one matches all."""
    encoded = texts.dictionary_encode()
    return _RULES(encoded.dictionary)[encoded.indices.to_numpy()]


def declared(
    attributes: View, found: Found, key: str, known: dict[str, str], default: str | None
) -> pa.StringArray:
    """What the agent itself said, in the closed list's words."""
    return map_values(strings(attributes, found[key]), known, default)
