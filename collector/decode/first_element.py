"""The first element of arrays of strings, read straight from the wire: rendering whole lists costs far more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.distinct_values import of_each

_STRING_VALUE = 0x0A  # AnyValue.string_value: field 1, length-delimited
_HEAD_BYTES = 2  # that, and a length of one byte
_LAST_ASCII = 0x7F


def first_strings(nested: pa.ListArray) -> pa.StringArray:
    """Each array's first element if it is a string of up to 127 ASCII characters, else null.

    ``nested`` is what decoding leaves of arrays: their elements as AnyValue messages.
    """
    lengths = nested.value_lengths().fill_null(0).to_numpy()
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    has_first = lengths > 0
    at = pa.array(np.where(has_first, starts, 0), mask=~has_first)
    return of_each(nested.flatten().take(at), _strings)


def _strings(messages: pa.BinaryArray) -> pa.StringArray:
    _, offsets, data = messages.buffers()
    if not len(messages) or data is None:
        return pa.nulls(len(messages), pa.string())
    bounds = np.frombuffer(offsets, np.int32)[: len(messages) + 1]
    # With a head behind the last, so that each can be asked for one.
    octets = np.append(np.frombuffer(data, np.uint8), np.zeros(_HEAD_BYTES, np.uint8))
    foreign = np.concatenate([[0], np.cumsum(octets > _LAST_ASCII)])[bounds]
    heads, sizes = bounds[:-1], np.diff(bounds)
    # A length above 127 begins with a byte that is no ASCII.
    is_string = (octets[heads] == _STRING_VALUE) & (octets[heads + 1] == sizes - _HEAD_BYTES)
    is_string &= (sizes >= _HEAD_BYTES) & (np.diff(foreign) == 0)
    # All ASCII, head and all: characters are bytes.
    return pc.utf8_slice_codeunits(
        pc.if_else(pa.array(is_string), messages, None).cast(pa.string()), _HEAD_BYTES
    )
