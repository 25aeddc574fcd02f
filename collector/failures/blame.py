"""A failure belongs to the deepest step that failed; whoever only passed it on doesn't count it again.

agent  failed ─┐ passed on           agent   max_steps      its own: stays
node   failed ─┤ passed on           └ tool  timeout        another failure: stays
tool   failed ─┘ the failure
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.steps.tree import MAX_DEPTH, Mask, Tree
from agenttracer.schemas.failures import EVIDENCE_RULES, OWN_CODES

_OWN = np.array([rule.code in OWN_CODES for rule in EVIDENCE_RULES])
_CODE = np.array([rule.code for rule in EVIDENCE_RULES])


def passed_on(failed: Mask, is_leaf: Mask, rules: np.ndarray, messages: pa.StringArray, tree: Tree) -> Mask:
    """Which failed spans only passed a failure on: from below, or from a sibling with the same message.

    ``is_leaf`` are the calls (model, tool, retrieve); ``rules`` has a rule's number for each span, -1 for none;
    ``messages`` has an entry for each failed span.
    """
    passed = np.zeros(len(failed), bool)
    if failed.sum() < 2:
        return passed
    keeps = np.zeros(len(failed), bool)
    keeps[failed] = _OWN[rules[failed]]
    below = np.flatnonzero(failed)
    above = tree.parents[below]
    for _ in range(MAX_DEPTH):
        inside = above >= 0
        below, above = below[inside], above[inside]
        if not len(above):
            break
        own = keeps[above] & (_CODE[rules[above]] != _CODE[rules[below]])
        passed[above[~own]] = True
        above = tree.parents[above]
    containers = failed & ~passed & ~is_leaf & ~keeps
    if containers.any():
        passed |= containers & _repeats(containers, failed & is_leaf & ~passed, failed, messages, tree)
    return passed & failed


def _repeats(containers: Mask, leaves: Mask, failed: Mask, messages: pa.StringArray, tree: Tree) -> Mask:
    """Containers that repeat the message of a leaf of their trace: not every library nests its spans."""
    repeats = np.zeros(len(containers), bool)
    if not leaves.any():
        return repeats
    traces = pa.array(tree.traces[failed]).cast(pa.string())
    keys = pc.binary_join_element_wise(traces, messages, "\n").dictionary_encode().indices
    key_of = np.full(len(containers), -1, np.int64)
    key_of[failed] = keys.fill_null(-1).to_numpy()
    told = key_of[leaves]
    repeats[containers] = np.isin(key_of[containers], told[told >= 0])
    return repeats
