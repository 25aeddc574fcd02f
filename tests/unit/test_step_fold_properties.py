"""What is true of the fold of any spans: random trees, failures, answers, logs, repetitions and wrong clocks."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.sums import sums
from tests.accuracy import folding
from tests.step_rows import log, span, table

Row = dict[str, Any]

KINDS = ("model", "respond", "tool", "retrieve", "agent", "memory", "other", "plan", "")
CALLS = ("model", "tool", "retrieve")
IDS = "abcdefgh"
_text = st.sampled_from(["", "x", "y"])
_number = st.none() | st.integers(0, 3)
_facts = st.fixed_dictionaries(
    {},
    optional={
        "FailureCode": st.sampled_from(["", "error", "timeout", "max_steps", "truncated"]),
        "StatusCode": st.sampled_from(["Ok", "Error"]),
        "Model": _text,
        "StepName": _text,
        "FinishReason": st.sampled_from(["", "stop"]),
        "InputTokens": _number,
        "Attempt": _number,
        "StepSequence": _number,
        "CostUsd": st.none() | st.just(Decimal("0.1")),
    },
)


@st.composite
def _spans(draw: st.DrawFn, answers: bool = True) -> Row:
    """Any parent, also its own or one that is not there; any time."""
    row = span(
        draw(st.sampled_from(IDS)),
        draw(st.sampled_from(["", *IDS])),
        draw(st.sampled_from(KINDS)),
        draw(st.integers(0, 5)),
        RunId=draw(st.sampled_from(["run", "run", "another"])),
        Duration=draw(st.integers(0, 2)),
    )
    answer = draw(_text) if answers else ""
    return {**row, **draw(_facts), "ResponseId": answer}


@st.composite
def _logs(draw: st.DrawFn) -> Row:
    at = draw(st.integers(0, 5))
    return log(
        draw(st.sampled_from(IDS)), at, Model=draw(_text), ResponseId=draw(_text), FailureCode=draw(_text)
    )


_rows = st.lists(_spans() | _logs(), min_size=1, max_size=14)
_repeated = st.lists(_spans(answers=False), min_size=1, max_size=14)
_trees = st.lists(_spans(answers=False), min_size=1, max_size=14, unique_by=lambda row: row["SpanId"])


def _folded(rows: list[Row]) -> list[Row]:
    return fold(table(rows)).to_pylist()  # type: ignore[no-any-return]


@settings(deadline=None, max_examples=60)
@given(_rows)
def test_a_step_is_a_span_with_a_place_and_a_try(rows: list[Row]) -> None:
    """One for each id at most, numbered without a gap where the agent says nothing."""
    steps = [(row, step) for row, step in zip(rows, _folded(rows), strict=True) if step["IsStep"]]

    assert not any(row["IsLog"] for row, _ in steps)
    assert [1] * len(steps) == list(Counter((row["RunId"], row["SpanId"]) for row, _ in steps).values())
    assert all(step["StepType"] or step["Model"] is not None for _, step in steps)
    if not any(row.get("StepSequence") is not None for row in rows):
        places = Counter((row["RunId"], step["StepSequence"]) for row, step in steps)
        runs = Counter(row["RunId"] for row, _ in steps)
        assert {(run, place) for run, count in runs.items() for place in range(1, count + 1)} == set(places)


@settings(deadline=None, max_examples=60)
@given(_rows)
def test_a_failure_is_told_whole(rows: list[Row]) -> None:
    """A code has a type, and its step failed; one that recovered has a code."""
    for step in _folded(rows):
        assert bool(step["FailureCode"]) == bool(step["FailureType"])
        assert step["HasFailed"] or not step["FailureCode"]
        assert step["FailureCode"] or not step["Recovered"]


@settings(deadline=None, max_examples=60)
@given(_repeated)
def test_a_failure_is_never_lost(rows: list[Row]) -> None:
    """However it is passed on, a step of its run has it; spans that are no steps have none."""
    rows = [{**row, "FailureCode": row.get("FailureCode") if row["StepType"] else ""} for row in rows]
    failed = {row["RunId"] for row, step in zip(rows, _folded(rows), strict=True) if step["FailureCode"]}

    assert failed == {row["RunId"] for row in rows if row["FailureCode"]}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_order_of_rows_changes_nothing(data: st.DataObject) -> None:
    """Neither of steps nor of sums."""
    rows = data.draw(_rows)
    order = data.draw(st.permutations(range(len(rows))))
    spans = table(rows)
    shuffled = spans.take(pa.array(order))

    assert _counted(rows, fold(spans)) == _counted([rows[at] for at in order], fold(shuffled))
    assert _sums(spans) == _sums(shuffled)


def _counted(rows: list[Row], folded: pa.Table) -> Counter[str]:
    return Counter(repr((row["SpanId"], step)) for row, step in zip(rows, folded.to_pylist(), strict=True))


def _sums(spans: pa.Table) -> Counter[str]:
    return Counter(map(repr, sums(spans, fold(spans)).to_pylist()))


@settings(deadline=None, max_examples=60)
@given(_rows)
def test_a_run_is_folded_as_if_it_were_alone(rows: list[Row]) -> None:
    """What else is in the table makes no difference."""
    together = fold(table(rows))
    for run in {row["RunId"] for row in rows}:
        at = [number for number, row in enumerate(rows) if row["RunId"] == run]
        alone = [rows[number] for number in at]
        assert _counted(alone, fold(table(alone))) == _counted(alone, together.take(pa.array(at)))


@settings(deadline=None, max_examples=60)
@given(_rows)
def test_sums_are_the_steps(rows: list[Row]) -> None:
    """As many rows, steps and failures as the fold has."""
    spans = table(rows)
    folded = fold(spans)
    found = sums(spans, folded)
    steps = [step for step in folded.to_pylist() if step["IsStep"]]

    assert len(rows) == sum(found.column("Spans").to_pylist())
    assert len(steps) == sum(found.column("Steps").to_pylist())
    assert sum(bool(step["FailureCode"]) for step in steps) == sum(found.column("Failures").to_pylist())


@settings(deadline=None, max_examples=60)
@given(_trees)
def test_calls_are_the_references(rows: list[Row]) -> None:
    """As many model, tool and retrieve steps as the reference counts, which knows no runs and no cycles."""
    rows = [{**row, "RunId": "run", "ParentSpanId": _earlier(row)} for row in rows]
    expected = Counter(call.kind for call in folding.fold(rows))
    actual = Counter(folding.kind(step) for step in _folded(rows) if step["IsStep"])

    assert expected == {kind: actual[kind] for kind in CALLS if actual[kind]}


def _earlier(row: Row) -> str:
    return row["ParentSpanId"] if row["ParentSpanId"] < row["SpanId"] else ""
