"""Real frameworks, fake models, a real collector: what their agents did is in ClickHouse, what they said is not.

Each program plans, retrieves, calls a tool that fails, answers, and then meets a model that refuses. It runs with
``agenttracer.instrument()`` and under ``opentelemetry-instrument``.
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.frameworks.environments import framework_python
from tests.running_collector import RunningCollector, running_collector

PROGRAMS = Path(__file__).parents[1] / "frameworks" / "programs"
MARKS = (b"CANARY", b"alice.canary")
OTHERS = "agno,autogen_agentchat,dspy,haystack,litellm,smolagents,threading"
"""Instrumentors that opentelemetry-instrument would load, and their frameworks with them, for nothing."""

OTHERS_THAT_TELL = {
    "mcp-python-sdk",
    "openinference.instrumentation.openai",
    "opentelemetry.instrumentation.genai.openai",
    "pydantic-ai",
}
"""Instrumentors that aren't ours and send the texts of errors with content off."""

ROWS = """
SELECT ScopeName, StepType, StepName, AgentName, ToolName, Model, InputTokens, OutputTokens, FailureType, FailureCode
FROM otel_traces WHERE ServiceName = '{}' ORDER BY Timestamp
"""
RUNS = """
SELECT Status, FailureType, FailureCode FROM agent_runs
WHERE RunId IN (SELECT RunId FROM otel_traces WHERE ServiceName = '{}') ORDER BY StartTime
"""


class Row(NamedTuple):
    """A stored span."""

    scope: str
    step_type: str
    step: str
    agent: str
    tool: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    failure_type: str
    failure_code: str


MODEL_CALLS = ("model", "respond")


@dataclass(frozen=True)
class Program:
    """A program, where it runs, and what must be in the store after it."""

    framework: str
    environment: str
    scope: str
    """The scope of the framework's own spans; the SDK's own steps are in ``agenttracer``."""
    agents: frozenset[str]
    plan: str
    retrieval: str
    tools: frozenset[str]
    tool_failures: frozenset[str]
    model: str
    runs: tuple[tuple[str, str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.framework}-{self.environment}"


OTHERS_CALLED = {
    "current": {
        "strands": ("strands.telemetry.tracer", {"agent", "model"}),
        "smolagents": ("openinference.instrumentation.smolagents", {"agent", "model", "tool"}),
        "haystack": ("openinference.instrumentation.haystack", {"model"}),
        "agno": ("openinference.instrumentation.agno", {"agent", "model", "tool"}),
        "dspy": ("openinference.instrumentation.dspy", {"model"}),
    },
    "older": {
        "litellm": ("openinference.instrumentation.litellm", {"model"}),
        "google_adk": ("gcp.vertex.agent", {"agent", "model", "tool"}),
    },
}
"""Environment → framework → the scope of its spans, and the step types among them."""

FAILED_TOOL, REFUSED = ("partial", "tool", "timeout"), ("failure", "model", "rate_limited")
AGENTS = frozenset({"support", "Support Agent"})
TOOL, MCP_TOOLS = frozenset({"order_service"}), frozenset({"order_service", "greet", "absent_tool"})
TIMEOUT, ERROR = frozenset({"timeout"}), frozenset({"error"})
PROGRAMS_RUN = (
    Program(
        "langgraph",
        "current",
        "agenttracer.langchain",
        frozenset({"support"}),
        "plan",
        "search_kb",
        TOOL,
        TIMEOUT,
        "small-1-2026",
        (FAILED_TOOL, REFUSED),
    ),
    Program(
        "openai_agents",
        "current",
        "agenttracer.openai_agents",
        AGENTS,
        "choose_actions",
        "search_kb",
        TOOL,
        TIMEOUT,
        "small-1-2026",
        (FAILED_TOOL, REFUSED),
    ),
    Program(
        "pydantic_ai",
        "current",
        "pydantic-ai",
        frozenset({"support"}),
        "choose_actions",
        "search_kb",
        TOOL,
        ERROR,
        "small-1-2026",
        (),
    ),
    Program(
        "llama_index",
        "current",
        "agenttracer.llama_index",
        frozenset({"support"}),
        "choose_actions",
        "KnowledgeBase",
        TOOL,
        TIMEOUT,
        "small-1-2026",
        (FAILED_TOOL, REFUSED),
    ),
    Program(
        "crewai",
        "older",
        "agenttracer.crewai",
        AGENTS,
        "choose_actions",
        "search_kb",
        TOOL,
        TIMEOUT,
        "small-1",
        (FAILED_TOOL, REFUSED),
    ),
    Program(
        "mcp",
        "current",
        "mcp-python-sdk",
        frozenset({"support"}),
        "choose_actions",
        "search_kb",
        MCP_TOOLS,
        ERROR,
        "small-1",
        (),
    ),
    Program(
        "mcp",
        "older",
        "agenttracer.mcp",
        frozenset({"support"}),
        "choose_actions",
        "search_kb",
        MCP_TOOLS,
        frozenset({"error", "tool_not_found"}),
        "small-1",
        (("partial", "tool", "error"),),
    ),
)
OTHER_PROGRAMS = tuple(
    Program("others", environment, "", frozenset(), "", "", frozenset(), frozenset(), "", ())
    for environment in OTHERS_CALLED
)
MODES = ("instrument", "opentelemetry-instrument")
CASES = [
    pytest.param(program, mode, id=f"{program.name}-{mode}") for program in PROGRAMS_RUN for mode in MODES
]


@dataclass(frozen=True)
class Stored:
    """What all programs left behind."""

    folder: Path
    output: dict[str, subprocess.CompletedProcess[str]]
    rows: dict[str, list[Row]]
    runs: dict[str, list[tuple[str, str, str]]]


def service(program: Program, mode: str) -> str:
    """The service name of one program in one mode."""
    return f"{program.name}-{mode}"


def run(program: Program, mode: str, collector: RunningCollector) -> subprocess.CompletedProcess[str]:
    """Run a program, sending to the collector."""
    python = framework_python(program.environment)
    path = str(PROGRAMS / f"{program.framework}_agent.py")
    called = OTHERS_CALLED[program.environment] if program in OTHER_PROGRAMS else ()
    command = [str(python), path, "instrument", *called]
    if mode != "instrument":
        command = [str(python.with_name(mode)), str(python), path]
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{collector.ports['grpc']}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_SERVICE_NAME": service(program, mode),
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": OTHERS,
        "HOME": str(collector.folder),
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=collector.folder, check=False
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Every program run once in each mode, two at a time, with one collector."""
    folder = tmp_path_factory.mktemp("frameworks")
    cases = [(program, mode) for program in PROGRAMS_RUN for mode in MODES]
    cases += [(program, "instrument") for program in OTHER_PROGRAMS]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(framework_python, ("current", "older")))
        with running_collector(folder) as collector:
            done = list(threads.map(lambda case: run(*case, collector), cases))
            collector.wait_until_stored()
            assert collector.stop() == 0
    names = [service(*case) for case in cases]
    answers = collector.query(*(query.format(name) for query in (ROWS, RUNS) for name in names))
    rows, runs = answers[: len(names)], answers[len(names) :]
    return Stored(
        folder,
        dict(zip(names, done, strict=True)),
        {name: [Row(*row) for row in found] for name, found in zip(names, rows, strict=True)},
        {name: [tuple(row) for row in found] for name, found in zip(names, runs, strict=True)},
    )


@pytest.mark.parametrize(("program", "mode"), CASES)
def test_the_program_is_not_disturbed(stored: Stored, program: Program, mode: str) -> None:
    """It ends well, with the framework's own exception for the refusal and no word of ours about failures."""
    done = stored.output[service(program, mode)]

    assert 0 == done.returncode, done.stderr
    assert "the program goes on" not in done.stderr
    if mode == "instrument":
        outcomes: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        name = "langchain" if program.framework == "langgraph" else program.framework
        assert "on" == outcomes[name]


@pytest.mark.parametrize(("program", "mode"), CASES)
def test_our_instrumentors_send_no_text(stored: Stored, program: Program, mode: str) -> None:
    """What was said doesn't leave the process in their spans; others' send messages of exceptions."""
    (line,) = (
        line for line in stored.output[service(program, mode)].stdout.splitlines() if "TELLING" in line
    )
    telling = set(json.loads(line.removeprefix("TELLING")))

    assert set() == {scope for scope in telling if scope.startswith("agenttracer")}
    assert telling <= OTHERS_THAT_TELL


@pytest.mark.parametrize(("program", "mode"), CASES)
def test_the_steps_are_stored(stored: Stored, program: Program, mode: str) -> None:
    """The agents, the plan, the retrieval and the tools, each with its type, from the expected instrumentor."""
    rows = stored.rows[service(program, mode)]

    assert program.scope in {row.scope for row in rows}
    assert program.agents <= {row.agent for row in rows if row.step_type == "agent"}
    assert {program.plan} == {row.step for row in rows if row.step_type == "plan"}
    assert {program.retrieval} == {row.step for row in rows if row.step_type == "retrieve"}
    assert program.tools == {row.tool for row in rows if row.step_type == "tool"}


@pytest.mark.parametrize(("program", "mode"), CASES)
def test_the_failures_are_stored(stored: Stored, program: Program, mode: str) -> None:
    """The tool's and the model's, with their codes; the runs end as they did."""
    rows = stored.rows[service(program, mode)]
    failures = {
        kind: {row.failure_code for row in rows if row.failure_type == kind} for kind in ("tool", "model")
    }

    assert program.tool_failures == failures["tool"]
    assert (set() if program.framework == "mcp" else {"rate_limited"}) == failures["model"]
    assert {"tool", "model", ""} >= {row.failure_type or "" for row in rows}
    if program.runs:
        assert list(program.runs) == stored.runs[service(program, mode)]


@pytest.mark.parametrize(("program", "mode"), CASES)
def test_models_and_tokens_are_stored(stored: Stored, program: Program, mode: str) -> None:
    """Every answered call has the model that answered and its tokens."""
    rows = stored.rows[service(program, mode)]
    scope = "agenttracer" if program.framework == "mcp" else program.scope
    answered = [
        row for row in rows if row.scope == scope and row.step_type in MODEL_CALLS and row.input_tokens
    ]

    assert {(program.model, 12, 7)} == {(row.model, row.input_tokens, row.output_tokens) for row in answered}
    assert {"langgraph": 3, "mcp": 1}.get(program.framework, 2) == len(answered)


@pytest.mark.parametrize("program", OTHER_PROGRAMS, ids=lambda program: program.environment)
def test_other_frameworks_are_seen(stored: Stored, program: Program) -> None:
    """By themselves or by an upstream instrumentor, each call with the types of its steps."""
    done = stored.output[service(program, "instrument")]
    assert 0 == done.returncode, done.stderr
    rows = stored.rows[service(program, "instrument")]

    for framework, (scope, step_types) in OTHERS_CALLED[program.environment].items():
        # The answer of an agent is a model call like the others.
        told = {
            "model" if row.step_type in MODEL_CALLS else row.step_type for row in rows if row.scope == scope
        }
        assert step_types <= told, framework


def test_nothing_that_was_said_is_stored(stored: Stored) -> None:
    """No prompt, answer, argument, result, document or error message is in any file of the collector."""
    files = [path for path in (stored.folder / "data").rglob("*") if path.is_file()]
    leaking = {str(path) for path in files for mark in MARKS if mark in path.read_bytes()}

    assert len(files) > 10
    assert set() == leaking
    assert not any(mark in (stored.folder / "collector.log").read_bytes() for mark in MARKS)
