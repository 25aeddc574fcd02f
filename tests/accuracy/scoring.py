"""Compares what the processors made of a capture with what truly happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agenttracer.schemas.batch import Signal
from tests.accuracy.corpus import Capture
from tests.accuracy.folding import Call, Row, fold
from tests.accuracy.known_gaps import SENT_FIELDS, not_sent

MEASURES = (
    *("model calls", "tool calls", "retrievals", "failures"),
    *("model", "provider", "tokens", "finish", "tool"),
)
"""What is scored: four totals of a capture, then facts of each call."""

_TOTALS = {"model calls": "model", "tool calls": "tool", "retrievals": "retrieve"}


@dataclass(frozen=True, slots=True)
class Miss:
    """A capture's measure that differs from the truth; ``reason`` says why where the telemetry lacks it."""

    capture: str
    measure: str
    expected: str
    actual: str
    reason: str


@dataclass(slots=True)
class Score:
    """Right and looked-at by measure; ``looked_at`` leaves out what the telemetry doesn't send."""

    right: Counter[str] = field(default_factory=Counter)
    looked_at: Counter[str] = field(default_factory=Counter)
    misses: list[Miss] = field(default_factory=list)

    def add(self, capture: str, measure: str, expected: Any, actual: Any, reason: str = "") -> None:
        same = expected == actual
        if not same:
            self.misses.append(Miss(capture, measure, str(expected), str(actual), reason))
        if same or not reason:
            self.looked_at[measure] += 1
            self.right[measure] += same


def score(capture: Capture) -> Score:
    """Everything that can be checked of one capture."""
    made = Score()
    score_rows(made, capture, capture.rows(), capture.rows(Signal.LOGS))
    return made


def score_rows(made: Score, capture: Capture, rows: Sequence[Row], logs: Sequence[Row]) -> None:
    """Everything that can be checked of a capture's rows, completed by those of its log records."""
    whole = complete(rows, logs)
    calls = fold(whole)
    for measure, kind in _TOTALS.items():
        expected = capture.counts[kind]
        if expected is not None:
            actual = sum(call.kind == kind for call in calls)
            made.add(capture.name, measure, expected, actual, not_sent(capture, kind))
    if capture.failures is not None:
        reason = not_sent(capture, "failures")
        made.add(capture.name, "failures", sorted(capture.failures), sorted(failures(whole)), reason)
    _score_calls(made, capture, calls)


def complete(rows: Sequence[Row], logs: Sequence[Row]) -> list[Row]:
    """Spans with what their log records add to them."""
    of_span: dict[tuple[str, str], dict[str, Any]] = {}
    for record in logs:
        key = (record.get("TraceId", ""), record.get("SpanId", ""))
        of_span.setdefault(key, {}).update(_held(record))
    return [{**of_span.get((row["TraceId"], row["SpanId"]), {}), **_held(row)} for row in rows]


def failures(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """The failures of these rows as (type, code)."""
    return {(row["FailureType"], row["FailureCode"]) for row in rows if row.get("FailureCode")}


def _held(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "")}


def _score_calls(made: Score, capture: Capture, calls: Sequence[Call]) -> None:
    for call in calls:
        for measure, column, expected in SENT_FIELDS[call.kind]:
            if call.value("FailureCode") and measure != "tool":
                continue
            actual = call.value(column)
            reason = not_sent(capture, column)
            right = actual in expected if expected else actual is not None
            made.add(capture.name, measure, True, right or actual, reason)
