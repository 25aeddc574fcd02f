"""Which rows are of one run, and which are one span twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Log records have no id of their own: what they say tells those of one span and time apart.
_SAME = ("TraceId", "IsLog", "FailureCode", "Model", "FinishReason", "ResponseId")

Run = tuple[str, str]
"""TenantId, RunId."""

Numbers = npt.NDArray[np.int64]


class RunsOf:
    """The runs of rows, numbered in no order.

    ``codes``: each row's run; ``counts``: each run's rows; ``names``: each run's tenant and id.
    """

    def __init__(self, rows: pa.Table) -> None:
        tenants, ids = _encoded(rows, "TenantId"), _encoded(rows, "RunId")
        both = _number(tenants) * len(ids.dictionary) + _number(ids)
        _, first, self.codes, self.counts = np.unique(
            both, return_index=True, return_inverse=True, return_counts=True
        )
        self.names: list[Run] = list(
            zip(tenants.take(first).to_pylist(), ids.take(first).to_pylist(), strict=True)
        )


def first_of_each(spans: pa.Table) -> Numbers:
    """The rows without those that a row before them repeats, in their order."""
    codes = _number(_encoded(spans, "SpanId"))
    if len(np.unique(codes)) == len(codes):
        return np.arange(len(codes))
    times = spans.column("Timestamp").cast(pa.int64()).to_numpy()
    for numbers in (
        *(_number(_encoded(spans, name)) for name in _SAME),
        np.unique(times, return_inverse=True)[1],
    ):
        codes = np.unique(codes * (len(codes) + 1) + numbers, return_inverse=True)[1]
    return np.sort(np.unique(codes, return_index=True)[1])


def _encoded(rows: pa.Table, name: str) -> pa.DictionaryArray:
    column = rows.column(name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()


def _number(column: pa.DictionaryArray) -> Numbers:
    numbers: Numbers = column.indices.to_numpy().astype(np.int64)
    return numbers
