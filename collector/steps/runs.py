"""The status of every run whose root is in the batch, from what the batch shows of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.failures.codes import Failures
from agenttracer.collector.steps.tree import Mask, Tree, is_value, mask
from agenttracer.schemas.batch import Batch
from agenttracer.schemas.failures import SOFT_CODES

_SOFT = pa.array(sorted(SOFT_CODES))
_CALLS = ("model", "respond", "tool", "retrieve", "memory")
_HANDLED = ("tool", "retrieve", "memory", "")  # whoever called them can go on without


def run_statuses(
    batch: Batch, types: pa.DictionaryArray, failures: Failures, tree: Tree
) -> pa.DictionaryArray:
    """Each root's status: its own word; cancelled or failure if that is how it ended, failure also if a model
    call or an inner agent failed and nothing went well after it; partial if any step failed; success otherwise."""
    roots = _roots(batch, types, tree)
    derived = pa.nulls(batch.num_rows, pa.string())
    if roots.any():
        in_trace = tree.in_traces_of(mask(failures.codes.is_valid()))
        failed = _root_errors(tree, failures) | tree.in_traces_of(_last_words(types, failures, tree))
        derived = pc.if_else(
            pa.array(failed), "failure", pc.if_else(pa.array(in_trace), "partial", "success")
        )
        derived = pc.if_else(pa.array(failures.thrown.cancelled), "cancelled", derived)
        derived = pc.if_else(pa.array(roots), derived, None)
    index = batch.rows.schema.get_field_index("RunStatus")
    if index >= 0:
        # A run inside a traced request has a parent; the span that names the status is its root all the same.
        derived = pc.coalesce(batch.rows.column(index).cast(pa.string()), derived)
    return derived.dictionary_encode()


def _roots(batch: Batch, types: pa.DictionaryArray, tree: Tree) -> Mask:
    """The topmost steps of traces whose root is here; making an agent is no run of it."""
    steps = ~is_value(types, "")
    roots = steps & tree.is_root
    if (tree.is_root & ~steps).any():
        reaches = tree.is_root | tree.under(tree.is_root)
        roots = steps & reaches & ~tree.under(steps)
    index = batch.rows.schema.get_field_index("Operation")
    if index >= 0 and roots.any():
        roots &= ~mask(pc.equal(batch.rows.column(index), "create_agent"))
    return roots


def _root_errors(tree: Tree, failures: Failures) -> Mask:
    hard = mask(failures.codes.is_valid()) & ~mask(pc.is_in(failures.codes, _SOFT))
    return (tree.has_error & ~failures.thrown.excused) | failures.raised | hard


def _last_words(types: pa.DictionaryArray, failures: Failures, tree: Tree) -> Mask:
    """Failed model calls and containers after which no call of their trace went well."""
    hard = failures.raised & ~is_value(types, *_HANDLED)
    if not hard.any():
        return hard
    good = is_value(types, *_CALLS) & ~failures.raised
    latest = np.full(int(tree.traces.max()) + 1, -1, np.int64)
    np.maximum.at(latest, tree.traces[good], tree.starts_ns[good])
    return hard & (latest[tree.traces] < tree.ends_ns)
