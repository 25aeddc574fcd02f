"""What ``opentelemetry-instrument`` finds: one entry point a framework, and the content switches before all.

pip install 'agenttracer[instrument]'
OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 opentelemetry-instrument python app.py
OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agenttracer_crewai opentelemetry-instrument python app.py

It loads every instrumentor of every family, and gives up on all that follow when one raises anything but
``ImportError``. So ours raise nothing, and stand down where another family's is installed for a framework.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import trace

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.libraries.installed import loaded_instrumentor
from agenttracer.instrumentation.libraries.switching import SWITCHBOARD
from agenttracer.instrumentation.libraries.table import BY_NAME

_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def before_instrumentors() -> None:
    """Switch off the capture of content before any instrumentor reads its variables."""
    with guard("content switches"):
        SWITCHBOARD.content_off()


class _Instrumentor:
    """As much of OpenTelemetry's ``BaseInstrumentor`` as is used, which the base install doesn't have."""

    framework: str

    def instrument(self, **options: Any) -> None:
        """Switch the framework on, unless another family's instrumentor will be."""
        with guard(f"instrument {self.framework}"):
            framework = BY_NAME[self.framework]
            disabled = frozenset(name.strip() for name in os.environ.get(_DISABLED, "").split(","))
            if loaded_instrumentor(framework, disabled) is None:
                SWITCHBOARD.add(framework, options.get("tracer_provider") or trace.get_tracer_provider())

    def uninstrument(self, **options: Any) -> None:
        """Nothing alone: ``agenttracer.uninstrument()`` switches everything off."""


class LangChain(_Instrumentor):
    """LangChain and LangGraph."""

    framework = "langchain"


class OpenAIAgents(_Instrumentor):
    """OpenAI Agents."""

    framework = "openai_agents"


class CrewAI(_Instrumentor):
    """CrewAI."""

    framework = "crewai"


class LlamaIndex(_Instrumentor):
    """LlamaIndex."""

    framework = "llama_index"


class PydanticAI(_Instrumentor):
    """Pydantic AI."""

    framework = "pydantic_ai"


class MCP(_Instrumentor):
    """MCP 1; MCP 2 needs no switch."""

    framework = "mcp"


class AgentFramework(_Instrumentor):
    """Microsoft Agent Framework."""

    framework = "agent_framework"
