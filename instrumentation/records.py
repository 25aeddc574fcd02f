"""What an agent has to say besides steps, as events: metrics, prompts, tools, what it learned. Never their text.

run.record_metric("confidence", 0.92)
prompt = tracer.register_prompt_template("triage", "You are …{question}", version="3", variables=["question"])
with run.step("model", "triage", metadata=prompt): ...
tracer.register_tool("search_kb", {"parameters": {…}})
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from agenttracer.instrumentation.content import is_label, labels, name_or, scalar
from agenttracer.instrumentation.digest import canonical, sha256
from agenttracer.instrumentation.guard import guarded, warn_once
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName


class Records(ABC):
    """What a tracer and a run can both record; a run's records carry its id."""

    @abstractmethod
    def _record(self, event: EventName, attributes: Mapping[str, Any], body: bytes | None = None) -> None:
        """Emit an event about the agent, or the run."""

    @guarded("record_metric")
    def record_metric(self, key: str, value: float | str, unit: str | None = None) -> None:
        """One measured value: a number, or a label. ``unit`` in UCUM's words: ``s``, ``By``, ``%``, ``1``."""
        plain = scalar(value)
        name = name_or(key, "", "metric name")
        if plain is None or not name:
            warn_once(
                f"metric:{name}", "agenttracer: metric %r was refused: neither a number nor a label", name
            )
            return
        is_number = not isinstance(plain, str)
        attributes: dict[str, Any] = {semconv.AGENT_METRIC_NAME: name}
        attributes[semconv.AGENT_METRIC_VALUE if is_number else semconv.AGENT_METRIC_LABEL] = (
            float(plain) if is_number else plain
        )
        if unit is not None and (unit == "%" or is_label(unit)):
            attributes[semconv.AGENT_METRIC_UNIT] = unit
        self._record(EventName.METRIC, attributes)

    def record_metrics(self, metrics: Mapping[str, float | str]) -> None:
        """Several measured values."""
        for key, value in metrics.items():
            self.record_metric(key, value)

    def register_prompt_template(
        self, name: str, template: str, version: str | None = None, variables: Iterable[str] = ()
    ) -> dict[str, str]:
        """Tell which prompt template is in use, by its hash; returns the metadata for the steps that use it."""
        prompt = {"prompt_name": name_or(name, "prompt", "prompt name"), "prompt_hash": sha256(template)}
        if version is not None and is_label(str(version)):
            prompt["prompt_version"] = str(version)
        self._register_prompt(prompt, template, variables)
        return prompt

    @guarded("register_prompt_template")
    def _register_prompt(self, prompt: Mapping[str, str], template: str, variables: Iterable[str]) -> None:
        attributes: dict[str, Any] = {
            semconv.GEN_AI_PROMPT_NAME: prompt["prompt_name"],
            semconv.AGENT_PROMPT_HASH: prompt["prompt_hash"],
            semconv.AGENT_PROMPT_SIZE: len(canonical(template)),
        }
        if "prompt_version" in prompt:
            attributes[semconv.GEN_AI_PROMPT_VERSION] = prompt["prompt_version"]
        names = labels(variables, "prompt variables")
        if names:
            attributes[semconv.AGENT_PROMPT_VARIABLES] = names
        self._record(EventName.PROMPT_TEMPLATE, attributes)

    @guarded("register_tool")
    def register_tool(
        self, name: str, definition: object, *, type: str = "function", version: str | None = None
    ) -> str:
        """Tell which tool the agent has, by the hash of its definition, which is returned."""
        raw = canonical(definition)
        attributes: dict[str, Any] = {
            semconv.GEN_AI_TOOL_NAME: name_or(name, "tool", "tool name"),
            semconv.GEN_AI_TOOL_TYPE: type if is_label(str(type)) else "function",
            semconv.AGENT_TOOL_DEFINITION_HASH: sha256(raw),
            semconv.AGENT_TOOL_DEFINITION_SIZE: len(raw),
        }
        if version is not None and is_label(str(version)):
            attributes[semconv.AGENT_TOOL_VERSION] = str(version)
        self._record(EventName.TOOL_DEFINITION, attributes)
        return str(attributes[semconv.AGENT_TOOL_DEFINITION_HASH])

    @guarded("record_learning_pattern")
    def record_learning_pattern(
        self, pattern: str, confidence: float | None = None, evidence_count: int | None = None
    ) -> None:
        """Something that the agent learned, as a label: ``retry-after-429``."""
        (label,) = labels(pattern, "learning patterns") or (None,)
        if label is None:
            return
        numbers = {
            semconv.AGENT_LEARNING_CONFIDENCE: confidence,
            semconv.AGENT_LEARNING_EVIDENCE_COUNT: evidence_count,
        }
        kept = {key: scalar(value) for key, value in numbers.items() if isinstance(value, int | float)}
        self._record(EventName.LEARNING_PATTERN, {semconv.AGENT_LEARNING_PATTERN: label, **kept})
