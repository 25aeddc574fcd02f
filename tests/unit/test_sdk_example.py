"""The example agent runs, tells the same stories for the same seed, and sends no content."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdk_fakes import grpc_collector

EXAMPLE = Path(__file__).parents[2] / "examples" / "customer_support_agent.py"


def _run(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), "--endpoint", f"http://127.0.0.1:{port}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_example_shows_every_kind_of_run() -> None:
    """Twenty runs, one line each: id, outcome, story; all of them arrive with the outcome that was printed."""
    with grpc_collector() as collector:
        first, second = (_run(collector.port, "--runs", "20", "--seed", "7") for _ in range(2))

    assert (0, "") == (first.returncode, first.stderr)
    lines = [line.split(maxsplit=2) for line in first.stdout.splitlines()]
    assert [line.split(maxsplit=1)[1] for line in first.stdout.splitlines()] == [
        line.split(maxsplit=1)[1] for line in second.stdout.splitlines()
    ]
    assert {"success", "failure", "partial", "cancelled"} == {status for _, status, _ in lines}
    roots = {}
    for span in collector.spans:
        attributes = {pair.key: pair.value.string_value for pair in span.attributes}
        if not span.parent_span_id:
            roots[attributes["agent.run.id"]] = attributes["agent.run.status"]
    assert {run_id: status for run_id, status, _ in lines}.items() <= roots.items()
    events = [record.event_name for record in collector.records]
    assert (40, 40) == (events.count("agent.run.queued"), events.count("agent.run.started"))


def test_the_example_says_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a collector it still runs to its end, and says so."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")

    done = _run(1, "--runs", "1")

    assert 1 == done.returncode
    assert "is a collector listening there?" in done.stderr
