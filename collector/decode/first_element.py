"""The first element of arrays of strings, read straight from the wire: rendering whole lists costs far more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_STRING_VALUE = 0x0A  # AnyValue.string_value: field 1, length-delimited
_LONGEST = 0x7F  # a length of one byte


def first_strings(nested: pa.ListArray) -> pa.StringArray:
    """Each array's first element if it is a string of up to 127 bytes, else null.

    ``nested`` is what decoding leaves of arrays: their elements as AnyValue messages.
    """
    lengths = nested.value_lengths().fill_null(0).to_numpy()
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    has_first = lengths > 0
    at = pa.array(np.where(has_first, starts, 0), mask=~has_first)
    encoded = nested.flatten().take(at).dictionary_encode()
    return pa.array([_string(message) for message in encoded.dictionary.to_pylist()], pa.string()).take(
        encoded.indices
    )


def _string(message: bytes) -> str | None:
    if len(message) < 2 or message[0] != _STRING_VALUE or message[1] > _LONGEST:
        return None
    if message[1] != len(message) - 2:
        return None
    try:
        return message[2:].decode()
    except UnicodeDecodeError:
        return None
