"""A LlamaIndex agent: a plan, a retrieval, a tool that fails, an answer; then a model that refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from zero_code import finish, must_raise, secret, switch_on

switch_on()

from llama_index.core.agent.workflow import FunctionAgent  # noqa: E402
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole  # noqa: E402
from llama_index.core.llms.callbacks import llm_chat_callback  # noqa: E402
from llama_index.core.llms.function_calling import FunctionCallingLLM  # noqa: E402
from llama_index.core.retrievers import BaseRetriever  # noqa: E402
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode  # noqa: E402
from llama_index.core.tools import FunctionTool, ToolSelection  # noqa: E402

from agenttracer import AgentTracer  # noqa: E402

tracer = AgentTracer("support", "1.0.0")


class RateLimitError(Exception):
    """As OpenAI's client calls it."""

    status_code = 429


class Model(FunctionCallingLLM):
    """Calls the tool once, then answers."""

    broken: bool = False

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="small-1", is_function_calling_model=True)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        return self._answer(messages, **options)

    def _answer(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        if self.broken:
            raise RateLimitError(secret("model error"))
        asked = not any(message.role == MessageRole.TOOL for message in messages)
        raw = {
            "model": "small-1-2026",
            "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
        }
        calls = {"tool_calls": [{"id": "call_1"}] if asked and options.get("tools") else []}
        message = ChatMessage(role="assistant", content=secret("answer"), additional_kwargs=calls)
        return ChatResponse(message=message, raw=raw)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        return self._answer(messages, **options)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> Any:
        yield self._answer(messages, **options)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> Any:
        async def answer() -> Any:
            yield self._answer(messages, **options)

        return answer()

    def complete(self, prompt: str, **options: Any) -> Any:
        raise NotImplementedError

    acomplete = stream_complete = astream_complete = complete

    def _prepare_chat_with_tools(self, tools: Sequence[Any], chat_history: Any = None, **options: Any) -> Any:
        return {"messages": chat_history, "tools": [tool.metadata.name for tool in tools]}

    def get_tool_calls_from_response(self, response: ChatResponse, **options: Any) -> list[ToolSelection]:
        calls = response.message.additional_kwargs.get("tool_calls", [])
        arguments = {"query": secret("tool argument")}
        return [
            ToolSelection(tool_id="call_1", tool_name="order_service", tool_kwargs=arguments) for _ in calls
        ]


class KnowledgeBase(BaseRetriever):
    """Finds two documents."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes = [TextNode(text=secret(f"document {n}"), metadata={"owner": secret("owner")}) for n in (1, 2)]
        return [NodeWithScore(node=node, score=0.5) for node in nodes]


def order_service(query: str) -> str:
    """CANARY-tool description"""
    raise TimeoutError(secret("tool error"))


async def ask(model: Model) -> None:
    """One run of the agent."""
    tool = FunctionTool.from_defaults(order_service)
    agent = FunctionAgent(name="support", tools=[tool], llm=model, system_prompt=secret("system prompt"))
    await agent.run(secret("prompt"))


with tracer.start_run() as run:
    with run.step("plan", "choose_actions"):
        pass
    KnowledgeBase().retrieve(secret("query"))
    asyncio.run(ask(Model()))
must_raise(lambda: asyncio.run(ask(Model(broken=True))), RateLimitError)
finish()
