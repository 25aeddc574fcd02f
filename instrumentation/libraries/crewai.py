"""CrewAI: crews, flows, tasks, agents, model calls, tools, knowledge and memory from CrewAI's event bus.

crew.kickoff()
  invoke_agent crew
    other task
      invoke_agent Support Engineer
        chat small-1
        execute_tool search_kb

The bus hands events to listeners on threads of its own, later and in no sure order. So events are read where
they are emitted: the current span is then the caller's, and the exception that is being handled is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from crewai.events import crewai_event_bus
from opentelemetry.trace import Tracer

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.libraries.evidence import Failure, failure_of_text
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas.semconv import StepType


class _Start(NamedTuple):
    step_type: StepType
    name: Callable[[Any], object]


_STARTS = {
    "crew_kickoff_started": _Start(StepType.AGENT, lambda event: event.crew_name),
    "flow_started": _Start(StepType.AGENT, lambda event: event.flow_name),
    "method_execution_started": _Start(StepType.OTHER, lambda event: event.method_name),
    # A task without a name goes by its description, which is a prompt.
    "task_started": _Start(StepType.OTHER, lambda event: getattr(event.task, "name", None) or "task"),
    "agent_execution_started": _Start(StepType.AGENT, lambda event: getattr(event.agent, "role", None)),
    "lite_agent_execution_started": _Start(StepType.AGENT, lambda event: event.agent_info.get("role")),
    "agent_reasoning_started": _Start(StepType.PLAN, lambda event: "reasoning"),
    "llm_call_started": _Start(StepType.MODEL, lambda event: event.model),
    "tool_usage_started": _Start(StepType.TOOL, lambda event: event.tool_name),
    "mcp_tool_execution_started": _Start(StepType.TOOL, lambda event: event.tool_name),
    "knowledge_search_query_started": _Start(StepType.RETRIEVE, lambda event: "knowledge"),
    "memory_query_started": _Start(StepType.RETRIEVE, lambda event: "memory"),
    "memory_save_started": _Start(StepType.MEMORY, lambda event: "memory"),
    "llm_guardrail_started": _Start(StepType.OTHER, lambda event: "guardrail"),
}
"""An event that opens a span; every other start event is CrewAI's inner workings."""

_INTERNAL_FLOWS = ("AgentExecutor",)  # how an agent works inside, since it is a flow itself


def switch_on(tracer: Tracer) -> Callable[[], None]:
    """Read what the bus emits; returns what undoes it."""
    listener = Listener(tracer)
    emit = crewai_event_bus.emit

    def reading_emit(source: Any, event: Any) -> Any:
        handling = sys.exc_info()[1]
        answer = emit(source, event)
        with guard("crewai event"):
            listener.read(event, handling)
        return answer

    crewai_event_bus.emit = reading_emit

    def undo() -> None:
        if vars(crewai_event_bus).get("emit") is reading_emit:
            del crewai_event_bus.emit
        listener.close()

    return undo


class Listener:
    """Makes spans of events; takes names, counts and labels from them, never tasks, prompts or results."""

    def __init__(self, tracer: Tracer) -> None:
        self._spans = LibrarySpans(tracer, "crewai")

    def read(self, event: Any, handling: BaseException | None = None) -> None:
        """Open or close the span of one event. ``handling``: the exception around its emission."""
        start = _STARTS.get(event.type)
        if start is not None and getattr(event, "flow_name", None) not in _INTERNAL_FLOWS:
            self._spans.start(event.event_id, event.parent_event_id, start.step_type, start.name(event))
        elif event.type.endswith("_started"):
            self._spans.skip(event.event_id, event.parent_event_id)
        elif event.type == "llm_stream_chunk":
            self._spans.first_chunk(event.parent_event_id)
        elif event.started_event_id is not None:
            self._spans.end(event.started_event_id, _facts(event), _failure(event, handling))

    def close(self) -> None:
        """End what is still open."""
        self._spans.close()


def _failure(event: Any, handling: BaseException | None) -> BaseException | Failure | None:
    reported = getattr(event, "failure", None)  # a tool that came back and said that it failed
    if reported is not None:
        code = getattr(reported, "code", None)
        return failure_of_text(getattr(reported, "message", None), code if isinstance(code, str) else None)
    if not event.type.endswith(("_failed", "_error")):
        return None
    error = getattr(event, "error", None)
    if isinstance(error, BaseException):
        return error
    if handling is not None and isinstance(handling, Exception):
        return handling
    return failure_of_text(str(error))


def _facts(event: Any) -> dict[str, object]:
    """Model, tokens and finish reason of a model call; nothing for other events."""
    if event.type != "llm_call_completed":
        return {}
    usage: Mapping[str, Any] = getattr(event, "usage", None) or {}
    return {
        "response_model": event.model,
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
        "cache_read_tokens": usage.get("cached_prompt_tokens") or usage.get("cache_read_input_tokens"),
        "reasoning_tokens": usage.get("reasoning_tokens"),
        "finish_reason": getattr(event, "finish_reason", None),
    }
