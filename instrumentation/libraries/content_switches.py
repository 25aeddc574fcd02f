"""The variables that tell instrumentors and frameworks to leave out what was said.

with_content_off = switch_off()     # before anything is switched on: most read their variables once
with_content_off.restore()

What they still let out (exception messages above all) the collector drops.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Final

from agenttracer.instrumentation.guard import warn_once

VARIABLES: Final[Mapping[str, str | None]] = {
    # OpenInference
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    "OPENINFERENCE_HIDE_INPUT_MESSAGES": "true",
    "OPENINFERENCE_HIDE_OUTPUT_MESSAGES": "true",
    "OPENINFERENCE_HIDE_INPUT_IMAGES": "true",
    "OPENINFERENCE_HIDE_INPUT_TEXT": "true",
    "OPENINFERENCE_HIDE_OUTPUT_TEXT": "true",
    "OPENINFERENCE_HIDE_EMBEDDINGS_TEXT": "true",
    "OPENINFERENCE_HIDE_EMBEDDINGS_VECTORS": "true",
    "OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS": "true",
    "OPENINFERENCE_HIDE_LLM_TOOLS": "true",
    "OPENINFERENCE_HIDE_PROMPTS": "true",
    "OPENINFERENCE_HIDE_CHOICES": "true",
    # Of a document its text and metadata go; that it was found, and its score, stays.
    "OPENINFERENCE_HIDE_RETRIEVAL_DOCUMENTS": "true",
    # OpenTelemetry's GenAI instrumentors, Google ADK, AutoGen: off unless it is set
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": None,
    "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK": None,
    # OpenLLMetry
    "TRACELOOP_TRACE_CONTENT": "false",
    # The frameworks themselves
    "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS": "false",
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "metadata_only",
    "ENABLE_SENSITIVE_DATA": "false",  # Microsoft Agent Framework
    "HAYSTACK_CONTENT_TRACING_ENABLED": "false",
    "OTEL_LOG_USER_PROMPTS": None,  # Claude Code, under the Claude Agent SDK
    "OTEL_LOG_TOOL_DETAILS": None,
}
"""Variable → the value that switches content off; None: unset."""

STRANDS_VARIABLE: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
STRANDS_TOKENS: Final = ("gen_ai_latest_experimental", "gen_ai_unredacted_attributes=")
"""Strands redacts when its list of what not to redact is there and empty, and only in its newer spans."""


class ContentOff:
    """What the environment was before."""

    def __init__(self, environment: MutableMapping[str, str], before: Mapping[str, str | None]) -> None:
        self._environment = environment
        self._before = before

    def restore(self) -> None:
        """Put the environment back."""
        for name, value in self._before.items():
            _set(self._environment, name, value)


def switch_off(environment: MutableMapping[str, str] | None = None) -> ContentOff:
    """Set every variable. One that said the opposite is warned about, by name."""
    environment = os.environ if environment is None else environment
    wanted = {**VARIABLES, STRANDS_VARIABLE: _with_strands(environment.get(STRANDS_VARIABLE, ""))}
    before: dict[str, str | None] = {}
    for name, value in wanted.items():
        found = environment.get(name)
        if found == value:
            continue
        before[name] = found
        if found is not None and name != STRANDS_VARIABLE:
            warn_once(f"content:{name}", "agenttracer: %s was changed: content is not captured", name)
        _set(environment, name, value)
    return ContentOff(environment, before)


def _with_strands(found: str) -> str:
    tokens = [token.strip() for token in found.split(",") if token.strip()]
    kept = [token for token in tokens if not token.startswith(STRANDS_TOKENS[1])]
    return ",".join([*kept, *(token for token in STRANDS_TOKENS if token not in kept)])


def _set(environment: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        environment.pop(name, None)
    else:
        environment[name] = value
