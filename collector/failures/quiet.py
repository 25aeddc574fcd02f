"""Failures that no status shows: an answer cut or filtered, a retrieval that found nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import Index, View, find, has_kind, integers, map_values, strings
from agenttracer.collector.steps.tree import Mask, Tree, is_value, mask
from agenttracer.schemas.batch import Batch, Kind, Place
from agenttracer.schemas.failure_signs import (
    DOCUMENT_COUNTS,
    DOCUMENT_EVENTS,
    DOCUMENT_LISTS,
    DOCUMENT_TEXTS,
    NO_DOCUMENTS,
)
from agenttracer.schemas.failures import FINISH_FAILURES

_SLOTS = {key: (key,) for key in dict.fromkeys((*DOCUMENT_COUNTS, *DOCUMENT_LISTS, *DOCUMENT_TEXTS))}
_EVENT_SLOTS = {key: (key,) for key in DOCUMENT_EVENTS}


def finish_failures(batch: Batch, types: pa.DictionaryArray, failed: Mask) -> pa.StringArray | None:
    """The code of each model call whose finish reason is a failure; None if there is none.

    An agent's finish reason repeats that of its last call, but a limit on its steps is its own.
    """
    index = batch.rows.schema.get_field_index("FinishReason")
    if index < 0:
        return None
    codes = map_values(batch.rows.column(index), FINISH_FAILURES)
    told = is_value(types, "model", "respond") & ~failed
    told |= is_value(types, "agent") & mask(pc.equal(codes, "max_steps")) & ~failed
    told &= mask(codes.is_valid())
    return pc.if_else(pa.array(told), codes, None) if told.any() else None


def empty_retrievals(
    attributes: View, batch: Batch, types: pa.DictionaryArray, failed: Mask, tree: Tree
) -> Mask:
    """Which retrievals found nothing, the inner one of two that say the same."""
    retrievals = is_value(types, "retrieve") & ~failed
    empty = np.zeros(batch.num_rows, bool)
    if not retrievals.any():
        return empty
    found = find(attributes, Place.ROW, batch.num_rows, _SLOTS)
    for said in _said(attributes, found, retrievals):
        empty |= said
    empty |= _said_by_events(attributes, batch)
    empty &= retrievals
    if empty.any():
        inner = np.flatnonzero(empty & (tree.parents >= 0))
        empty[tree.parents[inner]] = False
    return empty


def _said(attributes: View, found: dict[str, Index], retrievals: Mask) -> Iterator[Mask]:
    for key in DOCUMENT_COUNTS:
        if key in found:
            yield mask(pc.equal(integers(attributes, found[key]), 0))
    for key in DOCUMENT_LISTS:
        if key in found:
            yield _empty_lists(attributes, found[key])
    for key in DOCUMENT_TEXTS:
        if key in found:
            yield _empty_texts(attributes, np.where(retrievals, found[key], -1))


def _empty_lists(attributes: View, index: Index) -> Mask:
    lists = has_kind(attributes, index, Kind.ARRAY)
    if not lists.any():
        return lists
    lengths = pc.list_value_length(attributes.table.column("nested").take(pa.array(index[lists])))
    lists[lists] = mask(pc.equal(pc.fill_null(lengths, 0), 0))
    return lists


def _empty_texts(attributes: View, index: Index) -> Mask:
    held = np.flatnonzero(index >= 0)
    empty = np.zeros(len(index), bool)
    empty[held] = mask(pc.match_substring_regex(strings(attributes, index[held]), NO_DOCUMENTS))
    return empty


def _said_by_events(attributes: View, batch: Batch) -> Mask:
    empty = np.zeros(batch.num_rows, bool)
    events = batch.tables["events"]
    if not events.num_rows:
        return empty
    owners = events.column("Owner").to_numpy()
    for index in find(attributes, Place.EVENT, events.num_rows, _EVENT_SLOTS).values():
        said = _empty_texts(attributes, index) | _empty_lists(attributes, index)
        empty[owners[said]] = True
    return empty
