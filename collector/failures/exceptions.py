"""The exception events of a batch, seen from their spans: type, message, and which are no failures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, strings
from agenttracer.collector.distinct_values import FirstMatch, of_each
from agenttracer.collector.steps.tree import Mask, mask
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.failure_signs import CANCELLED, CONTROL_FLOW

_CONTROL_FLOW, _CANCELLED = FirstMatch([CONTROL_FLOW]), FirstMatch([CANCELLED])
_LONGEST_NAME = 256
_KEYS = {"type": ("exception.type",), "message": ("exception.message",)}


@dataclass(frozen=True, slots=True)
class Exceptions:
    """One entry a span; the types and messages are null where it has no exception."""

    failed: Mask
    excused: Mask
    cancelled: Mask
    types: pa.StringArray | None = None
    messages: pa.StringArray | None = None


def exceptions(attributes: View, batch: Batch) -> Exceptions:
    """What the spans' exception events say; of several the last one counts."""
    nobody = np.zeros(batch.num_rows, bool)
    events = batch.tables["events"]
    rows = np.flatnonzero(mask(pc.equal(events.column("Name"), "exception")))
    if not len(rows):
        return Exceptions(nobody, nobody, nobody)
    owners = events.column("Owner").to_numpy()[rows]
    event_of_span = np.full(batch.num_rows, -1, np.int64)
    event_of_span[owners] = rows
    at = pa.array(event_of_span, mask=event_of_span < 0)
    found = find(attributes, Place.EVENT, events.num_rows, _KEYS)
    texts = {slot: strings(attributes, index).take(at) for slot, index in found.items()}
    types = texts.get("type")
    excused = cancelled = nobody
    if types is not None:
        encoded = types.dictionary_encode()
        excused = _of_kind(encoded, _CONTROL_FLOW)
        cancelled = _of_kind(encoded, _CANCELLED) if excused.any() else nobody
    return Exceptions((event_of_span >= 0) & ~excused, excused, cancelled, types, texts.get("message"))


def _of_kind(types: pa.DictionaryArray, expression: FirstMatch) -> Mask:
    """Which exceptions' class names match."""

    def matching(names: pa.StringArray) -> pa.BooleanArray:
        return pa.array(expression(pc.utf8_slice_codeunits(names, 0, _LONGEST_NAME)) >= 0)

    return mask(of_each(types, matching))
