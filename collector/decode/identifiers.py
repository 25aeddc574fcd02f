"""Trace and span ids: bytes to lower-case hex, all of a column in one call."""

from __future__ import annotations

from binascii import hexlify

import numpy as np
import pyarrow as pa

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8


def hex_ids(ids: pa.BinaryArray, width_bytes: int) -> tuple[pa.StringArray, np.ndarray]:
    """The ids in hex, and which are valid: ``width_bytes`` long and not all zero; the others become ''."""
    count = len(ids)
    if not count:
        return pa.array([], pa.string()), np.zeros(0, bool)
    _, offsets_buffer, data_buffer = ids.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32, count + 1, ids.offset * 4)
    data = np.frombuffer(data_buffer or b"", np.uint8)
    valid = offsets[1:] - offsets[:-1] == width_bytes
    if valid.all():
        raw = data[offsets[0] : offsets[-1]].reshape(count, width_bytes)
    else:
        raw = data[offsets[:-1][valid][:, None] + np.arange(width_bytes, dtype=np.int32)]
    nonzero = raw.view(np.uint64).any(axis=1)
    if not nonzero.all():
        raw = raw[nonzero]
        valid[valid] = nonzero
    ends = np.zeros(count + 1, np.int32)
    valid.cumsum(out=ends[1:])
    ends *= 2 * width_bytes
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(hexlify(raw.data))), valid
