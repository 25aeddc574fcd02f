"""What a signal's reader hands on, and what the readers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa

from agenttracer.schemas.batch import Place


@dataclass(frozen=True, slots=True)
class Rows:
    """A signal's own tables, the undecoded attributes of their rows, and each row's request."""

    tables: dict[str, pa.RecordBatch]
    attributes: list[tuple[Place, pa.ListArray]]
    request_of_row: np.ndarray
    request_of_refused: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))


@cache
def empty(schema: pa.Schema) -> pa.RecordBatch:
    """A table without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], column.type) for column in schema], schema=schema)


def labels(numbers: pa.Int32Array, names: pa.StringArray) -> pa.DictionaryArray:
    """Enum numbers as their names; a number without one means the same as 0."""
    codes = numbers.to_numpy()
    known = codes.view(np.uint32) < len(names)
    if not known.all():
        numbers = pa.array(np.where(known, codes, 0))
    return pa.DictionaryArray.from_arrays(numbers, names)
