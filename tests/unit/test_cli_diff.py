"""``agenttracer diff`` on a store with three versions of an agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.cli.diff import show_sequence
from agenttracer.collector.cli.main import main
from tests.batches import make_batch
from tests.clickhouse_store import exporting

Capture = pytest.CaptureFixture[str]
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def run(
    version: str, number: int, ms: int, status: str, *tools: str, cost: str = "0.001"
) -> Iterator[dict[str, Any]]:
    """A run's root, one model call and its tools, a millisecond after the other."""
    name = f"{version}-{number}"
    common = {
        "RunId": name, "TraceId": f"{number:032x}", "AgentName": "support", "AgentVersion": version,
        "Timestamp": T0 + number * 1000 * MS,
    }  # fmt: skip
    yield {**common, "SpanId": f"{version}{number:x}0", "ParentSpanId": "", "StepType": "agent", "Duration": ms * MS,
           "RunStatus": status}  # fmt: skip
    child = {**common, "ParentSpanId": f"{version}{number:x}0", "Duration": MS}
    yield {**child, "SpanId": f"{version}{number:x}1", "StepType": "model", "InputTokens": 100 + number,
           "OutputTokens": 10, "CostUsd": Decimal(cost)}  # fmt: skip
    for place, tool in enumerate(tools):
        yield {**child, "SpanId": f"{version}{number:x}-{place}", "StepType": "tool", "ToolName": tool,
               "Timestamp": common["Timestamp"] + (place + 1) * MS}  # fmt: skip


def rows() -> Iterator[dict[str, Any]]:
    """Version 1.1 is slower and searches twice; it fails as seldom as 1.0. Of 0.9 there are five runs."""
    for number in range(120):
        status = "failure" if number % 20 == 0 else "success"
        yield from run("1.0", number, 100 + number % 7, status, "search", "book")
        yield from run("1.1", number, 200 + number % 7, status, "search", "search", "book")
    for number in range(5):
        yield from run("0.9", number, 5000, "failure", cost="9")
    yield from run("1.1", 999, 9_000_000, "cancelled")


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with those runs, which the environment names."""
    folder = tmp_path_factory.mktemp("data")
    with exporting(f"chdb://{folder}/clickhouse", ttl=0) as store:
        store.export(make_batch("traces", list(rows()), resources=[{"TenantId": "acme"}]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTTRACER_DATA_DIR", str(folder))
        patch.delenv("AGENTTRACER_CLICKHOUSE_ENDPOINT", raising=False)
        yield folder


def asked(capsys: Capture, *arguments: str) -> Any:
    """The JSON that the command prints."""
    assert 0 == main(["diff", "--agent", "support", "--json", *arguments])
    return json.loads(capsys.readouterr().out)


def by_name(measures: list[dict[str, Any]]) -> dict[str, tuple[Any, Any, str]]:
    return {each["name"]: (each["before"], each["after"], each["verdict"]) for each in measures}


def test_what_differs_and_what_may_be_chance(capsys: Capture) -> None:
    """Latency doubled; failures, cost and tokens did not move."""
    answer = asked(capsys, "--version", "1.0", "1.1")
    found = by_name(answer["measures"])

    assert [("1.0", 120, 6), ("1.1", 120, 6)] == [
        (each["version"], each["runs"], each["failures"]) for each in answer["versions"]
    ]
    assert (0.05, 0.05, "may be chance") == found["failure rate"]
    assert (103.0, 203.0, "differs") == found["latency p50"]
    assert "differs" == found["latency p95"][2]
    assert (0.001, 0.001, "may be chance") == found["cost per run"]
    assert (169.5, 169.5, "may be chance") == found["tokens per run"]
    assert 0 < answer["visible_failure_rate_change"] < 0.1


def test_tools_and_their_order(capsys: Capture) -> None:
    """Calls of each tool a run, and the share of runs with each sequence."""
    answer = asked(capsys, "--version", "1.0", "1.1")

    assert {"book": (1.0, 1.0, ""), "search": (1.0, 2.0, "")} == by_name(answer["tools"])
    assert {"search → book": (1.0, 0.0, "differs"), "search ×2 → book": (0.0, 1.0, "differs")} == by_name(
        answer["sequences"]
    )


def test_a_small_sample_says_so(capsys: Capture) -> None:
    """Five runs are no evidence, however large the difference."""
    answer = asked(capsys, "--version", "0.9", "1.1")

    too_few = "too few runs to tell (5 of 20)"
    assert {too_few, "too few runs to tell (5 of 100)"} == {each["verdict"] for each in answer["measures"]}
    assert [None] * 5 == [each["p"] for each in answer["measures"]]
    assert {too_few} == {each["verdict"] for each in answer["sequences"]}


def test_a_version_is_no_different_from_itself(capsys: Capture) -> None:
    """The same runs twice: no figure differs."""
    answer = asked(capsys, "--version", "1.1", "1.1")

    verdicts = {each["verdict"] for name in ("measures", "sequences") for each in answer[name]}
    assert {"may be chance"} == verdicts


def test_a_table(capsys: Capture) -> None:
    """Figures side by side, what changed, and what so many runs can show."""
    assert 0 == main(["diff", "--agent", "support", "--version", "1.0", "1.1"])

    out = capsys.readouterr().out
    (latency,) = (line.split() for line in out.splitlines() if "latency p50" in line)
    assert ["latency", "p50", "103", "ms", "203", "ms", "+97%", "differs"] == latency[:8]
    assert "So many runs show a change of the failure rate from" in out


def test_the_newest_runs_are_taken(capsys: Capture) -> None:
    """A limit counts runs of each version; a duration leaves out what was seen before."""
    answer = asked(capsys, "--version", "1.0", "1.1", "--limit", "30")

    assert [30, 30] == [each["runs"] for each in answer["versions"]]
    assert 1 == main(["diff", "--agent", "support", "--version", "1.0", "1.1", "--since", "1s"])


def test_a_version_that_is_not_there(capsys: Capture) -> None:
    """The message names the versions that are."""
    assert 1 == main(["diff", "--agent", "support", "--version", "1.0", "2.0"])
    assert "no ended runs of version 2.0 of that agent; there are 1.1 (121 runs), 1.0 (120 runs)" in (
        capsys.readouterr().err
    )
    assert 1 == main(["diff", "--agent", "nobody", "--version", "1.0", "2.0"])
    assert "and none of any other" in capsys.readouterr().err


def test_a_long_sequence_is_cut() -> None:
    """Repeated calls are counted; a long sequence shows its beginning."""
    assert "a → b ×2 → a" == show_sequence(["a", "b", "b", "a"])
    assert "no tools" == show_sequence([])
    assert show_sequence(["a", "b"] * 30).endswith("b → …")
