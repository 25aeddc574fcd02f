"""Whose failure it is: the deepest step's that failed; who only passed it on has none.

agent  failed ─┐ passed on           agent   max_steps      its own: stays
tool   failed ─┘ the failure         └ tool  timeout        another failure: stays
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.columns import Mask, Numbers, Texts, texts
from agenttracer.collector.folding.order import Rows
from agenttracer.collector.folding.tree import Tree, nearest
from agenttracer.schemas.failures import OWN_CODES, SOFT_CODES

_ERROR = 1
_OWN = range(2, 2 + len(OWN_CODES))
_WORDS = ("error", *sorted(OWN_CODES), *sorted(SOFT_CODES))


@dataclass(frozen=True, slots=True)
class Failures:
    """What failed."""

    texts: Texts  # FailureCode, in the order of the table
    codes: Numbers  # of each row, 0 if it has none
    rows: Numbers  # for each call the row that says why it failed, -1 if it did not, or only passed one on
    has_failed: Mask  # whether a call failed, or passed a failure on


def failures_of(spans: pa.Table, rows: Rows, tree: Tree, told: Numbers, calls: Numbers) -> Failures:
    """The failures of calls; ``told`` are the calls before those with one answer became one."""
    words = texts(spans.column("FailureCode"), *_WORDS)
    codes = words.codes[rows.order]
    status = texts(spans.column("StatusCode"), "Error").codes[rows.order]
    has_failed = np.zeros(len(rows), bool)
    has_failed[calls[(codes != 0) | (status == 1)]] = True
    reasons = np.full(len(rows), -1)
    failed = np.flatnonzero(codes)
    if len(failed):
        failed = failed[~_passed_on(failed, codes, rows, tree, told, calls)]
        # What is more specific than 'error' explains more; then what is deeper: it starts later, ends earlier.
        rank = 2 * (codes[failed] != _ERROR) + ~rows.is_log[failed]
        failed = failed[np.argsort(rank, kind="stable")]
        reasons[calls[failed]] = failed  # of several the last stays
    return Failures(words, codes, reasons, has_failed)


def _passed_on(
    failed: Numbers, codes: Numbers, rows: Rows, tree: Tree, told: Numbers, calls: Numbers
) -> Mask:
    """Which of the rows that failed are of a call that got its failure from inside."""
    has_failed = np.zeros(len(rows), bool)
    has_failed[tree.spans[failed]] = True
    above = nearest(tree.parents, has_failed)[tree.spans[failed]]
    # What a log says is its span's own failure; only a span's word says where else it went.
    inside = (above >= 0) & ~rows.is_log[failed] & (told[above] != calls[failed])
    got, code = told[above[inside]], codes[failed[inside]]
    has_got = np.zeros(len(rows), bool)
    has_got[got] = True
    width = int(codes.max()) + 1
    same = np.isin(calls[failed] * width + codes[failed], got * width + code)
    # These mean something of their own, also around a step that failed otherwise.
    is_own = np.isin(codes[failed], _OWN)
    return has_got[calls[failed]] & (same | ~is_own)
