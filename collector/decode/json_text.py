"""Columns of plain values to columns of JSON text, as ``json.dumps(ensure_ascii=False)`` writes them.

Where JSON has no value of its own it is what protobuf's JSON has: base64 for bytes, "NaN", "Infinity".
"""

from __future__ import annotations

import binascii

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_SHORT_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_CONTROL_CHARACTERS = [chr(code) for code in range(32)]


def strings(values: pa.StringArray) -> pa.StringArray:
    """Quoted and escaped."""
    text = pc.replace_substring(pc.replace_substring(values, "\\", "\\\\"), '"', '\\"')
    if pc.any(pc.match_substring_regex(text, "[\x00-\x1f]")).as_py():
        for character in _CONTROL_CHARACTERS:
            escape = _SHORT_ESCAPES.get(character, f"\\u{ord(character):04x}")
            text = pc.replace_substring(text, character, escape)
    return pc.binary_join_element_wise('"', text, '"', "")


def booleans(values: pa.Array) -> pa.StringArray:
    """0 or 1 to false or true."""
    return pa.array(["false", "true"]).take(values)


def integers(values: pa.Int64Array) -> pa.StringArray:
    """Numbers; JSON has no limit to their size."""
    return values.cast(pa.string())


def doubles(values: pa.DoubleArray) -> pa.StringArray:
    """The shortest numbers that read back the same."""
    numbers = values.to_numpy()
    text = pa.array(numbers.astype("U25"), pa.string())
    if np.isfinite(numbers).all():
        return text
    names = np.select([np.isposinf(numbers), np.isneginf(numbers)], ['"Infinity"', '"-Infinity"'], '"NaN"')
    return pc.if_else(pc.is_finite(values), text, pa.array(names, pa.string()))


def base64(values: pa.BinaryArray) -> pa.StringArray:
    """Quoted base64. All values are encoded at once, each padded to whole groups of three bytes."""
    _, offsets_buffer, data_buffer = values.buffers()
    bounds = np.frombuffer(offsets_buffer, np.int32, len(values) + 1, values.offset * 4).astype(np.int64)
    data = np.frombuffer(data_buffer or b"", np.uint8)[bounds[0] : bounds[-1]]
    sizes = np.diff(bounds)
    groups = (sizes + 2) // 3
    starts = 3 * (np.cumsum(groups) - groups)
    padded = np.zeros(3 * groups.sum(), np.uint8)
    within = np.arange(len(data)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    padded[np.repeat(starts, sizes) + within] = data
    encoded = np.frombuffer(binascii.b2a_base64(padded.tobytes(), newline=False), np.uint8).copy()
    ends = 4 * np.cumsum(groups)
    for missing in (1, 2):
        encoded[ends[3 * groups - sizes >= missing] - missing] = ord("=")
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    text = pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(encoded))
    return pc.binary_join_element_wise('"', text, '"', "")
