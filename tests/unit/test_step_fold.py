"""The fold of spans into steps: one behaviour a test, on runs made by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.sums import sums
from agenttracer.schemas.steps import SPANS, STEP
from tests.step_rows import START_NS, log, span, steps, table

LONG = 100_000


def test_a_client_inside_a_frameworks_call_is_the_same_call() -> None:
    """The outer span stands for both, and the inner one says what it lacks."""
    found = steps(
        span("run"),
        span("framework", "run", "model", 10, Model="gpt", InputTokens=None),
        span("client", "framework", "model", 11, Model="gpt-5", Provider="openai", InputTokens=7),
    )

    assert ["run", "framework"] == list(found)
    assert ("gpt", "openai", 7) == tuple(
        found["framework"][name] for name in ("Model", "Provider", "InputTokens")
    )


def test_spans_that_do_nothing_are_passed_through() -> None:
    """What stands between two spans of a call (other, plan, no step) does not part them."""
    found = steps(
        span("outer", "", "tool"),
        span("o", "outer", "other", 1),
        span("p", "o", "plan", 2),
        span("none", "p", "", 3),
        span("inner", "none", "tool", 4),
    )

    assert ["outer", "o", "p"] == list(found)


def test_an_agent_between_two_calls_parts_them() -> None:
    """A model call inside an agent inside a model call is another one; so is a tool inside a model call."""
    found = steps(
        span("a", "", "model"),
        span("b", "a", "agent", 1),
        span("c", "b", "model", 2),
        span("d", "c", "tool", 3),
        span("e", "d", "model", 4),
    )

    assert list("abcde") == list(found)


def test_agents_and_memory_are_never_one() -> None:
    """Only calls of models, tools and retrievals are said twice."""
    assert 3 == len(steps(span("a"), span("b", "a", at=1), span("c", "b", "memory", 2)))


def test_calls_with_one_answer_are_one_call() -> None:
    """Model spans of a run with the same ResponseId are the earlier one's, wherever they stand."""
    found = steps(
        span("run"),
        span("late", "run", "model", 20, ResponseId="r", Model="late", Provider="p"),
        span("early", "", "model", 10, TraceId="other", ResponseId="r", Model="early"),
        span("tool", "run", "tool", 30, ResponseId="r"),
    )

    assert {"run", "early", "tool"} == set(found)
    assert ("early", "p") == (found["early"]["Model"], found["early"]["Provider"])


def test_one_answer_in_two_runs_is_two() -> None:
    """A ResponseId says nothing about another run, nor about a run of that name of another tenant."""
    rows = [
        span("a", "", "model", ResponseId="r"),
        span("b", "", "model", 1, ResponseId="r", RunId="another"),
        span("c", "", "model", 2, ResponseId="r", TenantId="another"),
    ]

    assert 3 == len(steps(*rows))


def test_an_answer_that_a_log_tells_of_makes_calls_one() -> None:
    """The log's ResponseId is its span's."""
    rows = [span("a", "", "model", 1, ResponseId="r"), span("b", "", "model", 2), log("b", 3, ResponseId="r")]

    assert ["a"] == list(steps(*rows))


def test_logs_complete_their_span() -> None:
    """A log fills what all spans of the call lack, and is no step; its failure is the span's."""
    rows = [
        span("outer", "", "model", 0, Model="m"),
        span("inner", "outer", "model", 1, Provider="p"),
        log(
            "inner",
            2,
            Model="no",
            Provider="no",
            FinishReason="length",
            InputTokens=5,
            FailureCode="truncated",
        ),
    ]
    found = steps(*rows)

    assert ["outer"] == list(found)
    assert ("m", "p", "length", 5, "truncated", True, 1) == tuple(
        found["outer"][name]
        for name in (
            "Model",
            "Provider",
            "FinishReason",
            "InputTokens",
            "FailureCode",
            "HasFailed",
            "StepSequence",
        )
    )


def test_a_log_without_its_span_is_nothing() -> None:
    """It tells of a step that is not here, and takes nobody's place."""
    found = steps(log("gone", Model="m", FailureCode="error"), span("here", at=5))

    assert ["here"] == list(found)
    assert 1 == found["here"]["StepSequence"]


def test_the_agents_own_numbers_count() -> None:
    """What a span says of its place and its try is not counted anew."""
    found = steps(
        span("a", "", "tool", StepSequence=7, StatusCode="Error"),
        span("b", "", "tool", 1, Attempt=5),
        span("c", "", "tool", 2),
    )

    assert [(7, 1), (2, 5), (3, 1)] == [(step["StepSequence"], step["Attempt"]) for step in found.values()]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"FinishReason": "stop"}, "respond"),
        ({"StepType": "respond"}, "respond"),
        ({"FinishReason": "tool_calls"}, "model"),
        ({"FinishReason": "stop", "StatusCode": "Error"}, "model"),
        ({"StepType": "respond", "StatusCode": "Error"}, "respond"),
        ({"FinishReason": "stop", "ParentSpanId": ""}, "model"),
    ],
)
def test_the_answer_is_the_last_model_call_that_stopped(last: dict[str, Any], expected: str) -> None:
    """Of a run inside a root; a failed one only by the agent's own word."""
    rows = [span("run"), span("first", "run", "model", 1, FinishReason="stop"), span("t", "run", "tool", 2)]
    found = steps(*rows, {**span("last", "run", "model", 3), **last})

    assert ("model", expected) == (found["first"]["StepType"], found["last"]["StepType"])


def test_an_answer_before_the_last_call_is_none() -> None:
    """A call that says it answers does not if another began after it, or if the root is still to come."""
    later = steps(span("run"), span("a", "run", "respond", 1), span("b", "run", "tool", 2))
    rootless = steps(span("a", "run", "model", 1, FinishReason="stop"))

    assert "model" == later["a"]["StepType"] == rootless["a"]["StepType"]


def test_places_are_by_start() -> None:
    """From 1 in each run, whatever the order of the rows; of two that begin at once the longer is first."""
    found = steps(
        span("c", "b", at=5, Duration=1),
        span("x", at=1, RunId="another"),
        span("none", "", "", 0),
        span("b", "a", at=5, Duration=9),
        span("a", at=2),
    )

    assert {"a": 1, "b": 2, "c": 3, "x": 1} == {name: step["StepSequence"] for name, step in found.items()}


def test_a_child_may_start_before_its_parent() -> None:
    """Clocks differ: the outer span stands for the call, however many levels come in the wrong order."""
    rows = [span(f"{depth}", f"{depth - 1}" if depth else "", "model", 100 - depth) for depth in range(9)]

    assert ["0"] == list(steps(*rows))


def test_runs_of_one_name_of_two_tenants_are_two() -> None:
    """The same ids, too, are others."""
    rows = [
        span("a", TenantId="one"),
        span("b", "a", "tool", 1, TenantId="one", FailureCode="error"),
        span("a", at=2, TenantId="two", FailureCode="error"),
    ]
    folded = fold(table(rows)).to_pylist()

    assert [(True, ""), (True, "error"), (True, "error")] == [
        (step["IsStep"], step["FailureCode"]) for step in folded
    ]
    assert [1, 2, 1] == [step["StepSequence"] for step in folded]


def test_a_parent_of_another_trace_is_none() -> None:
    """Span ids are a trace's own."""
    assert 2 == len(steps(span("a", "", "tool"), span("b", "a", "tool", 1, TraceId="another")))


@pytest.mark.parametrize(
    "parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "c", "b": "a", "c": "b", "d": "c"}]
)
def test_cycles_end(parents: dict[str, str]) -> None:
    """A span that would be its own ancestor has no parent; one that hangs on it has."""
    found = steps(*(span(name, parent, "model", at) for at, (name, parent) in enumerate(parents.items())))

    assert parents.keys() - {"d"} == found.keys()


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("kind", ["model", "other"])
def test_chains_may_be_deep(kind: str, step: int) -> None:
    """As deep as an insert is large, also with every child before its parent."""
    rows = table([span("0", "", kind), span("1", "0", kind)])
    ids = pa.array([f"{depth}" for depth in range(LONG)])
    of = pa.array([0] + [1] * (LONG - 1))
    times = pa.array([START_NS + step * depth for depth in range(LONG)], SPANS.field("Timestamp").type)
    chain = rows.take(of).set_column(SPANS.get_field_index("SpanId"), SPANS.field("SpanId"), ids)
    above = pa.concat_arrays([pa.array([""]), ids[:-1]])
    chain = chain.set_column(SPANS.get_field_index("ParentSpanId"), SPANS.field("ParentSpanId"), above)
    chain = chain.set_column(SPANS.get_field_index("Timestamp"), SPANS.field("Timestamp"), times)

    assert {"model": 1, "other": LONG}[kind] == sum(fold(chain).column("IsStep").to_pylist())


def test_a_span_that_comes_twice_is_one_step() -> None:
    """As alike as a repeated insert has it, or told differently."""
    rows = [span("a", "", "model", 1), span("a", "", "model", 1), span("a", "", "model", 2, Model="m")]

    assert ["m"] == [step["Model"] for step in steps(*rows).values()]


def test_rows_that_are_no_step_have_defaults() -> None:
    """Nothing of the step is told twice."""
    rows = [
        span("a", "", "model", InputTokens=1),
        span("b", "a", "model", 1, InputTokens=1, FailureCode="error"),
    ]
    inner = fold(table(rows)).to_pylist()[1]

    assert {None} == {inner[name] for name in ("InputTokens", "OutputTokens", "CostUsd")}
    assert not any(
        value.value if hasattr(value, "value") else value for value in inner.values() if value is not None
    )


def test_no_rows_are_no_steps() -> None:
    """Of the right columns."""
    assert STEP.empty_table() == fold(SPANS.empty_table())


def test_strings_may_be_encoded_in_any_way() -> None:
    """Plain, in chunks with dictionaries of their own, in dictionaries that hold a string twice or for nothing."""
    first, others = (
        span("a", "", "model", Model="m"),
        [span("b", "", "tool", 1, Model="n"), span("c", "b", "tool", 2)],
    )
    rows = table([first, *others])
    plain = pa.table(
        [
            column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for column in rows.columns
        ],
        names=rows.column_names,
    )
    chunks = pa.concat_tables([table([first]), table(others)])
    twice = pa.DictionaryArray.from_arrays(
        pa.array([2, 1, 0], pa.int32()), pa.array(["", "n", "m", "m", "x"])
    )
    doubled = rows.set_column(SPANS.get_field_index("Model"), SPANS.field("Model"), twice)
    expected = fold(rows)

    for variant in (plain, chunks, doubled):
        folded = fold(variant)
        assert STEP == folded.schema
        assert expected.to_pylist() == folded.to_pylist()
        assert sums(rows, expected).to_pylist() == sums(variant, folded).to_pylist()
