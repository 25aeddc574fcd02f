"""Which rows are of one run, and which are one span twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.columns import (
    Numbers,
    codes,
    combined,
    firsts,
    flags,
    numbers,
    plain,
    runs,
)

# Log records have no id of their own: what they say tells those of one span and time apart.
_TEXTS = ("TraceId", "FailureCode", "Model", "FinishReason", "ResponseId")

Run = tuple[str, str]
"""TenantId, RunId."""


class RunsOf:
    """The runs of rows, numbered in order of appearance.

    ``codes``: each row's run; ``counts``: each run's rows; ``names``: each run's tenant and id.
    """

    def __init__(self, rows: pa.Table) -> None:
        self.codes = runs(rows) if rows.num_rows else np.zeros(0, np.int64)
        self.counts = np.bincount(self.codes)
        first = pa.array(firsts(self.codes, np.arange(len(self.codes)), len(self.counts)))
        # As plain texts: a dictionary's entries become Python's one by one, at ten times the price.
        names = (plain(rows.column(name).take(first)).to_pylist() for name in ("TenantId", "RunId"))
        self.names: list[Run] = list(zip(*names, strict=True))


def first_of_each(spans: pa.Table) -> Numbers:
    """The rows without those that a row before them repeats, in their order."""
    (same,) = codes(spans.column("SpanId"))
    if len(np.unique(same)) == len(same):
        return np.arange(len(same))
    times = numbers(spans.column("Timestamp"))
    same = combined(
        same,
        *codes(*(spans.column(name) for name in _TEXTS)),
        flags(spans.column("IsLog")).astype(np.int64),
        np.unique(times, return_inverse=True)[1],
    )
    return np.sort(np.unique(same, return_index=True)[1])
