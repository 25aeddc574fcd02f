"""How often a step was tried since it last went well, and whether a later try of a failed one did.

Tries of one step have the same name, tool and kind; counted together are those of one parent.
"""

from __future__ import annotations

import numpy as np

from agenttracer.collector.folding.columns import Mask, Numbers, combined


def attempts(
    runs: Numbers, same: tuple[Numbers, ...], parents: Numbers, failed: Mask, starts: Numbers
) -> tuple[Numbers, Mask]:
    """The number of each try, from 1, and whether it failed and a try that began later did not.

    The steps are run by run, by order of start; ``same`` is what tries have in common, as numbers.
    """
    counted = np.ones(len(failed), np.int64)
    recovered = np.zeros(len(failed), bool)
    if not failed.any():
        return counted, recovered
    in_trouble = np.zeros(int(runs.max()) + 1, bool)
    in_trouble[runs[failed]] = True
    at = np.flatnonzero(in_trouble[runs])
    failed, starts = failed[at], starts[at]
    step = combined(runs[at], *(column[at] for column in same))
    counted[at] = _since_success(combined(step, parents[at]), failed)
    latest = np.zeros(int(step.max()) + 1, np.int64)
    latest[step[~failed]] = starts[~failed]  # of several the last stays
    recovered[at] = failed & (latest[step] > starts)
    return counted, recovered


def _since_success(step: Numbers, failed: Mask) -> Numbers:
    order = np.argsort(step, kind="stable")
    place = np.arange(len(order))
    begins = np.searchsorted(step[order], step[order])
    behind_success = np.maximum.accumulate(np.where(failed[order], 0, place + 1))
    behind_success = np.concatenate([[0], behind_success[:-1]])  # the last before each
    counted = np.empty(len(order), np.int64)
    counted[order] = 1 + place - np.maximum(behind_success, begins)
    return counted
