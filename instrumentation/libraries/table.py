"""Which framework, which versions, seen how: one row a framework, its ways in order of preference.

Upstream's where a good one exists; a framework's own telemetry where it has some; ours where others see less than
happens or send what was said:

langchain      the others send the texts of errors, and a span for every inner runnable
openai_agents  the others lose what kind of error it was, and mark runs that crashed as well ended
crewai         the others miss the model calls, or name spans after prompts
llama_index    OpenInference's records each model call two or three times, without tokens when it streams, and
               opentelemetry-instrument passes it over unless one more package is installed
mcp 1          OpenInference's makes no spans

How content is switched off: ``content_switches``.
"""

from __future__ import annotations

from typing import Final

from agenttracer.instrumentation.libraries.framework import Evidence, Framework, Kind, Way

_OURS = "agenttracer.instrumentation.libraries"
_AGENT, _CALL, _SWITCH = Evidence.AGENT, Evidence.CALL, Evidence.SWITCH


def _ours(
    module: str, at_least: str, below: str | None = None, evidence: Evidence = Evidence.DOCUMENTED
) -> Way:
    return Way(Kind.OURS, f"{_OURS}.{module}", None, at_least, below, evidence)


def _native(
    module: str | None, at_least: str, below: str | None = None, evidence: Evidence = Evidence.DOCUMENTED
) -> Way:
    return Way(Kind.NATIVE, module and f"{_OURS}.{module}", None, at_least, below, evidence)


def _openinference(
    name: str, cls: str, requires: str, at_least: str, evidence: Evidence = Evidence.DOCUMENTED
) -> Way:
    package = f"openinference-instrumentation-{name.replace('_', '-')}>={requires}"
    return Way(
        Kind.UPSTREAM, f"openinference.instrumentation.{name}:{cls}", package, at_least, None, evidence
    )


def _genai(name: str, cls: str, at_least: str, below: str, evidence: Evidence = Evidence.DOCUMENTED) -> Way:
    package = f"opentelemetry-instrumentation-genai-{name.replace('_', '-')}>=1.3b0"
    return Way(
        Kind.UPSTREAM,
        f"opentelemetry.instrumentation.genai.{name}:{cls}",
        package,
        at_least,
        below,
        evidence,
    )


FRAMEWORKS: Final = (
    Framework("langchain", "langchain-core", "langchain_core", (_ours("langchain", "0.3", "2", _AGENT),)),
    Framework("langgraph", "langgraph", "langgraph", via="langchain"),
    Framework("openai_agents", "openai-agents", "agents", (_ours("openai_agents", "0.8", "1", _AGENT),)),
    Framework("crewai", "crewai", "crewai", (_ours("crewai", "1.10", "2", _AGENT),)),
    Framework(
        "llama_index",
        "llama-index-core",
        "llama_index.core",
        (_ours("llama_index", "0.14.19", "1", _AGENT),),
        others=("llamaindex",),
    ),
    Framework("pydantic_ai", "pydantic-ai-slim", "pydantic_ai", (_native("pydantic_ai", "1", "3", _AGENT),)),
    Framework(
        "mcp",
        "mcp",
        "mcp",
        (_native(None, "2", "3", _AGENT), _ours("mcp", "1.20", "2", _AGENT)),
        propagators=("openinference.instrumentation.mcp",),
    ),
    Framework("strands", "strands-agents", "strands", (_native(None, "1.60", "2", _CALL),)),
    Framework("google_adk", "google-adk", "google.adk", (_native(None, "2", "3", _CALL),)),
    Framework(
        "agent_framework",
        "agent-framework-core",
        "agent_framework",
        (_native("agent_framework", "1.20", "2", _SWITCH),),
    ),
    Framework(
        "autogen",
        "autogen-agentchat",
        "autogen_agentchat",
        (
            _openinference("autogen_agentchat", "AutogenAgentChatInstrumentor", "0.1.22", "0.5.1", _SWITCH),
            _native(None, "0.5.1"),
        ),
        others=("autogen_agentchat",),
    ),
    Framework(
        "smolagents",
        "smolagents",
        "smolagents",
        (_openinference("smolagents", "SmolagentsInstrumentor", "0.1.43", "1.24", _CALL),),
    ),
    Framework(
        "haystack",
        "haystack-ai",
        "haystack",
        (_openinference("haystack", "HaystackInstrumentor", "0.1.46", "2.18", _CALL),),
    ),
    Framework(
        "dspy", "dspy", "dspy", (_openinference("dspy", "DSPyInstrumentor", "0.1.48", "2.6.22", _CALL),)
    ),
    Framework(
        "agno",
        "agno",
        "agno",
        (
            _openinference("agno", "AgnoInstrumentor", "1.0.15", "2.7.2", _CALL),
            _genai("agno", "AgnoInstrumentor", "2", "4"),
        ),
    ),
    Framework(
        "claude_agent_sdk",
        "claude-agent-sdk",
        "claude_agent_sdk",
        (_openinference("claude_agent_sdk", "ClaudeAgentSDKInstrumentor", "0.1.22", "0.1"),),
    ),
    Framework(
        "openai",
        "openai",
        "openai",
        (
            _genai("openai", "OpenAIInstrumentor", "1.26", "4", _CALL),
            _openinference("openai", "OpenAIInstrumentor", "0.1.66", "2.8", _CALL),
        ),
        others=("openai_v2",),
        is_client=True,
    ),
    Framework(
        "anthropic",
        "anthropic",
        "anthropic",
        (
            _native(None, "2.11", "3", _SWITCH),
            _genai("anthropic", "AnthropicInstrumentor", "0.51", "2.11"),
            _openinference("anthropic", "AnthropicInstrumentor", "3.1", "0.51"),
        ),
        is_client=True,
    ),
    Framework(
        "litellm",
        "litellm",
        "litellm",
        (_openinference("litellm", "LiteLLMInstrumentor", "0.1.51", "1.43", _CALL),),
        is_client=True,
    ),
)
"""Every framework that can be switched on; a program's own spans need no row."""

BY_NAME: Final = {framework.name: framework for framework in FRAMEWORKS}
