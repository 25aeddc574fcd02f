"""The steps: of the rows of one call the outermost stands for it; those inside and logs say what it lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agenttracer.collector.folding.calls import Kinds
from agenttracer.collector.folding.columns import Mask, Numbers, firsts
from agenttracer.collector.folding.order import Rows
from agenttracer.collector.folding.tree import Tree


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps run by run, by order of start."""

    rows: Numbers  # each step's outermost row
    calls: Numbers  # each step's call
    places: Numbers  # in its run, from 1
    _several: Numbers  # the rows of steps that have more than one, the outermost last
    _of: Numbers  # and the step of each of them

    def first(self, says: Mask) -> Numbers:
        """For each step the outermost of its rows that say something; the outermost of all where none does."""
        found = self.rows.copy()
        if len(self._several):
            which = says[self._several]
            found[self._of[which]] = self._several[which]  # of several the last stays
        return found


def steps_of(rows: Rows, tree: Tree, kinds: Kinds, told: Numbers, calls: Numbers) -> Steps:
    """The calls of which a row has a step type; ``told`` are they before those with one answer became one."""
    typed = np.flatnonzero(kinds.codes)
    begins = firsts(calls[typed], typed, len(rows))
    # Of logs those of the step's own span come first, those of spans that never came last.
    is_inner = (tree.spans != told) | rows.is_log[tree.spans]
    inwards = np.argsort(2 * rows.is_log.astype(np.uint8) + is_inner, kind="stable")
    inwards = inwards[begins[calls[inwards]] >= 0]
    outermost = firsts(calls[inwards], inwards, len(rows))
    steps = np.sort(outermost[outermost >= 0])
    of = np.full(len(rows), -1)
    of[calls[steps]] = np.arange(len(steps))
    several = inwards[np.bincount(calls[inwards], minlength=1)[calls[inwards]] > 1][::-1]
    places = _places(rows, begins[calls[steps]])
    return Steps(steps, calls[steps], places, several, of[calls[several]])


def _places(rows: Rows, begins: Numbers) -> Numbers:
    is_first = np.zeros(len(rows) + 1, np.int64)
    is_first[begins + 1] = 1
    before = np.cumsum(is_first)  # how many steps began before each row
    return 1 + before[begins] - before[np.searchsorted(rows.runs, rows.runs[begins])]
