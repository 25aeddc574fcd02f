"""The type of each step, by the tables of ``schemas/step_types.py``; empty for a span that is none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, strings
from agenttracer.collector.dialects.scopes import rows_of_scopes
from agenttracer.collector.distinct_values import FirstWord, of_each, words
from agenttracer.collector.steps.tree import Mask, mask
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.step_types import (
    EVENT_SCOPES,
    EVENT_TYPES,
    INFRASTRUCTURE,
    NAME_TYPES,
    PLANNING_NAMES,
    SCOPE_NAMES,
    SCOPES_OF_STEPS,
    STEP_TYPES,
    TYPES_BY_COMPONENT,
    VECTOR_STORE,
    VECTOR_STORE_OPERATION,
    VECTOR_STORE_READS,
)

_OWN = "agent.step.type"
_COMPONENT = "haystack.component.type"
_SLOTS = {key: (key,) for key in (*STEP_TYPES, _COMPONENT)}
_INFRASTRUCTURE = {"infrastructure": INFRASTRUCTURE}
_STORE = {"operation": VECTOR_STORE_OPERATION}
_BY_SCOPE = [(rule.scope, FirstWord(rule.names)) for rule in SCOPE_NAMES]
_BY_COMPONENT = FirstWord([*TYPES_BY_COMPONENT, ("", "other")])
_BY_NAME = FirstWord(NAME_TYPES)


def step_types(attributes: View, batch: Batch) -> pa.DictionaryArray:
    """What each span is by its own word, its library's names and events, its attributes, its name."""
    found = find(attributes, Place.ROW, batch.num_rows, _SLOTS)
    sources = [_looked_up(attributes, found[_OWN], _OWN)] if _OWN in found else []
    sources += _by_scope(batch)
    sources += _by_events(batch)
    sources += [_looked_up(attributes, found[key], key) for key in STEP_TYPES if key in found and key != _OWN]
    if _COMPONENT in found:
        sources.append(_by_component(strings(attributes, found[_COMPONENT])))
    types = pc.coalesce(*sources, pa.scalar("", pa.string())) if sources else _nothing(batch, "")
    types = _by_name(attributes, batch, types)
    return _planning(batch, _vector_stores(attributes, batch, types)).dictionary_encode()


def _nothing(batch: Batch, value: str | None) -> pa.StringArray:
    return pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)


def _looked_up(attributes: View, index: np.ndarray, key: str) -> pa.StringArray:
    def word(distinct: pa.StringArray) -> pa.StringArray:
        # MLflow's values are JSON: "TOOL" in quotes.
        return words(pc.utf8_lower(pc.utf8_trim(distinct, '"')), STEP_TYPES[key])

    return of_each(strings(attributes, index), word)


def _by_scope(batch: Batch) -> list[pa.StringArray]:
    types = []
    for scope, names in _BY_SCOPE:
        rows = rows_of_scopes(batch, scope)
        if rows is not None:
            types.append(_matched(batch.rows.column("SpanName"), rows, names))
    return types


def _matched(names: pa.StringArray, rows: Mask, rules: FirstWord) -> pa.StringArray:
    """The type of the first rule that a name matches, looked for in these rows only."""
    looked_at = pa.array(rows)
    found = of_each(names.filter(looked_at), rules)
    return pc.replace_with_mask(pa.nulls(len(names), pa.string()), looked_at, found)


def _by_events(batch: Batch) -> list[pa.StringArray]:
    events = batch.tables["events"]
    if not events.num_rows or rows_of_scopes(batch, EVENT_SCOPES) is None:
        return []
    owners = events.column("Owner").to_numpy()
    types = np.full(batch.num_rows, None, object)
    for name, kind in EVENT_TYPES.items():
        types[owners[mask(pc.equal(events.column("Name"), name))]] = kind
    return [pa.array(types, pa.string())]


def _by_component(components: pa.StringArray) -> pa.StringArray:
    return _matched(components, mask(components.is_valid()), _BY_COMPONENT)


def _by_name(attributes: View, batch: Batch, types: pa.StringArray) -> pa.StringArray:
    """A type from the span's name for those that have none; then ``other`` for what traces only agents."""
    missing = mask(pc.equal(types, ""))
    if not missing.any():
        return types
    for index in find(attributes, Place.ROW, batch.num_rows, _INFRASTRUCTURE).values():
        missing &= index < 0
    named = _matched(batch.rows.column("SpanName"), missing, _BY_NAME)
    rest = rows_of_scopes(batch, SCOPES_OF_STEPS)
    if rest is not None:
        named = pc.if_else(pa.array(rest & missing), pc.coalesce(named, "other"), named)
    return pc.coalesce(named, types)


def _vector_stores(attributes: View, batch: Batch, types: pa.StringArray) -> pa.StringArray:
    """A search where a store was read, or nobody says what was done with it; other work where it was written."""
    stores = pc.equal(types, VECTOR_STORE)
    if not mask(stores).any():
        return types
    reads = pa.scalar(True)
    for index in find(attributes, Place.ROW, batch.num_rows, _STORE).values():
        operations = pc.utf8_lower(strings(attributes, index))
        reads = pc.or_(operations.is_null(), pc.is_in(operations, pa.array(sorted(VECTOR_STORE_READS))))
    return pc.if_else(stores, pc.if_else(reads, "retrieve", "other"), types)


def _planning(batch: Batch, types: pa.StringArray) -> pa.StringArray:
    others = mask(pc.equal(types, "other"))
    if not others.any():
        return types
    candidates = pa.array(others)
    planning = np.zeros(int(others.sum()), bool)
    columns = set(batch.rows.schema.names)
    for name in ("StepName", "SpanName"):
        if name in columns:
            values = batch.rows.column(name).filter(candidates).dictionary_encode()
            hits = pc.match_substring_regex(values.dictionary, PLANNING_NAMES)
            planning |= mask(hits.take(values.indices))
    if not planning.any():
        return types
    others[others] = planning
    return pc.if_else(pa.array(others), "plan", types)
