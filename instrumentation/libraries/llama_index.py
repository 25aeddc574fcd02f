"""LlamaIndex: agents, workflows, model calls, tools and retrievals from LlamaIndex's own dispatcher.

await agent.run("…")
  invoke_agent support        what the program called: an agent, a workflow, a query engine
    chat small-1              a model call; a stream's ends when an event says so
    execute_tool search_kb    a tool
    retrieval KnowledgeBase   a retriever
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.tools import BaseTool
from opentelemetry.trace import Tracer

from agenttracer.instrumentation.guard import guarded
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas.semconv import StepType

_UUID_LENGTH = 37  # of the dash and the UUID at the end of a span's id
_MODEL_CALL = re.compile(r"a?(stream_)?(chat|complete)(_with_tools)?|astream_(chat|complete)(_with_tools)?")
_MODEL_STARTS = ("LLMChatStartEvent", "LLMCompletionStartEvent")
_MODEL_CHUNKS = ("LLMChatInProgressEvent", "LLMCompletionInProgressEvent")
_MODEL_ENDS = ("LLMChatEndEvent", "LLMCompletionEndEvent")


def switch_on(tracer: Tracer) -> Callable[[], None]:
    """Add a handler of spans and events to the root dispatcher; returns what undoes it."""
    handler, dispatcher = Handler(tracer), get_dispatcher()
    dispatcher.add_span_handler(handler)
    dispatcher.add_event_handler(handler)

    def undo() -> None:
        for handlers in (dispatcher.span_handlers, dispatcher.event_handlers):
            handlers[:] = [each for each in handlers if each is not handler]
        handler.close()

    return undo


class Handler:
    """Makes spans of LlamaIndex's; takes names, counts and labels from them, never arguments or results."""

    def __init__(self, tracer: Tracer) -> None:
        self._spans = LibrarySpans(tracer, "llama_index")
        self._streams: set[object] = set()  # model calls whose end an event will tell
        self._failed: dict[Hashable, BaseException] = {}

    @guarded("llama_index span")
    def span_enter(
        self,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        parent_id: str | None = None,
        tags: Any = None,
        **options: Any,
    ) -> None:
        """Open a span for what a reader of the run knows; the rest is LlamaIndex's inner workings."""
        method = id_[:-_UUID_LENGTH].rpartition(".")[2]
        if isinstance(instance, BaseLLM) and _MODEL_CALL.fullmatch(method) and not self._model(parent_id):
            self._spans.start(id_, parent_id, StepType.MODEL, instance.metadata.model_name)
        elif isinstance(instance, BaseTool) and method in ("call", "acall"):
            self._spans.start(id_, parent_id, StepType.TOOL, instance.metadata.name)
        elif isinstance(instance, BaseRetriever) and method in ("retrieve", "aretrieve"):
            self._spans.start(id_, parent_id, StepType.RETRIEVE, type(instance).__name__)
        elif parent_id is None:
            # A workflow hands back a future: what is current would stay so in the caller's context.
            self._spans.start(id_, None, StepType.AGENT, _name(instance), current=False)
        else:
            self._spans.skip(id_, parent_id)

    @guarded("llama_index span")
    def span_exit(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **options: Any
    ) -> None:
        """A stream goes on after its span, and a workflow that failed ends its own without a result."""
        if isinstance(instance, BaseLLM) and self._model(id_) in self._streams and _is_stream(result):
            return
        found = result is not None and isinstance(instance, BaseRetriever)
        failed = self._failed.pop(id_, None)
        self._spans.end(
            id_, {"result_count": len(result)} if found else {}, None if result is not None else failed
        )

    @guarded("llama_index span")
    def span_drop(
        self,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        err: BaseException | None = None,
        **options: Any,
    ) -> None:
        """Close a span that an exception left; a workflow's step passes it on to its workflow."""
        if err is not None and not isinstance(instance, BaseTool | BaseLLM):
            run = self._spans.outermost(id_)
            if run is not None and run != id_:
                self._failed[run] = err
        self._spans.end(id_, error=err)

    @guarded("llama_index event")
    def handle(self, event: Any, **options: Any) -> None:
        """Take from events what the span of a model call doesn't know."""
        kind, model = event.class_name(), self._model(event.span_id)
        if model is None:
            return
        if kind in _MODEL_STARTS:
            self._streams.add(model)
        elif kind in _MODEL_CHUNKS:
            self._spans.first_chunk(model)
        elif kind in _MODEL_ENDS:
            self._end_model(event.span_id, model, _answer(event.response), None)
        elif kind == "ExceptionEvent":
            self._end_model(event.span_id, model, {}, event.exception)

    def _model(self, id_: str | None) -> object:
        """The id of the model call that a span is, or is part of."""
        opened = self._spans.find(id_)
        return opened.key if opened is not None and opened.step_type is StepType.MODEL else None

    def _end_model(
        self, id_: str, model: object, facts: dict[str, object], error: BaseException | None
    ) -> None:
        self._streams.discard(model)
        self._spans.end(model, facts, error)
        self._spans.end(id_)  # what was part of the call

    def capture_propagation_context(self) -> dict[str, Any]:
        """Nothing: within a process spans find their parents by LlamaIndex's ids."""
        return {}

    def restore_propagation_context(self, context: dict[str, Any]) -> None:
        """Nothing, for the same reason."""

    def close(self) -> None:
        """End what is still open."""
        self._spans.close()
        self._streams.clear()
        self._failed.clear()


def _is_stream(result: Any) -> bool:
    return hasattr(result, "__next__") or hasattr(result, "__anext__")


def _name(instance: Any) -> object:
    """What the program calls an agent, else its class."""
    name = getattr(instance, "name", None)
    return name if isinstance(name, str) else type(instance).__name__


def _answer(response: Any) -> dict[str, object]:
    """Model, tokens and finish reason of an answer, as far as the provider's raw one shows them."""
    raw = getattr(response, "raw", None)
    usage, choices = _value(raw, "usage"), _value(raw, "choices")
    extra = getattr(response, "additional_kwargs", None) or {}
    return {
        "response_model": _value(raw, "model"),
        "input_tokens": _first(usage, "prompt_tokens", "input_tokens") or extra.get("prompt_tokens"),
        "output_tokens": _first(usage, "completion_tokens", "output_tokens")
        or extra.get("completion_tokens"),
        "finish_reason": _value(choices[0], "finish_reason") if choices else _value(raw, "stop_reason"),
    }


def _first(holder: Any, *keys: str) -> Any:
    return next((value for key in keys if (value := _value(holder, key)) is not None), None)


def _value(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else getattr(holder, key, None)
