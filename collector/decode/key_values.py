"""KeyValues as every exporter writes them, read by numpy: a key, then a value of one field or none, nothing else.

    0a ·· key  12 ·· 0a ·· text        a tag, a length of up to three bytes, what it tells the length of
    0a ·· key  12 ·· 18 number

A word of eight bytes holds the tag and the length before a key, another all of those behind it, so a few dozen
operations on whole columns read what ``ptars`` asks about field by field, in two thirds of its time. Messages that
are written otherwise are left to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agenttracer.collector.decode.values import Values, elements
from agenttracer.schemas.batch import Kind

Words = npt.NDArray[Any]  # uint64: mypy takes one shifted by a number for a signed one
Places = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]

_WORD_BYTES: Final = 8
_MOST_MESSAGES: Final = 1 << 18
"""A group that has more has them smaller than agents do, and each costs some 200 bytes while it is read."""
_LONGEST_VARINT_BYTES: Final = 10
_KEY_TAG, _VALUE_TAG = 0x0A, 0x12
_UNKNOWN: Final = 255
_TAGS: Final = {
    Kind.STRING: 0x0A,
    Kind.BOOL: 0x10,
    Kind.INT: 0x18,
    Kind.DOUBLE: 0x21,
    Kind.ARRAY: 0x2A,
    Kind.KVLIST: 0x32,
    Kind.BYTES: 0x3A,
}
_KIND_OF_TAG: Final = np.full(256, _UNKNOWN, np.uint8)
_KIND_OF_TAG[list(_TAGS.values())] = list(_TAGS)
_HAS_LENGTH: Final = np.isin(np.arange(256), [Kind.STRING, Kind.ARRAY, Kind.KVLIST, Kind.BYTES])


@dataclass(frozen=True, slots=True)
class _Messages:
    """Where in ``data`` what is: ``start`` ·· key · ``key_end`` ·· ``value`` ·· ``payload`` · ``end``.

    A value begins with its tag; a payload is what has a length before it, of other values nothing.
    """

    data: pa.Buffer
    start: Places
    key_end: Places
    value: Places
    payload: Places
    end: Places
    kind: npt.NDArray[np.uint8]

    def pieces(self) -> pa.BinaryArray:
        """The bytes in four pieces a message, the second its key and the fourth its payload; nothing is copied."""
        bounds = np.empty(4 * len(self.kind) + 1, np.int32)
        for piece, places in enumerate((self.start, self.start + 2, self.key_end, self.payload)):
            bounds[piece:-1:4] = places
        bounds[-1] = self.end[-1]
        return pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), self.data])


def read_key_values(messages: pa.BinaryArray) -> tuple[pa.DictionaryArray, Values] | None:
    """The keys and the values; None if any message is written in another way, or isn't valid.

    Raises ``wire.Malformed`` for an array or a kvlist that is none.
    """
    if (found := _locate(messages)) is None or (integers := _integers(found)) is None:
        return None
    pieces = found.pieces()
    strings = pieces.view(pa.string())
    keys = strings.take(pa.array(np.arange(1, len(pieces), 4))).dictionary_encode()
    texts = _payloads(strings, found.kind == Kind.STRING)
    try:
        keys.dictionary.validate(full=True)
        texts.validate(full=True)
    except pa.ArrowInvalid:  # not UTF-8
        return None
    return keys, Values(
        found.kind,
        texts,
        integers,
        _doubles(found),
        _payloads(pieces, found.kind == Kind.BYTES),
        _nested(pieces, found.kind),
    )


def _payloads(pieces: pa.Array, rows: Rows) -> pa.Array:
    """A payload for each of these rows, null for the others."""
    if not rows.any():
        return pa.nulls(len(rows), pieces.type)
    return pieces.take(pa.array(np.arange(3, len(pieces), 4), mask=~rows))


def _nested(pieces: pa.BinaryArray, kind: npt.NDArray[np.uint8]) -> pa.ListArray:
    rows = {number: np.flatnonzero(kind == number) for number in (Kind.ARRAY, Kind.KVLIST)}
    messages = {
        number: (np.arange(len(at) + 1, dtype=np.int32), pieces.take(pa.array(4 * at + 3)))
        for number, at in rows.items()
        if len(at)
    }
    return elements(messages, kind)


def _locate(messages: pa.BinaryArray) -> _Messages | None:
    _, offsets_buffer, data = messages.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[messages.offset :][: len(messages) + 1].astype(np.int64)
    start, end, last = offsets[:-1], offsets[1:], int(offsets[-1])
    if last < _WORD_BYTES or len(start) > _MOST_MESSAGES:
        return None
    # Lengths that lie are found out by the ends: parts that add up to the whole, none negative, are inside of it.
    word = _words(data, start, last)
    key_bytes = ((word >> 8) & 0xFF).view(np.int64)
    good = ((word & 0xFF) == _KEY_TAG) & (key_bytes < 0x80)
    key_end = start + 2 + key_bytes
    word = _words(data, key_end, last)
    good &= (word & 0xFF) == _VALUE_TAG
    value_bytes, taken, whole = _lengths(word >> 8)
    value = key_end + 1 + taken
    good &= whole & (value + value_bytes == end)
    word >>= (8 + (taken << 3)).view(np.uint64)
    kind = _KIND_OF_TAG[(word & 0xFF).view(np.int64)]
    kind[value_bytes == 0] = Kind.EMPTY
    payload_bytes, taken, whole = _lengths(word >> 8)
    payload = value + 1 + taken
    has_length = _HAS_LENGTH[kind]
    good &= np.where(has_length, whole & (payload + payload_bytes == end), kind != _UNKNOWN)
    good &= (kind != Kind.DOUBLE) | (value_bytes == 1 + _WORD_BYTES)
    if not good.all():
        return None
    return _Messages(data, start, key_end, value, np.where(has_length, payload, end), end, kind)


def _words(data: pa.Buffer, places: Places, end: int) -> Words:
    """The eight bytes at each place, the first of them lowest; zeros for those behind the end."""
    every = np.ndarray((end - _WORD_BYTES + 1,), "<u8", data, strides=(1,))
    held = np.minimum(places, end - _WORD_BYTES)
    return every[held] >> ((places - held) << 3).view(np.uint64)


def _lengths(word: Words) -> tuple[Places, Places, Rows]:
    """Varints of up to three bytes: the number, how many bytes it takes, and whether it ends there."""
    second = (word >> 7) & 1
    third = second & (word >> 15)
    length = (word & 0x7F) | ((word >> 1) & 0x3F80) * second | ((word >> 2) & 0x1FC000) * third
    return length.view(np.int64), (1 + second + third).view(np.int64), (third & (word >> 23)) == 0


def _integers(found: _Messages) -> pa.Int64Array | None:
    """Numbers, and booleans as such; None if one is longer than a number may be, or not as long as its value."""
    rows = (found.kind == Kind.INT) | (found.kind == Kind.BOOL)
    if not rows.any():
        return pa.nulls(len(rows), pa.int64())
    starts, ends = found.value[rows] + 1, found.end[rows]
    sizes = ends - starts
    most = int(sizes.max())
    if sizes.min() < 1 or most > _LONGEST_VARINT_BYTES:
        return None
    data = np.frombuffer(found.data, np.uint8)
    numbers = np.zeros(len(sizes), np.uint64)
    for at in range(most):
        byte = data[np.minimum(starts + at, ends - 1)].astype(np.uint64)
        inside = at < sizes
        if (inside & ((byte >> 7) != (at < sizes - 1))).any():
            return None
        numbers |= np.where(inside, byte & 0x7F, 0) << np.uint64(7 * at)
    is_bool = found.kind[rows] == Kind.BOOL
    return _spread(rows, np.where(is_bool, numbers != 0, numbers.view(np.int64)))


def _doubles(found: _Messages) -> pa.DoubleArray:
    rows = found.kind == Kind.DOUBLE
    if not rows.any():
        return pa.nulls(len(rows), pa.float64())
    words = _words(found.data, found.value[rows] + 1, int(found.end[-1]))
    return _spread(rows, words.view(np.float64))


def _spread(rows: Rows, numbers: np.ndarray) -> pa.Array:
    """A number for each of these rows, null for the others."""
    every = np.zeros(len(rows), numbers.dtype)
    every[rows] = numbers
    return pa.array(every, mask=~rows)
