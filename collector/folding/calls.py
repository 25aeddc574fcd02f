"""Which rows are one call: those that say a model, tool or retrieve call once more, and the logs about them.

agent ─┬─ chat (framework) ── other ── chat (client)      one model call
       └─ tool (client) ───── tool (server)               one tool call
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import (
    Mask,
    Numbers,
    Texts,
    array,
    combined,
    firsts,
    texts,
)
from agenttracer.collector.folding.order import Rows
from agenttracer.collector.folding.tree import Tree, nearest

TYPES = ("other", "plan", "model", "respond", "tool", "retrieve", "memory", "agent")
"""Step types by code, from 1 on."""

NOTHING, MODEL, TOOL, RETRIEVE, AROUND = range(5)
_KINDS = np.array([NOTHING, NOTHING, NOTHING, MODEL, MODEL, TOOL, RETRIEVE, AROUND])


@dataclass(frozen=True, slots=True)
class Kinds:
    """What each row is."""

    types: Texts  # in the order of the table
    codes: Numbers  # 0 in a row that is no step: a log, a span between steps
    acts: Numbers  # what it does: nothing, one of the three calls, or something around them

    @property
    def is_call(self) -> Mask:
        """Model, tool and retrieve."""
        return (self.acts != NOTHING) & (self.acts != AROUND)


def kinds_of(spans: pa.Table, rows: Rows) -> Kinds:
    """The step types."""
    types = texts(spans.column("StepType"), *TYPES)
    codes = np.where(rows.is_log, 0, types.codes[rows.order])
    return Kinds(types, codes, _KINDS[np.minimum(codes, len(_KINDS) - 1)])


def told_calls(kinds: Kinds, tree: Tree) -> Numbers:
    """The call that each row tells of, as its outermost span: its own, unless the nearest ancestor that does
    anything does the same; a log's is its span's."""
    above = nearest(tree.parents, kinds.acts != NOTHING)
    repeats = kinds.is_call & (above >= 0) & (kinds.acts[above] == kinds.acts)
    calls = np.arange(len(above))
    if repeats.any():
        tops = nearest(np.where(repeats, above, -1), ~repeats)
        calls[repeats] = tops[repeats]
    return calls[tree.spans]


def same_answers(spans: pa.Table, rows: Rows, kinds: Kinds, calls: Numbers) -> Numbers:
    """The calls, those that have an answer's id from an earlier one of their run as that one.

    Not from one to the next: a call that is another's does not bring along those that share an id with it alone.
    """
    ids = spans.column("ResponseId")
    has_id = array(pc.greater(pc.binary_length(ids), 0)).to_numpy(zero_copy_only=False)[rows.order]
    told = np.flatnonzero(has_id & (rows.is_log | (kinds.acts == MODEL)))
    if len(told) < 2:
        return calls
    answers = texts(ids.take(pa.array(rows.order[told]))).codes
    answers = combined(rows.runs[told], answers)
    earliest = calls[firsts(answers, told, len(told))[answers]]
    again = earliest != calls[told]
    if not again.any():
        return calls
    return _moved(calls, told[again], earliest[again])


def _moved(calls: Numbers, rows: Numbers, to: Numbers) -> Numbers:
    moved = firsts(calls[rows], to, len(calls))
    return np.where(moved[calls] >= 0, moved[calls], calls)
