"""Arrays and kvlists, whose elements decoding leaves as bytes, to JSON text: level by level, all rows at once.

    kind    nested                           text
    ARRAY   [AnyValue, AnyValue]             ["a",1]
    KVLIST  [KeyValue, KeyValue]             {"k":[true],"k":null}
    STRING  null                             null

Keys keep their order, and stay twice where they came twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.decode import json_text, wire
from agenttracer.collector.decode.large_stack import on_large_stack
from agenttracer.collector.decode.values import Values, read_values
from agenttracer.collector.distinct_values import of_each
from agenttracer.schemas.batch import Kind

_FEW = 64
_SHORT_BYTES = 64
_MOST_LOOKS = 64
"""At up to so many times ``_FEW`` messages that can't be read together."""
DEPTH_LIMIT = 32
"""Levels of arrays and kvlists that are shown; what lies deeper is ``null``."""


@on_large_stack
def render_nested(kind: pa.UInt8Array, nested: pa.ListArray) -> pa.StringArray:
    """The compact JSON text of each ARRAY and KVLIST, null for a row of another kind.

    An element that is no valid AnyValue or KeyValue becomes ``null``, or an empty key with it.
    """
    kinds = kind.to_numpy()
    labels = _render_labels(kinds, nested)
    return _render(kinds, nested, depth=1) if labels is None else labels


def _render_labels(kind: np.ndarray, nested: pa.ListArray) -> pa.StringArray | None:
    """Arrays of one short element each, the same few in row after row; None if there are any others."""
    elements = nested.flatten()
    if len(elements) != len(nested) or nested.null_count or (kind != Kind.ARRAY).any():
        return None
    if (np.diff(nested.offsets.to_numpy()) != 1).any():
        return None
    encoded = elements.dictionary_encode()
    if len(encoded.dictionary) > _FEW:
        return None
    messages = encoded.dictionary.to_pylist()
    if any(len(message) > _SHORT_BYTES for message in messages):
        return None
    return pa.array([_label(message) for message in messages], pa.string()).take(encoded.indices)


@lru_cache(maxsize=1024)
def _label(message: bytes) -> str:
    text: str = _values(pa.array([message], pa.binary()), 1)[0].as_py()
    return f"[{text}]"


def _render(kind: np.ndarray, nested: pa.ListArray, depth: int) -> pa.StringArray:
    elements = nested.flatten()
    lengths = pc.fill_null(nested.value_lengths(), 0).to_numpy()
    in_kvlist = np.repeat(kind, lengths) == Kind.KVLIST
    text = _gather(
        len(elements),
        [
            (np.flatnonzero(~in_kvlist), lambda rows: _values(elements.take(rows), depth)),
            (np.flatnonzero(in_kvlist), lambda rows: _pairs(elements.take(rows), depth)),
        ],
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), text), ",")
    is_kvlist = pa.array(kind == Kind.KVLIST)
    is_nested = pc.or_(pa.array(kind == Kind.ARRAY), is_kvlist)
    return pc.binary_join_element_wise(
        pc.if_else(is_kvlist, "{", "["),
        pc.if_else(is_nested, joined, None),
        pc.if_else(is_kvlist, "}", "]"),
        "",
    )


def _values(messages: pa.BinaryArray, depth: int) -> pa.StringArray:
    def texts(distinct: pa.BinaryArray) -> pa.StringArray:
        _, values = _read(wire.ANY_VALUE, distinct, lambda parsed: parsed.to_struct_array())
        return _text(values, depth)

    # What is rendered are lists of labels, the same few in row after row.
    return of_each(messages, texts)


def _pairs(messages: pa.BinaryArray, depth: int) -> pa.StringArray:
    parsed, values = _read(wire.KEY_VALUE, messages, lambda parsed: parsed.column("value"))
    keys = json_text.strings(parsed.column("key"))
    return pc.binary_join_element_wise(keys, _text(values, depth), ":")


def _read(
    message: str, messages: pa.BinaryArray, value: Callable[[pa.RecordBatch], pa.StructArray]
) -> tuple[pa.RecordBatch, Values]:
    try:
        parsed = wire.parse(message, messages)
        return parsed, read_values(value(parsed))
    except (wire.Malformed, wire.Ambiguous):
        parsed = wire.parse(message, _mended(message, messages, value))
        return parsed, read_values(value(parsed))


def _mended(
    message: str, messages: pa.BinaryArray, value: Callable[[pa.RecordBatch], pa.StructArray]
) -> pa.BinaryArray:
    """The messages, those that can't be read one by one as the reference implementation writes them.

    They are found by halves. No sender makes such messages; of one that makes thousands, more are empty than must be.
    """
    found: list[pa.BinaryArray] = []
    waiting = [messages]
    looks = _MOST_LOOKS
    while waiting:
        part = waiting.pop()
        try:
            read_values(value(wire.parse(message, part)))
            found.append(part)
        except (wire.Malformed, wire.Ambiguous):
            if len(part) > _FEW:
                half = len(part) // 2
                waiting += [part.slice(half), part.slice(0, half)]
            elif looks:
                looks -= 1
                mended = [_canonical(message, one) for one in part.to_pylist()]
                found.append(pa.array(mended, pa.binary()))
            else:
                found.append(pa.array([b""] * len(part), pa.binary()))
    return pa.concat_arrays(found)


def _canonical(message: str, value: bytes) -> bytes:
    try:
        return wire.canonical(message, value)
    except wire.Malformed:
        return b""


def _text(values: Values, depth: int) -> pa.StringArray:
    """The JSON text of values of any kind; never null."""

    def nested(rows: pa.Int64Array) -> pa.StringArray:
        if depth == DEPTH_LIMIT:
            return _nulls(rows)
        return _render(values.kind[rows.to_numpy()], values.nested.take(rows), depth + 1)

    writers: dict[Kind, Callable[[pa.Int64Array], pa.StringArray]] = {
        Kind.EMPTY: _nulls,
        Kind.STRING: lambda rows: json_text.strings(values.string.take(rows)),
        Kind.BOOL: lambda rows: json_text.booleans(values.int.take(rows)),
        Kind.INT: lambda rows: json_text.integers(values.int.take(rows)),
        Kind.DOUBLE: lambda rows: json_text.doubles(values.double.take(rows)),
        Kind.BYTES: lambda rows: json_text.base64(values.bytes.take(rows)),
    }
    parts = [(np.flatnonzero(values.kind == kind), write) for kind, write in writers.items()]
    is_nested = (values.kind == Kind.ARRAY) | (values.kind == Kind.KVLIST)
    return _gather(len(values.kind), [*parts, (np.flatnonzero(is_nested), nested)])


def _nulls(rows: pa.Int64Array) -> pa.StringArray:
    return pa.repeat("null", len(rows))


def _gather(
    count: int, parts: list[tuple[np.ndarray, Callable[[pa.Int64Array], pa.StringArray]]]
) -> pa.StringArray:
    """Texts of all rows in order, from what makes those of some rows each."""
    present = [(rows, write(pa.array(rows))) for rows, write in parts if len(rows)]
    if not present:
        return pa.array([], pa.string())
    position = np.empty(count, np.int64)
    position[np.concatenate([rows for rows, _ in present])] = np.arange(count)
    return pa.concat_arrays([text for _, text in present]).take(pa.array(position))
