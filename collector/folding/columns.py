"""Columns of an Arrow table as numpy takes them: numbers, and texts as codes over their distinct values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.schemas.columns import TIME

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

_MANY = 2**63
_NANOSECONDS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Texts:
    """A code for each row, 0 for the empty string; ``values`` has each code's string, each string once."""

    codes: Numbers
    values: pa.StringArray


def array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; as it is where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def plain(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece, texts as themselves."""
    column = array(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def texts(column: pa.ChunkedArray, *words: str) -> Texts:
    """The codes of strings, dictionary-encoded or not; ``words``, distinct, have the codes from 1 on."""
    if pa.types.is_dictionary(column.type):
        encoded = array(column.unify_dictionaries())
    else:
        encoded = array(column).dictionary_encode()
    # Of the distinct values only: a dictionary may hold one twice.
    values = pa.concat_arrays([pa.array(["", *words], pa.string()), encoded.dictionary]).dictionary_encode()
    codes = values.indices.to_numpy()[1 + len(words) :].astype(np.int64)
    return Texts(codes[encoded.indices.to_numpy()], values.dictionary)


def codes(*columns: pa.ChunkedArray) -> list[Numbers]:
    """The same code for the same string in all these columns, which are of strings that hardly repeat; 0 if empty."""
    pieces = [piece for column in columns for piece in column.cast(pa.string()).chunks]
    encoded = pa.chunked_array([pa.array([""]), *pieces]).dictionary_encode()
    numbers = np.concatenate([piece.indices.to_numpy() for piece in encoded.chunks]).astype(np.int64)
    return np.split(numbers[1:], np.cumsum([len(column) for column in columns])[:-1])


def combined(*columns: Numbers) -> Numbers:
    """A number for each distinct combination, from 0 on, in order of appearance; of at least one row."""
    keys = columns[0]
    for column in columns[1:]:
        width = int(column.max()) + 1
        if (int(keys.max()) + 1) * width > _MANY:
            keys = _numbered(keys)
        keys = keys * width + column
    return _numbered(keys)


def _numbered(keys: Numbers) -> Numbers:
    return pa.array(keys).dictionary_encode().indices.to_numpy().astype(np.int64)


def firsts(keys: Numbers, rows: Numbers, count: int) -> Numbers:
    """For each key below ``count`` the first of the rows that have it, -1 if none has."""
    found = np.full(count, -1)
    found[keys[::-1]] = rows[::-1]  # of several the last stays
    return found


def largest(keys: Numbers, values: Numbers, count: int) -> Numbers:
    """For each key below ``count`` the largest of its values, the least of the type if it has none."""
    found = np.full(count, np.iinfo(values.dtype).min, values.dtype)
    np.maximum.at(found, keys, values)
    return found


def numbers(column: pa.ChunkedArray) -> Numbers:
    """Integers without nulls; times as nanoseconds since 1970."""
    values = array(column).to_numpy(zero_copy_only=False)
    return values.view(np.int64) if values.dtype.kind == "M" else values


def times(nanoseconds: Numbers) -> pa.Array:
    """Times, from nanoseconds since 1970."""
    return pa.array(nanoseconds).view(TIME)


def ends(spans: pa.Table) -> Numbers:
    """When each span ended, in nanoseconds since 1970; no later than there is a number for."""
    starts = numbers(spans.column("Timestamp"))
    durations = np.minimum(numbers(spans.column("Duration")), (_NANOSECONDS - starts).astype(np.uint64))
    return starts + durations.astype(np.int64)


def is_said(column: pa.ChunkedArray) -> Mask:
    """Where a column of strings without nulls is not empty."""
    return flags(pc.not_equal(column, ""))


def flags(column: pa.ChunkedArray) -> Mask:
    """Booleans without nulls."""
    return array(column).to_numpy(zero_copy_only=False)


def runs(spans: pa.Table) -> Numbers:
    """Each row's run, (TenantId, RunId), as a number from 0 on, in order of appearance."""
    return combined(texts(spans.column("TenantId")).codes, *codes(spans.column("RunId")))
