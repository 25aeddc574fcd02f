"""Every framework of the table that is installed is switched on when it is imported, and off again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agenttracer.instrumentation.libraries.framework import Evidence
from agenttracer.instrumentation.libraries.table import FRAMEWORKS
from tests.frameworks.environments import framework_python

PROGRAM = Path(__file__).parents[1] / "frameworks" / "programs" / "switch_all.py"
CURRENT = {
    "langchain": ["on", "agenttracer"],
    "langgraph": ["via", None],
    "openai_agents": ["on", "agenttracer"],
    "llama_index": ["on", "agenttracer"],
    "pydantic_ai": ["on", "native"],
    "mcp": ["on", "native"],
    "strands": ["on", "native"],
    "agent_framework": ["on", "native"],
    "smolagents": ["on", "openinference-instrumentation-smolagents"],
    "haystack": ["on", "openinference-instrumentation-haystack"],
    "dspy": ["on", "openinference-instrumentation-dspy"],
    "agno": ["on", "openinference-instrumentation-agno"],
    "openai": ["on", "opentelemetry-instrumentation-genai-openai"],
    "anthropic": ["on", "native"],
    "litellm": ["missing", None],
}
OLDER = {
    "crewai": ["on", "agenttracer"],
    "mcp": ["on", "agenttracer"],
    "google_adk": ["on", "native"],
    "autogen": ["on", "openinference-instrumentation-autogen-agentchat"],
    "openai": ["on", "openinference-instrumentation-openai"],
    "litellm": ["on", "openinference-instrumentation-litellm"],
}


@pytest.mark.parametrize(("environment", "expected"), [("current", CURRENT), ("older", OLDER)])
def test_what_is_imported_is_switched_on(environment: str, expected: dict[str, Any], tmp_path: Path) -> None:
    """By the way that the table prefers; nothing is imported for it, and nothing of it stays afterwards."""
    python = framework_python(environment)
    done = subprocess.run([python, PROGRAM], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.partition("REPORT")[2])

    assert expected == report["outcomes"]
    assert [] == report["loaded"]
    assert [] == report["active"]
    assert [] == report["left"]
    assert report["changed"] > 10
    assert ["on"] == report["again"]


def test_the_table_says_what_was_run() -> None:
    """A way is said to have been switched on, or to have shown an agent, where these tests do that."""
    switched = {
        name: kind for names in (CURRENT, OLDER) for name, (state, kind) in names.items() if state == "on"
    }

    for framework in FRAMEWORKS:
        run = [way for way in framework.ways if way.evidence is not Evidence.DOCUMENTED]
        assert (framework.name in switched) == bool(run), framework.name
