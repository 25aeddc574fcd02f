"""OpenAI Agents: agents, model calls, tools and guardrails from the SDK's own tracing.

Runner.run_sync(agent, "…")
  invoke_agent Agent workflow     a trace of the SDK
    invoke_agent support
      chat small-1                a response or generation
      execute_tool search_kb      a function

The SDK's spans keep an error's text and not its class, and for tools not even the text: the class is noted
where the SDK notes the error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from agents.tracing import TracingProcessor, add_trace_processor
from agents.tracing.setup import get_trace_provider
from agents.tracing.spans import SpanImpl
from opentelemetry.trace import Tracer

from agenttracer.instrumentation.content import hashed_id
from agenttracer.instrumentation.guard import guard, guarded
from agenttracer.instrumentation.libraries.evidence import Failure, failure_of, failure_of_text
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import FailureCode, StepType

_STEP_TYPES = {
    "agent": StepType.AGENT,
    "function": StepType.TOOL,
    "generation": StepType.MODEL,
    "response": StepType.MODEL,
    "handoff": StepType.OTHER,
    "guardrail": StepType.OTHER,
    "custom": StepType.OTHER,
    "transcription": StepType.MODEL,
    "speech": StepType.MODEL,
}
"""A span's kind → its step type; the rest (tasks, turns, lists of tools) is the SDK's inner workings."""

_REDACTED = "redacted"  # what the SDK writes in place of a tool's error


def switch_on(tracer: Tracer) -> Callable[[], None]:
    """Add a trace processor and note the classes of errors; returns what undoes both."""
    processor = Processor(tracer)
    add_trace_processor(processor)
    set_error = SpanImpl.set_error

    def noting_set_error(span: Any, error: Any) -> None:
        processor.note(span, sys.exc_info()[1])
        set_error(span, error)

    SpanImpl.set_error = noting_set_error

    def undo() -> None:
        if SpanImpl.set_error is noting_set_error:
            SpanImpl.set_error = set_error
        processor.shutdown()
        provider = get_trace_provider()
        installed = provider._multi_processor._processors
        provider.set_processors([each for each in installed if each is not processor])

    return undo


class Processor(TracingProcessor):
    """Makes spans of the SDK's; takes names, counts and labels from them, never inputs or outputs."""

    def __init__(self, tracer: Tracer) -> None:
        self._spans = LibrarySpans(tracer, "openai_agents")
        self._failures: dict[str, Failure] = {}
        self._handled: dict[str, int] = {}

    @guarded("openai_agents trace")
    def on_trace_start(self, trace: Any) -> None:
        self._handled[trace.trace_id] = id(sys.exc_info()[1])
        # A streamed run's trace starts in the caller's context and ends in a task of the SDK's.
        self._spans.start(trace.trace_id, None, StepType.AGENT, trace.name, current=False)
        if trace.group_id is not None:
            conversation = hashed_id(trace.group_id, "group_id")
            self._spans.attribute(trace.trace_id, semconv.GEN_AI_CONVERSATION_ID, conversation)

    @guarded("openai_agents trace")
    def on_trace_end(self, trace: Any) -> None:
        """The SDK's traces end well whatever happens: an exception that leaves one is seen only here."""
        error = sys.exc_info()[1]
        passes = isinstance(error, Exception) and id(error) != self._handled.pop(trace.trace_id, None)
        self._spans.end(trace.trace_id, error=error if passes else None)

    @guarded("openai_agents span")
    def on_span_start(self, span: Any) -> None:
        data, parent = span.span_data, span.parent_id or span.trace_id
        step_type = _STEP_TYPES.get(data.type)
        if step_type is None:
            self._spans.skip(span.span_id, parent)
            return
        named = getattr(data, "name", None) or data.type
        name = getattr(data, "model", None) if step_type is StepType.MODEL else named
        facts = {"provider": "openai"} if data.type == "response" else {}
        self._spans.start(span.span_id, parent, step_type, name, facts)

    @guarded("openai_agents span")
    def on_span_end(self, span: Any) -> None:
        data, failure = span.span_data, self._failures.pop(span.span_id, None)
        if span.error is not None and failure is None:
            failure = _said(span.error)
        if getattr(data, "triggered", False):
            failure = _told(FailureCode.GUARDRAIL_BLOCKED)
        if span.error is not None and data.type == "handoff":
            failure = _told(FailureCode.HANDOFF_FAILED)
        self._spans.end(span.span_id, _facts(data), failure)

    def note(self, span: Any, error: BaseException | None) -> None:
        """Remember the class of the exception that is being handled where an error is set."""
        with guard("openai_agents error"):
            if isinstance(error, Exception) and span.ended_at is None:
                self._failures[span.span_id] = failure_of(error)

    @guarded("openai_agents shutdown")
    def shutdown(self) -> None:
        self._spans.close()
        self._failures.clear()
        self._handled.clear()

    def force_flush(self) -> None:
        """Nothing waits here: spans go to OpenTelemetry as they end."""


def _told(code: FailureCode) -> Failure:
    """A failure that the SDK tells without an exception."""
    return Failure(code, code.value)


def _said(error: Any) -> Failure:
    data = error.get("data") if isinstance(error, Mapping) else None
    detail = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    message = str(error.get("message", "")) if isinstance(error, Mapping) else ""
    return failure_of_text(message if _REDACTED in detail else f"{message}\n{detail}")


def _facts(data: Any) -> dict[str, object]:
    """Model, tokens and finish state of a model call; nothing for other kinds."""
    response = getattr(data, "response", None)
    usage = getattr(data, "usage", None) or getattr(response, "usage", None)
    if data.type not in ("generation", "response"):
        return {}
    return {
        "model": getattr(data, "model", None) or getattr(response, "model", None),
        "response_model": getattr(response, "model", None),
        "input_tokens": _value(usage, "input_tokens"),
        "output_tokens": _value(usage, "output_tokens"),
        "cache_read_tokens": _value(_value(usage, "input_tokens_details"), "cached_tokens"),
        "reasoning_tokens": _value(_value(usage, "output_tokens_details"), "reasoning_tokens"),
        "finish_reason": _value(_value(response, "incomplete_details"), "reason"),
    }


def _value(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else getattr(holder, key, None)
