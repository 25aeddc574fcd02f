"""One call that two libraries trace without knowing of each other: two roots, told apart by nothing but time.

instrumentation   |────── chat ──────|     its own trace
the model's SDK     |── chat ──|           another trace, inside it: joins the run of the first
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.dialects.scopes import rows_of_scopes
from agenttracer.collector.steps.tree import Tree, is_value
from agenttracer.schemas.batch import Batch

SDK_SCOPES = r"^com\.anthropic\.sdk"
"""Model SDKs that trace their own calls: stacked under an instrumentation, a second root."""


def join_twins(batch: Batch, types: pa.DictionaryArray, tree: Tree) -> Batch:
    """The batch with an SDK's root call in the run of the one instrumented call that holds it in time, both
    under one ``ResponseId`` so that they fold; untouched where nothing or more than one call does."""
    inner = rows_of_scopes(batch, SDK_SCOPES)
    if inner is None or inner.all():
        return batch
    calls = is_value(types, "model", "respond") & tree.is_root
    inside, around = np.flatnonzero(calls & inner), np.flatnonzero(calls & ~inner)
    if not len(inside) or not len(around):
        return batch
    starts, ends = tree.starts_ns, tree.ends_ns
    order = around[np.argsort(starts[around], kind="stable")]
    at = np.searchsorted(starts[order], starts[inside], side="right") - 1
    # The one that started last before it; a second one that is still open makes it anybody's guess.
    outer = order[np.maximum(at, 0)]
    earlier = np.maximum.accumulate(ends[order])[np.maximum(at - 1, 0)]
    sure = (at >= 0) & (starts[inside] <= ends[outer]) & ((at == 0) | (earlier < starts[inside]))
    inside, outer = inside[sure], outer[sure]
    if not len(inside):
        return batch
    return batch.with_columns(
        RunId=_taken_from(batch.rows.column("RunId"), inside, outer),
        ResponseId=_shared_answer(batch, inside, outer),
    )


def _taken_from(column: pa.StringArray, inside: np.ndarray, outer: np.ndarray) -> pa.StringArray:
    source = np.arange(len(column))
    source[inside] = outer
    return column.take(pa.array(source))


def _shared_answer(batch: Batch, inside: np.ndarray, outer: np.ndarray) -> pa.StringArray:
    """The answer's id on both; where a call failed there is none, and the outer span's id stands for it."""
    index = batch.rows.schema.get_field_index("ResponseId")
    own = batch.rows.column(index) if index >= 0 else pa.nulls(batch.num_rows, pa.string())
    source = np.arange(batch.num_rows)
    source[inside] = outer
    source[outer] = inside
    shared = pc.coalesce(own, own.take(pa.array(source)))
    paired = np.zeros(batch.num_rows, bool)
    paired[inside] = paired[outer] = True
    spans = _taken_from(batch.rows.column("SpanId"), inside, outer)
    return pc.if_else(pa.array(paired), pc.coalesce(shared, spans), shared)
