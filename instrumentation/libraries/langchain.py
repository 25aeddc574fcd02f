"""LangChain and LangGraph: runs, graph nodes, model calls, tools and retrievals from LangChain's own callbacks.

agent.invoke({"messages": [...]})
  invoke_agent support        the graph or chain that the program called
    other planner             a node of the graph
      chat small-1            a model call
    execute_tool search_kb    a tool
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers import context as langchain_context
from opentelemetry.trace import Tracer

from agenttracer.instrumentation.content import hashed_id
from agenttracer.instrumentation.guard import guarded
from agenttracer.instrumentation.libraries.evidence import failure_of_text
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import StepType

_GRAPH_BUBBLES = ("GraphInterrupt", "GraphBubbleUp", "ParentCommand", "NodeInterrupt")
"""How LangGraph passes control: not failures."""


def switch_on(tracer: Tracer) -> Callable[[], None]:
    """Have every callback manager take the handler along; returns what undoes it."""
    everywhere = _Everywhere(Handler(tracer))
    langchain_context.register_configure_hook(everywhere, inheritable=True)

    def undo() -> None:
        hooks = langchain_context._configure_hooks
        hooks[:] = [hook for hook in hooks if hook[0] is not everywhere]
        everywhere.handler = None

    return undo


class _Everywhere:
    """Stands where LangChain reads a context variable: the same handler in every context."""

    def __init__(self, handler: Handler) -> None:
        self.handler: Handler | None = handler

    def get(self) -> Handler | None:
        return self.handler


class Handler(BaseCallbackHandler):
    """Makes spans of callbacks; takes names, counts and labels from them, never inputs or outputs."""

    run_inline = True  # in the caller's context, so that what runs inside finds its parent

    def __init__(self, tracer: Tracer) -> None:
        self._spans = LibrarySpans(tracer, "langchain")

    @guarded("langchain chain")
    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """A run at the top, a node or a graph inside a graph; other chains are LangChain's inner workings."""
        metadata, name = metadata or {}, options.get("name") or _name(serialized)
        node = metadata.get("langgraph_node")
        if parent_run_id is None:
            named = metadata.get("lc_agent_name") or name
            self._spans.start(run_id, None, StepType.AGENT, named, current=False)
            if metadata.get("thread_id") is not None:
                conversation = hashed_id(metadata["thread_id"], "thread_id")
                self._spans.attribute(run_id, semconv.GEN_AI_CONVERSATION_ID, conversation)
        elif node is not None and name == node and not _is_hidden(options.get("tags")):
            # In asyncio a node starts in the graph's task and ends in its own: what is current would stay so.
            is_async = asyncio._get_running_loop() is not None
            self._spans.start(run_id, parent_run_id, StepType.OTHER, node, current=not is_async)
        elif name == metadata.get("lc_agent_name") and name is not None:
            self._spans.start(run_id, parent_run_id, StepType.AGENT, name, current=False)
        else:
            self._spans.skip(run_id, parent_run_id)

    @guarded("langchain chain")
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id)

    @guarded("langchain chain")
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, error=None if _passes_control(error) else error)

    @guarded("langchain model")
    def on_chat_model_start(self, serialized: Any, messages: Any, **options: Any) -> None:
        self._start_model(serialized, **options)

    @guarded("langchain model")
    def on_llm_start(self, serialized: Any, prompts: Any, **options: Any) -> None:
        self._start_model(serialized, **options)

    def _start_model(
        self,
        serialized: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        invocation_params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        metadata, parameters = metadata or {}, invocation_params or {}
        model = metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name")
        facts = {
            "provider": metadata.get("ls_provider"),
            "temperature": metadata.get("ls_temperature"),
        }
        self._spans.start(run_id, parent_run_id, StepType.MODEL, model or _name(serialized), facts)

    @guarded("langchain model")
    def on_llm_new_token(self, token: Any, *, run_id: UUID, **options: Any) -> None:
        self._spans.first_chunk(run_id)

    @guarded("langchain model")
    def on_llm_end(self, response: Any, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, _answer(response))

    @guarded("langchain model")
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, error=error)

    @guarded("langchain tool")
    def on_tool_start(
        self,
        serialized: Any,
        input_str: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **options: Any,
    ) -> None:
        self._spans.start(run_id, parent_run_id, StepType.TOOL, options.get("name") or _name(serialized))

    @guarded("langchain tool")
    def on_tool_end(self, output: Any, *, run_id: UUID, **options: Any) -> None:
        """A tool whose error was made into an answer for the model has failed all the same."""
        failed = getattr(output, "status", None) == "error"
        self._spans.end(run_id, error=failure_of_text(getattr(output, "content", "")) if failed else None)

    @guarded("langchain tool")
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, error=None if _passes_control(error) else error)

    @guarded("langchain retriever")
    def on_retriever_start(
        self,
        serialized: Any,
        query: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **options: Any,
    ) -> None:
        self._spans.start(run_id, parent_run_id, StepType.RETRIEVE, options.get("name") or _name(serialized))

    @guarded("langchain retriever")
    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, {"result_count": len(documents)})

    @guarded("langchain retriever")
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **options: Any) -> None:
        self._spans.end(run_id, error=error)


def _passes_control(error: BaseException) -> bool:
    return any(base.__name__ in _GRAPH_BUBBLES for base in type(error).__mro__)


def _name(serialized: Any) -> object:
    """What LangChain calls the object: its name, or its class."""
    if not isinstance(serialized, Mapping):
        return None
    path = serialized.get("id")
    return serialized.get("name") or (path[-1] if isinstance(path, list) and path else None)


def _is_hidden(tags: Any) -> bool:
    """LangGraph's mark of the helpers inside a node."""
    return isinstance(tags, list) and "langsmith:hidden" in tags


def _answer(response: Any) -> dict[str, object]:
    """Model, tokens and finish reason of a chat model's answer, or of a completion's."""
    generations = [generation for group in response.generations for generation in group]
    message = getattr(generations[0], "message", None) if generations else None
    about = getattr(message, "response_metadata", None) or {}
    info = (getattr(generations[0], "generation_info", None) or {}) if generations else {}
    usage = getattr(message, "usage_metadata", None) or {}
    output = response.llm_output or {}
    totals = output.get("token_usage") or output.get("usage") or {}
    details = usage.get("input_token_details") or {}
    return {
        "response_model": about.get("model_name") or about.get("model") or output.get("model_name"),
        "input_tokens": usage.get("input_tokens", totals.get("prompt_tokens")),
        "output_tokens": usage.get("output_tokens", totals.get("completion_tokens")),
        "cache_read_tokens": details.get("cache_read"),
        "cache_write_tokens": details.get("cache_creation"),
        "reasoning_tokens": (usage.get("output_token_details") or {}).get("reasoning"),
        "finish_reason": about.get("finish_reason") or about.get("stop_reason") or info.get("finish_reason"),
    }
