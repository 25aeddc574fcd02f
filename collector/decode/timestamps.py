"""Nanoseconds since 1970 as OTLP sends them, to Arrow timestamps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from agenttracer.schemas.columns import TIME

_LAST_NS = np.uint64(2**63 - 1)


def timestamps(nanoseconds: np.ndarray) -> pa.TimestampArray:
    """uint64 to timestamps; what lies beyond their last moment, in the year 2262, becomes that moment."""
    clamped = np.minimum(nanoseconds, _LAST_NS)
    return pa.Array.from_buffers(TIME, len(clamped), [None, pa.py_buffer(clamped)])
