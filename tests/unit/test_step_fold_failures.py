"""Whose a failure is, and how often a step was tried: one behaviour a test, on runs made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.step_rows import span, steps


def test_a_failure_is_the_deepest_steps() -> None:
    """Who only passed a failure on has failed and has no failure."""
    found = steps(
        span("run", FailureCode="error"),
        span("node", "run", "other", 1, FailureCode="error"),
        span("tool", "node", "tool", 2, FailureCode="timeout", FailureRule="rule"),
    )

    assert [True, True, True] == [step["HasFailed"] for step in found.values()]
    assert ["", "", "timeout"] == [step["FailureCode"] for step in found.values()]
    assert ("tool", "rule") == (found["tool"]["FailureType"], found["tool"]["FailureRule"])


@pytest.mark.parametrize("code", ["max_steps", "guardrail_blocked", "budget_exceeded", "handoff_failed"])
def test_some_failures_around_another_are_their_own(code: str) -> None:
    """They stay beside another failure inside, and are passed on where the same is inside."""
    other = steps(span("run", FailureCode=code), span("tool", "run", "tool", 1, FailureCode="timeout"))
    same = steps(span("run", FailureCode=code), span("agent", "run", at=1, FailureCode=code))

    assert [code, "timeout"] == [step["FailureCode"] for step in other.values()]
    assert ["", code] == [step["FailureCode"] for step in same.values()]


def test_two_spans_of_a_call_that_failed_pass_nothing_on() -> None:
    """The failure of a call said twice is the call's: the code that says more, of the span that has it."""
    found = steps(
        span("outer", "", "tool", FailureCode="error", FailureType="tool"),
        span("inner", "outer", "tool", 1, FailureCode="timeout", FailureRule="rule"),
    )

    assert ("timeout", "tool", "rule") == tuple(
        found["outer"][name] for name in ("FailureCode", "FailureType", "FailureRule")
    )


def test_an_error_without_a_code_has_failed() -> None:
    """The status alone makes a step fail, without a failure of its own."""
    found = steps(span("a", StatusCode="Error"))["a"]

    assert (True, "", "") == (found["HasFailed"], found["FailureCode"], found["FailureType"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("model", "model"),
        ("respond", "model"),
        ("tool", "tool"),
        ("retrieve", "retrieval"),
        ("memory", "retrieval"),
        ("agent", "orchestration"),
        ("other", "orchestration"),
        ("plan", "orchestration"),
    ],
)
def test_a_failures_type_is_its_steps(kind: str, expected: str) -> None:
    """Where nobody says it."""
    assert expected == steps(span("a", "", kind, FailureCode="error"))["a"]["FailureType"]


def test_tries_are_counted_from_the_last_success() -> None:
    """Of one name under one parent, in order of start."""
    rows = [
        span(name, "run", "tool", at, ToolName="x", StatusCode=status)
        for at, (name, status) in enumerate(
            [("a", "Error"), ("b", "Error"), ("c", "Ok"), ("d", "Error"), ("e", "Ok")], 1
        )
    ]
    rows += [
        span("another tool", "run", "tool", 9, ToolName="y"),
        span("elsewhere", "a", "agent", 9, ToolName="x"),
    ]
    found = steps(span("run"), *reversed(rows))

    assert [1, 2, 3, 1, 2] == [found[name]["Attempt"] for name in "abcde"]
    assert [1, 1] == [found["another tool"]["Attempt"], found["elsewhere"]["Attempt"]]


def test_a_failure_has_recovered_if_a_later_try_went_well() -> None:
    """Anywhere in its run; an earlier success, another name or another failure is none."""

    def tool(name: str, at: int, of: str, parent: str = "", code: str = "") -> dict[str, Any]:
        return span(name, parent, "tool", at, ToolName=of, FailureCode=code)

    found = steps(
        tool("failed", 1, "x", code="error"),
        span("agent", at=2),
        tool("repaired", 3, "x", parent="agent"),
        tool("again", 4, "x", code="error"),
        tool("other", 5, "y"),
    )

    assert {"failed"} == {name for name, step in found.items() if step["Recovered"]}


def test_a_success_of_another_run_repairs_nothing() -> None:
    """Also if it has the same name, of another tenant."""
    found = steps(span("a", "", "tool", 1, FailureCode="error"), span("b", "", "tool", 2, TenantId="another"))

    assert not found["a"]["Recovered"]
