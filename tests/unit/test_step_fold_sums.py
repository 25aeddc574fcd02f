"""What runs come to, on runs made by hand."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from agenttracer.collector.folding.sums import sums
from agenttracer.schemas.steps import SPANS, STEP, SUMS
from tests.step_rows import START_NS, log, span, total, totals


def test_steps_are_counted_by_kind() -> None:
    """A call that two spans tell of counts once; ``Spans`` are the rows, logs included."""
    run = total(
        span("run"),
        span("a", "run", "model", 1),
        span("b", "a", "model", 2),
        span("c", "run", "tool", 3),
        span("d", "run", "retrieve", 4, FailureCode="empty_retrieval"),
        span("e", "run", "respond", 5),
        log("e", 6),
    )

    assert {"Spans": 7, "Steps": 5, "ModelCalls": 2, "ToolCalls": 1, "Retrievals": 1, "Failures": 1} == {
        name: run[name] for name in ("Spans", "Steps", "ModelCalls", "ToolCalls", "Retrievals", "Failures")
    }


def test_an_agents_tokens_count_only_without_model_calls() -> None:
    """It repeats what its calls used; of agents alone the root's count."""
    agents = [span("run", InputTokens=10, CostUsd=Decimal(1)), span("inner", "run", at=1, InputTokens=3)]
    model = span("a", "run", "model", 2, InputTokens=4, CostUsd=Decimal("0.000000001"))

    assert (10, None) == tuple(total(*agents)[name] for name in ("InputTokens", "CostUsd"))
    assert (4, Decimal("0.000000001")) == tuple(
        total(*agents, model)[name] for name in ("InputTokens", "CostUsd")
    )


def test_sums_are_exact() -> None:
    """Tokens and costs larger than a float holds."""
    largest = Decimal("999999999.999999999")
    models = [
        span(f"{at}", "", "model", at, InputTokens=2**53 + 1, OutputTokens=at, CostUsd=largest)
        for at in range(3)
    ]
    run = total(*models)

    assert (3 * (2**53 + 1), 3, 3 * largest) == (run["InputTokens"], run["OutputTokens"], run["CostUsd"])


def test_the_first_failure_is_the_one_that_began_first() -> None:
    """Also where it comes last."""
    run = total(
        span("b", "", "tool", 5, FailureCode="timeout"), span("a", "", "model", 4, FailureCode="rate_limited")
    )

    assert ("model", "rate_limited") == (run["FailureType"], run["FailureCode"])


def test_what_may_end_a_run() -> None:
    """A failed model call or agent, when it ended; no tool, and nothing that ends no run."""
    soft = total(
        span("a", "", "model", FailureCode="truncated"), span("b", "", "tool", 1, FailureCode="error")
    )
    hard = total(
        span("run"),
        span("a", "run", "model", 5, FailureCode="error", Duration=7),
        span("b", "run", "model", 3, FailureCode="error", Duration=1),
    )

    assert (0, True) == (soft["LastFailure"].value, soft["RootFailed"])
    assert (START_NS + 12, False) == (hard["LastFailure"].value, hard["RootFailed"])


def test_the_last_success_is_a_calls() -> None:
    """An agent's or a plan's is none; an answer that was cut short is."""
    run = total(
        span("a", "", "model", 1),
        span("b", "", "model", 2, FailureCode="truncated"),
        span("c", "", "tool", 3, FailureCode="error"),
        span("d", "", "plan", 4),
        span("e", "", "agent", 5),
        span("f", "", "other", 6),
    )

    assert START_NS + 2 == run["LastSuccess"].value


def test_runs_are_summed_apart() -> None:
    """By tenant and run; a run expires with the last of its rows, also one without a step."""
    found = totals(
        span("a", "", "model", InputTokens=1, ExpiresAt=5),
        span("b", "", "model", RunId="another", InputTokens=2),
        span("a", "", "model", TenantId="another", InputTokens=4),
        span("c", "", "tool", ExpiresAt=9),
        log("none", RunId="logs"),
    )

    assert {
        ("tenant", "run"): (9, 2, 1),
        ("tenant", "another"): (4_000_000_000, 1, 2),
        ("another", "run"): (4_000_000_000, 1, 4),
        ("tenant", "logs"): (4_000_000_000, 0, 0),
    } == {name: (run["ExpiresAt"], run["Steps"], run["InputTokens"]) for name, run in found.items()}


def test_no_rows_are_no_runs() -> None:
    """Of the right columns."""
    keys = [SPANS.field(name) for name in ("TenantId", "RunId", "ExpiresAt")]

    assert pa.schema([*keys, *SUMS]).empty_table() == sums(SPANS.empty_table(), STEP.empty_table())
