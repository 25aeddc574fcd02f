"""The benchmarks: that they run, not what they measure."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.spans import ONCE_A_SPAN, make_requests

_ROOT = Path(__file__).parents[2]


def quick_run(part: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """What a quick run of a part prints, and the figures that it writes."""
    figures = folder / "figures.json"
    run = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick", "--only", part, "--json", figures],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (run.returncode, run.stderr)
    return run.stdout, json.loads(figures.read_text())[part]


def test_stages_are_printed_and_written(tmp_path: Path) -> None:
    """A quick run of the stages prints a line a stage, and writes the same as JSON."""
    printed, written = quick_run("stages", tmp_path)

    first_words = [line.split()[0] for line in printed.splitlines() if line.strip()]
    stages = ["decode", "normalize", "classify", "redact", "pack", "unpack", "flatten", "sum"]
    assert stages == [word for word in first_words if word in stages]
    assert ["1x10", "16x10", "1x1000", "8x1000"] == list(written)


def test_the_sdks_costs_are_printed_and_written(tmp_path: Path) -> None:
    """A step and the import, beside OpenTelemetry's own."""
    _, written = quick_run("sdk", tmp_path)

    assert ["µs a step", "ms to import"] == list(written)
    assert all({"plain", "agenttracer", "times"} == set(one) for one in written.values())


def test_a_store_is_filled_and_asked(tmp_path: Path) -> None:
    """A quick run asks questions of a small store, and each has an answer."""
    _, written = quick_run("queries", tmp_path)

    assert 90_000 < written["stored_spans"] < 110_000
    assert {"one run's steps", "a day's failures by code", "a day's slowest tools", "runs list"} < set(
        written
    )


def test_no_two_requests_are_alike() -> None:
    """Other bytes, trace ids and span ids in each; the parents of a trace are in it."""
    requests = make_requests(4, 20)
    messages = [ExportTraceServiceRequest.FromString(request) for request in requests]
    spans = [list(message.resource_spans[0].scope_spans[0].spans) for message in messages]

    assert [20] * 4 == [request.count(ONCE_A_SPAN) for request in requests]
    assert 4 == len(set(requests))
    assert 4 * 2 == len({span.trace_id for sent in spans for span in sent})
    assert 4 * 20 == len({span.span_id for sent in spans for span in sent})
    for sent in spans:
        ids = {span.span_id for span in sent}
        assert {span.parent_span_id for span in sent} <= ids | {b""}
