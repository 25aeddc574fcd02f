"""What agents of frameworks with spans of their own, or of an upstream instrumentor, must leave in the store.

The program that runs them is ``programs/others_agent.py``: one process an environment, two runs a framework.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What an agent of another framework must have left behind."""

    scope: str
    """Of the framework's own spans, or of the instrumentor's."""
    step_types: frozenset[str]
    tool_failure: str = ""
    """The code of the tool's failure; empty where no tool was called, or none is told of."""
    status: str = "partial"
    """Of the run that goes on after its tool has failed."""
    model_failure: tuple[str, str] = ("model", "not_found")
    refused: str = "failure"
    has_tokens: bool = True


AGENT_STEPS = frozenset({"agent", "model", "tool"})
MODEL_STEP = frozenset({"model"})
OTHERS_CALLED = {
    "current": {
        "strands": Expected("strands.telemetry.tracer", AGENT_STEPS, "timeout"),
        "smolagents": Expected(
            "openinference.instrumentation.smolagents",
            AGENT_STEPS,
            "timeout",
            # It never ends the span of an agent that raised, so nothing shows whose failure it was.
            model_failure=("orchestration", "not_found"),
        ),
        # Its instrumentor tells of components, and of nothing inside an agent.
        "haystack": Expected(
            "openinference.instrumentation.haystack",
            frozenset({"other"}),
            status="success",
        ),
        "agno": Expected("openinference.instrumentation.agno", AGENT_STEPS, "error", refused="partial"),
        "dspy": Expected(
            "openinference.instrumentation.dspy",
            frozenset({"model", "tool"}),
            "timeout",
            model_failure=("model", "invalid_request"),
            has_tokens=False,  # its model for tests counts none
        ),
        "agent_framework": Expected("agent_framework", AGENT_STEPS, "timeout"),
        "anthropic": Expected("com.anthropic.sdk.python", MODEL_STEP, status="success"),
        "openai": Expected("opentelemetry.instrumentation.genai.openai", MODEL_STEP, status="success"),
    },
    "older": {
        "litellm": Expected("openinference.instrumentation.litellm", MODEL_STEP, status="success"),
        # What passes between it and its model's client is told by the client's instrumentor.
        "autogen": Expected("autogen-core", frozenset({"agent", "tool"}), "timeout", has_tokens=False),
        "google_adk": Expected("gcp.vertex.agent", AGENT_STEPS, "timeout", status="failure"),
    },
}
"""Environment → framework → what is expected of it."""

CLIENTS = ("anthropic", "openai", "litellm")
"""Those that are clients of models: no agent, no tool, no retrieval."""
