"""Typed columns from attributes, by the tables of ``schemas/dialects.py``: one look-up for all keys of a place.

row attributes  →  its events  →  keys that only one library means so  →  its resource
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, find, has_kind, integers, strings
from agenttracer.collector.decode.first_element import first_strings
from agenttracer.collector.dialects.scopes import rows_of_scopes
from agenttracer.collector.distinct_values import Extract, of_each
from agenttracer.schemas import spans
from agenttracer.schemas.batch import Batch, Kind, Place
from agenttracer.schemas.dialects import (
    EVENT_KEYS,
    RESOURCE_STRINGS,
    SCOPED_KEYS,
    SPAN_INTEGERS,
    SPAN_STRINGS,
)

Columns = dict[str, pa.Array]
EVIDENCE = {"TotalTokens": pa.uint64(), "Resends": pa.int32()}
"""What the tables find beside the columns: evidence for others, dropped when it has served."""

_MOST = 2**31 - 1


def from_rows(attributes: View, batch: Batch, wanted: set[str]) -> Columns:
    """Each wanted column that any row has a value of, under any of its names."""
    slots = {name: keys for name, keys in _ROW_KEYS.items() if name in wanted or name in EVIDENCE}
    columns: Columns = {}
    for name, index in find(attributes, Place.ROW, batch.num_rows, slots).items():
        columns[name] = _values(attributes, index, name)
    if any(key.startswith("mlflow.") for key in attributes.keys):
        # MLflow's attributes are JSON: a string comes in its quotes.
        for name in columns.keys() & {"Model", "Provider", "ConversationId", "UserHash"}:
            columns[name] = pc.utf8_trim(columns[name], '"')
    return columns


def add_from_events(attributes: View, batch: Batch, columns: Columns) -> None:
    """What a span's events say of it, where the span itself says nothing."""
    events = batch.tables.get("events")
    if events is None or not events.num_rows:
        return
    owners = events.column("Owner").to_numpy()
    for name, index in find(attributes, Place.EVENT, events.num_rows, EVENT_KEYS).items():
        held = np.flatnonzero(index >= 0)
        of_row = np.full(batch.num_rows, -1, np.int64)
        of_row[owners[held]] = index[held]
        _add(columns, name, _values(attributes, of_row, name))


def add_from_scopes(attributes: View, batch: Batch, wanted: set[str], columns: Columns) -> None:
    """Keys so common that only one library's are believed."""
    for scope, keys in SCOPED_KEYS.items():
        rows = rows_of_scopes(batch, scope)
        if rows is None:
            continue
        slots = {name: each for name, each in keys.items() if name in wanted}
        for name, index in find(attributes, Place.ROW, batch.num_rows, slots).items():
            _add(columns, name, _values(attributes, np.where(rows, index, -1), name))


def add_from_resources(attributes: View, batch: Batch, wanted: set[str], columns: Columns) -> None:
    """What a resource says of all its rows, where the row says nothing."""
    slots = {name: keys for name, keys in RESOURCE_STRINGS.items() if name in wanted}
    resources = batch.tables["resources"].num_rows
    for name, index in find(attributes, Place.RESOURCE, resources, slots).items():
        _add(columns, name, strings(attributes, index).take(batch.rows.column("Resource")))


def whole_numbers(texts: pa.StringArray) -> pa.Int64Array:
    """Numbers that came as text; null for any other text."""
    digits = pc.and_(pc.ascii_is_decimal(texts), pc.less(pc.utf8_length(texts), 11))
    return pc.if_else(digits, texts, None).cast(pa.int64())


def _add(columns: Columns, name: str, values: pa.Array) -> None:
    own = columns.get(name)
    columns[name] = values if own is None else pc.coalesce(own, values)


def _values(attributes: View, index: np.ndarray, name: str) -> pa.Array:
    if name in SPAN_STRINGS:
        texts = strings(attributes, index)
        return _first_of_list(attributes, index, texts) if name == "FinishReason" else texts
    numbers = integers(attributes, index)
    if has_kind(attributes, index, Kind.STRING).any():
        numbers = pc.coalesce(numbers, whole_numbers(strings(attributes, index)))
    sensible = pc.and_(pc.greater_equal(numbers, 0), pc.less_equal(numbers, _MOST))
    return pc.if_else(sensible, numbers, None).cast(_type_of(name))


def _type_of(name: str) -> pa.DataType:
    return EVIDENCE.get(name) or spans.SPANS.field(name).type


def _first_of_list(attributes: View, index: np.ndarray, texts: pa.StringArray) -> pa.StringArray:
    """The first finish reason of a list, of a JSON list in a string, or the string itself."""
    lists = has_kind(attributes, index, Kind.ARRAY)
    if lists.any():
        first = first_strings(attributes.table.column("nested").take(pa.array(index[lists])))
        texts = pc.replace_with_mask(texts, pa.array(lists), first)
    return of_each(texts, _REASON)


# Some libraries send the name of an enumeration in front; some providers' words have a blank.
_REASON = Extract(r'^(?:\[[ \t\n\r]*")?(?:FinishReason\.)?(?P<reason>[A-Za-z][A-Za-z _-]{0,31})(?:"|\z)')
_ROW_KEYS: Mapping[str, Sequence[str]] = {**SPAN_STRINGS, **SPAN_INTEGERS}
