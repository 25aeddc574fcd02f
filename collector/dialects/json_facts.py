"""Facts out of JSON text, for the rows that have them nowhere else: see ``schemas/dialect_json.py``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import Index, View, find, strings
from agenttracer.collector.dialects.columns import Columns, whole_numbers
from agenttracer.schemas import spans
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.dialect_json import (
    ANSWER_KEYS,
    EVENT_KEYS,
    NEEDS_MODEL,
    PATTERNS,
    USAGE_KEYS,
)
from agenttracer.schemas.dialect_values import FINISH_REASONS

_TOKENS = tuple(name for name in PATTERNS if name.endswith("Tokens"))
_SOURCES = {**dict.fromkeys(USAGE_KEYS, _TOKENS), **ANSWER_KEYS}
_SLOTS = {key: (key,) for key in _SOURCES}
_REASONS = pa.array(sorted({*FINISH_REASONS, *FINISH_REASONS.values()}))


def add_from_json(attributes: View, batch: Batch, wanted: set[str], columns: Columns) -> None:
    """Fills the columns that JSON text can tell; a text is searched only for what its row lacks."""
    for key, index in find(attributes, Place.ROW, batch.num_rows, _SLOTS).items():
        has_key = index >= 0
        if key in NEEDS_MODEL:
            has_key &= _held(columns.get("Model"), batch.num_rows)
        for name in _SOURCES[key]:
            if name in wanted:
                lacking = has_key & ~_held(columns.get(name), batch.num_rows)
                if lacking.any():
                    _fill(columns, name, lacking, _extract(attributes, index, lacking, name))


def add_from_event_json(attributes: View, batch: Batch, columns: Columns) -> None:
    """The same from the attributes of the spans' events."""
    events = batch.tables["events"]
    if not events.num_rows:
        return
    owners = events.column("Owner").to_numpy()
    slots = {key: (key,) for key in EVENT_KEYS}
    for key, index in find(attributes, Place.EVENT, events.num_rows, slots).items():
        held = np.flatnonzero(index >= 0)
        of_row = np.full(batch.num_rows, -1, np.int64)
        of_row[owners[held]] = index[held]
        name = EVENT_KEYS[key]
        lacking = (of_row >= 0) & ~_held(columns.get(name), batch.num_rows)
        if lacking.any():
            _fill(columns, name, lacking, _extract(attributes, of_row, lacking, name))


def _held(column: pa.Array | None, rows: int) -> np.ndarray:
    if column is None:
        return np.zeros(rows, bool)
    held: np.ndarray = column.is_valid().to_numpy(zero_copy_only=False)
    return held


def _extract(attributes: View, index: Index, lacking: np.ndarray, name: str) -> pa.Array:
    texts = strings(attributes, index[lacking])
    values = pc.struct_field(pc.extract_regex(texts, PATTERNS[name]), "value")
    if name == "FinishReason":
        return known_reasons(values)
    kind = spans.SPANS.field(name).type
    return values if pa.types.is_string(kind) else whole_numbers(values).cast(kind)


def known_reasons(reasons: pa.StringArray) -> pa.StringArray:
    """Those that a provider gives; any other word out of content may be content."""
    return pc.if_else(pc.is_in(pc.utf8_lower(reasons), _REASONS), reasons, None)


def _fill(columns: Columns, name: str, lacking: np.ndarray, values: pa.Array) -> None:
    own = columns.get(name)
    if own is None:
        own = pa.nulls(len(lacking), values.type)
    columns[name] = pc.replace_with_mask(own, pa.array(lacking), values)
