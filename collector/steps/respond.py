"""The answer of a run: its last model call, if it stopped by itself and nothing came after it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.steps.tree import MAX_DEPTH, Tree, is_value, mask, with_value
from agenttracer.schemas.batch import Batch


def responding(
    batch: Batch, types: pa.DictionaryArray, failed: pa.BooleanArray, tree: Tree
) -> pa.DictionaryArray:
    """The types with ``respond`` for the answer of every run whose root is in the batch.

    A model call that is a trace of its own answers nobody's run. Spans around the same call answer with it.
    """
    index = batch.rows.schema.get_field_index("FinishReason")
    is_model = is_value(types, "model")
    if index < 0 or not is_model.any():
        return types
    stopped = is_model & mask(pc.equal(batch.rows.column(index), "stop")) & ~mask(failed)
    if not stopped.any():
        return types
    is_step = ~is_value(types, "")
    # Only a step above makes a run of it, and only a root that is here has ended.
    stopped &= tree.in_traces_of(tree.is_root) & tree.under(is_step & ~is_model)
    if not stopped.any():
        return types
    starts = tree.starts_ns
    calls = is_model | is_value(types, "tool", "retrieve")
    latest = np.zeros(int(tree.traces.max()) + 1, np.int64)
    np.maximum.at(latest, tree.traces[calls], starts[calls])
    answers = stopped & (_innermost_starts(starts, is_model, tree) >= latest[tree.traces])
    around = _around(answers, is_model, tree)
    return with_value(types, answers | around, "respond")


def _innermost_starts(starts: np.ndarray, is_model: np.ndarray, tree: Tree) -> np.ndarray:
    """When each model call really started: a span around another one is the same call."""
    inner = starts.copy()
    wrapped = np.flatnonzero(is_model & (tree.parents >= 0))
    wrapped = wrapped[is_model[tree.parents[wrapped]]]
    for _ in range(MAX_DEPTH if len(wrapped) else 0):
        before = inner[tree.parents[wrapped]]
        np.maximum.at(inner, tree.parents[wrapped], inner[wrapped])
        if (before == inner[tree.parents[wrapped]]).all():
            break
    return inner


def _around(answers: np.ndarray, is_model: np.ndarray, tree: Tree) -> np.ndarray:
    """Model spans right around or right inside an answer: the same call, said twice."""
    same = np.zeros(len(answers), bool)
    parents = tree.parents
    above = parents[answers]
    while len(above := above[above >= 0]):
        above = above[is_model[above] & ~same[above]]
        same[above] = True
        above = parents[above]
    inside = is_model & (parents >= 0)
    inside[inside] = answers[parents[inside]]
    return same | inside
