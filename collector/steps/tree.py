"""Who is whose parent, among the spans of one batch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.distinct_values import among
from agenttracer.schemas.batch import Batch

Mask = npt.NDArray[np.bool_]
MAX_DEPTH = 64


class Tree:
    """The spans' parents as row numbers, looked up once and only if somebody asks."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    @cached_property
    def parents(self) -> npt.NDArray[np.int64]:
        """Each span's parent, -1 where it has none in this batch."""
        rows = self._batch.rows
        found = pc.index_in(rows.column("ParentSpanId"), rows.column("SpanId"))
        parents: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        # A parent of another trace, or oneself, is a mistake, or an attack on whoever walks up.
        traces = self.traces
        mistaken = (parents >= 0) & (
            (traces[np.maximum(parents, 0)] != traces) | (parents == np.arange(len(parents)))
        )
        parents[mistaken] = -1
        return parents

    @cached_property
    def traces(self) -> npt.NDArray[np.int32]:
        """Each span's trace as a number."""
        numbers: npt.NDArray[np.int32] = (
            self._batch.rows.column("TraceId").dictionary_encode().indices.to_numpy()
        )
        return numbers

    @cached_property
    def is_root(self) -> Mask:
        """Which spans have no parent, here or elsewhere."""
        root: Mask = pc.equal(self._batch.rows.column("ParentSpanId"), "").to_numpy(zero_copy_only=False)
        return root

    @cached_property
    def has_error(self) -> Mask:
        """Which spans have the status Error."""
        return is_value(self._batch.rows.column("StatusCode"), "Error")

    @cached_property
    def starts_ns(self) -> npt.NDArray[np.int64]:
        """When each span started, Unix time."""
        starts: npt.NDArray[np.int64] = self._batch.rows.column("Timestamp").cast(pa.int64()).to_numpy()
        return starts

    @cached_property
    def ends_ns(self) -> npt.NDArray[np.int64]:
        """When each span ended, Unix time."""
        ends: npt.NDArray[np.int64] = self.starts_ns + self._batch.rows.column("Duration").to_numpy().astype(
            np.int64
        )
        return ends

    def in_traces_of(self, marked: Mask) -> Mask:
        """Which spans are of a trace that has a marked span."""
        has_marked = np.zeros(int(self.traces.max(initial=-1)) + 1, bool)
        has_marked[self.traces[marked]] = True
        return has_marked[self.traces]

    def under(self, marked: Mask) -> Mask:
        """Which spans have a marked span above them."""
        inside = np.zeros(len(marked), bool)
        parents = self.parents
        for _ in range(MAX_DEPTH):
            wider = (parents >= 0) & (marked | inside)[np.maximum(parents, 0)]
            if (wider == inside).all():
                break
            inside = wider
        return inside


def is_value(column: pa.DictionaryArray, *values: str) -> Mask:
    """Which rows of a column of repeated strings hold one of these: looked up in the dictionary."""
    # One more entry, which the index -1 of a null finds.
    is_one = np.append(among(column.dictionary, values), False)
    indices = column.indices
    hits: Mask = is_one[(indices.fill_null(-1) if indices.null_count else indices).to_numpy()]
    return hits


def with_value(column: pa.DictionaryArray, rows: Mask, value: str) -> pa.DictionaryArray:
    """The column with a value in these rows."""
    values = column.dictionary.to_pylist()
    if value not in values:
        values.append(value)
    codes = np.where(rows, np.int32(values.index(value)), column.indices.to_numpy())
    return pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))


def mask(booleans: pa.Array) -> Mask:
    """A boolean array as numpy, nulls as False."""
    if booleans.null_count:
        booleans = booleans.fill_null(False)
    flags: Mask = booleans.to_numpy(zero_copy_only=False)
    return flags
