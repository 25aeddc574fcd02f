"""Values of steps as columns of the table that they were folded from: defaults in the rows that are no step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.columns import Mask, Numbers, array


class Placed:
    """Makes columns as long as the table, from a value for each of some of its rows."""

    def __init__(self, count: int, rows: Numbers) -> None:
        self._count = count
        self._rows = rows
        self._is_step = np.zeros(count, bool)
        self._is_step[rows] = True

    def texts(
        self, codes: Numbers, values: pa.StringArray, others: Numbers | None = None
    ) -> pa.DictionaryArray:
        """Strings by code, of which 0 is the empty one; ``others`` has those of all rows, for the rows that are no
        step."""
        spread = self._spread(codes, np.int32)
        if others is not None:
            spread = np.where(self._is_step, spread, others.astype(np.int32))
        return pa.DictionaryArray.from_arrays(spread, values)

    def blank(self) -> pa.DictionaryArray:
        """Nothing but empty strings."""
        return pa.DictionaryArray.from_arrays(np.zeros(self._count, np.int32), pa.array([""]))

    def numbers(self, values: Numbers, of: pa.DataType) -> pa.Array:
        """Numbers, or times in nanoseconds since 1970."""
        if pa.types.is_timestamp(of):
            return pa.array(self._spread(values, np.int64)).view(of)
        return pa.array(self._spread(values, of.to_pandas_dtype()))

    def flags(self, values: Mask | bool) -> pa.BooleanArray:
        """Booleans."""
        return pa.array(self._spread(values, np.bool_))

    def taken(self, column: pa.ChunkedArray, source: Numbers) -> pa.Array:
        """The values of a column's rows, also null; null in the rows that are no step."""
        indices = self._spread(source, np.int64)
        return array(column).take(pa.array(indices, mask=~self._is_step))

    def _spread(self, values: Any, of: Any) -> np.ndarray:
        spread = np.zeros(self._count, of)
        spread[self._rows] = values
        return spread
