"""A LangGraph agent: a planning node, a retriever, a tool that fails, an answer; then a model that refuses."""

from __future__ import annotations

import asyncio
from typing import Any

from zero_code import finish, must_raise, secret, switch_on

switch_on()

from langchain_core.callbacks import CallbackManagerForRetrieverRun  # noqa: E402
from langchain_core.documents import Document  # noqa: E402
from langchain_core.language_models import BaseChatModel  # noqa: E402
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage  # noqa: E402
from langchain_core.outputs import ChatGeneration, ChatResult  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langgraph.graph import END, START, MessagesState, StateGraph  # noqa: E402
from langgraph.prebuilt import ToolNode  # noqa: E402


class RateLimitError(Exception):
    """As OpenAI's client calls it."""

    status_code = 429


class Model(BaseChatModel):
    """Plans, calls the tool, answers."""

    model_name: str = "small-1"
    broken: bool = False

    @property
    def _llm_type(self) -> str:
        return "fake"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _generate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        if self.broken:
            raise RateLimitError(secret("model error"))
        asked = str(messages[-1].content)
        calls = []
        if messages[-1].type == "human" and "orders" in asked:
            calls = [{"name": "order_service", "args": {"query": secret("tool argument")}, "id": "call_1"}]
        message = AIMessage(
            secret("answer"),
            tool_calls=calls,
            usage_metadata={"input_tokens": 12, "output_tokens": 7, "total_tokens": 19},
            response_metadata={"model_name": "small-1-2026", "finish_reason": "stop"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


class KnowledgeBase(BaseRetriever):
    """Finds two documents."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(secret(f"document {n}"), metadata={"owner": secret("metadata")}) for n in (1, 2)]


@tool
def order_service(query: str) -> str:
    """CANARY-tool description"""
    raise TimeoutError(secret("tool error"))


def build(model: Model) -> Any:
    """The graph."""

    def plan(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke([SystemMessage(secret("system prompt")), *state["messages"]])]}

    def search(state: MessagesState) -> dict[str, Any]:
        KnowledgeBase(name="search_kb").invoke(secret("query"))
        return {"messages": [HumanMessage(f"orders? {secret('prompt')}")]}

    def act(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    for name, node in (("plan", plan), ("search", search), ("act", act), ("answer", answer)):
        graph.add_node(name, node)
    graph.add_node("tools", ToolNode([order_service], handle_tool_errors=True))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "search")
    graph.add_edge("search", "act")
    graph.add_edge("act", "tools")
    graph.add_edge("tools", "answer")
    graph.add_edge("answer", END)
    return graph.compile(name="support")


question = {"messages": [HumanMessage(secret("prompt"))]}
options = {"configurable": {"thread_id": "thread-1"}, "metadata": {"note": secret("metadata")}}
build(Model()).invoke(question, options)
must_raise(lambda: asyncio.run(build(Model(broken=True)).ainvoke(question, options)), RateLimitError)
finish()
