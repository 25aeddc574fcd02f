"""The LangGraph example on the real framework."""

import subprocess
from pathlib import Path

from tests.frameworks.environments import framework_python
from tests.sdk_fakes import grpc_collector

EXAMPLE = Path(__file__).parents[2] / "examples" / "langgraph_agent.py"


def test_nodes_are_steps_of_the_run_and_a_failing_one_fails_it() -> None:
    """Three questions: without a tool, with one, and with one that times out; no content leaves."""
    with grpc_collector() as collector:
        done = subprocess.run(
            [framework_python("current"), EXAMPLE, "--endpoint", f"http://127.0.0.1:{collector.port}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert 0 == done.returncode, done.stderr
    assert ["success", "success", "failure"] == [line.split()[1] for line in done.stdout.splitlines()]
    steps: dict[str, list[str]] = {}
    for span in collector.spans:
        attributes = {pair.key: pair.value.string_value for pair in span.attributes}
        if "agent.step.type" in attributes:
            steps.setdefault(attributes["agent.run.id"], []).append(attributes["agent.step.type"])
    assert [
        ["plan", "retrieve", "respond"],
        ["plan", "retrieve", "tool", "respond"],
        ["plan", "retrieve", "tool"],
    ] == [steps[line.split()[0]] for line in done.stdout.splitlines()]
    assert not [message for message in collector.traces if b"parcel" in message.SerializeToString()]
