"""From the one flat attributes table to what ClickHouse keeps: a map of texts an owner.

    place owner key                value         offsets of ROW      maps of ROW
    ROW   0     gen_ai.operation   "chat"        0                   {gen_ai.operation: chat, tokens: 12}
    ROW   0     tokens             12            2                   {}
    ROW   2     ok                 true          2  3                {ok: true}

Values are rendered as the Collector renders them: strings as they are, arrays and kvlists as the JSON
text that they already are, ``true`` and ``false``, bytes as base64, doubles in the shortest form that
reads back the same (from 1e15 with an exponent, where Go begins at 1e21).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.schemas.batch import Kind, Place
from agenttracer.schemas.clickhouse_tables import MAP
from agenttracer.schemas.dictionaries import compact


class AttributeMaps:
    """The attributes of one batch, by place."""

    def __init__(self, attributes: pa.RecordBatch) -> None:
        places = attributes.column("place").to_numpy()
        if not _is_sorted(places):
            attributes = attributes.take(pa.array(np.argsort(places, kind="stable")))
        self._attributes = attributes
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=len(Place)))])

    def maps(self, place: Place, owners: int) -> pa.MapArray:
        """One map for each of the ``owners``, keys in order, so that equal maps are equal texts."""
        attributes = self._at(place)
        keys, texts = compact(attributes.column("key")), _texts(attributes)
        rank = np.empty(len(keys.dictionary), np.int64)
        rank[pc.sort_indices(keys.dictionary).to_numpy()] = np.arange(len(rank))
        order = attributes.column("owner").to_numpy().astype(np.int64) * len(rank)
        order += rank[keys.indices.to_numpy()]
        if not _is_sorted(order):
            at = pa.array(np.argsort(order, kind="stable"))
            keys, texts = keys.take(at), texts.take(at)
        return pa.MapArray.from_arrays(offsets_of(attributes.column("owner"), owners), keys, texts, type=MAP)

    def bodies(self, rows: int, without: npt.NDArray[np.bool_]) -> pa.Array:
        """One text a row: its body, or nothing where there is none or ``without`` says so."""
        attributes = self._at(Place.BODY)
        owners = attributes.column("owner").to_numpy()
        attributes = attributes.filter(pa.array(~without[owners]))
        at = np.full(rows, -1, np.int32)
        at[attributes.column("owner").to_numpy()] = np.arange(attributes.num_rows, dtype=np.int32)
        return _texts(attributes).take(pa.array(at, mask=at < 0)).fill_null("")

    def _at(self, place: Place) -> pa.RecordBatch:
        start, end = self._starts[place : place + 2]
        return self._attributes.slice(start, end - start)


def _is_sorted(numbers: npt.NDArray[Any]) -> bool:
    return bool(np.all(numbers[1:] >= numbers[:-1]))


def offsets_of(owners: pa.Array, count: int) -> pa.Array:
    """Where each of ``count`` owners begins among rows sorted by owner, and the end."""
    ends = np.cumsum(np.bincount(owners.to_numpy(), minlength=count))
    return pa.array(np.concatenate([[0], ends]).astype(np.int32))


def _texts(attributes: pa.RecordBatch) -> pa.StringArray:
    kinds = attributes.column("kind").to_numpy()
    texts = attributes.column("string")
    for kind in set(np.flatnonzero(np.bincount(kinds)).tolist()) & _RENDER.keys():
        column, render = _RENDER[kind]
        mask = pa.array(kinds == kind)
        texts = pc.replace_with_mask(texts, mask, render(attributes.column(column).filter(mask)))
    return texts.fill_null("")


def _bool_texts(values: pa.Array) -> pa.Array:
    return values.cast(pa.bool_()).cast(pa.string())


def _number_texts(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


def _base64_texts(values: pa.Array) -> pa.StringArray:
    values = values.fill_null(b"").cast(pa.large_binary())
    lengths = pc.binary_length(values).to_numpy()
    ends = np.cumsum((lengths + 2) // 3 * 3)  # each value padded to whole triplets
    padded = np.zeros(ends[-1] if len(ends) else 0, np.uint8)
    source = np.frombuffer(b"".join([values.buffers()[2] or b""]), np.uint8)
    first = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values)]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    padded[within + np.repeat(ends - (lengths + 2) // 3 * 3, lengths)] = source[
        within + np.repeat(first, lengths)
    ]
    text = np.frombuffer(binascii.b2a_base64(padded.tobytes(), newline=False), np.uint8).copy()
    text_ends = ends // 3 * 4
    text[text_ends[lengths % 3 > 0] - 1] = ord("=")
    text[text_ends[lengths % 3 == 1] - 2] = ord("=")
    offsets = np.concatenate([[0], text_ends]).astype(np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(text))


_RENDER: dict[int, tuple[str, Callable[[pa.Array], pa.Array]]] = {
    Kind.BOOL: ("int", _bool_texts),
    Kind.INT: ("int", _number_texts),
    Kind.DOUBLE: ("double", _number_texts),
    Kind.BYTES: ("bytes", _base64_texts),
}
