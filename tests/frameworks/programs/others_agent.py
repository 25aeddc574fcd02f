"""One call of each framework that has spans of its own or of an upstream instrumentor, against a fake OpenAI."""

from __future__ import annotations

import os
import sys
from typing import Any

from fake_openai import fake_openai
from zero_code import finish, secret, switch_on

switch_on()


def strands(base_url: str) -> None:
    from strands import Agent, tool
    from strands.models.openai import OpenAIModel

    @tool
    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return secret("tool result")

    model = OpenAIModel(client_args={"api_key": "key", "base_url": base_url}, model_id="small-1")
    Agent(model=model, tools=[order_service], callback_handler=None, name="support")(secret("prompt"))


def smolagents(base_url: str) -> None:
    from smolagents import OpenAIServerModel, ToolCallingAgent, tool

    @tool
    def order_service(query: str) -> str:
        """CANARY-tool description

        Args:
            query: what to look for
        """
        return secret("tool result")

    model = OpenAIServerModel("small-1", api_base=base_url, api_key="key")
    ToolCallingAgent([order_service], model, max_steps=1, verbosity_level=0).run(secret("prompt"))


def haystack(base_url: str) -> None:
    from haystack import Pipeline
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret

    pipeline = Pipeline()
    generator = OpenAIChatGenerator(Secret.from_token("key"), model="small-1", api_base_url=base_url)
    pipeline.add_component("llm", generator)
    pipeline.run({"llm": {"messages": [ChatMessage.from_user(secret("prompt"))]}})


def agno(base_url: str) -> None:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return secret("tool result")

    model = OpenAIChat(id="small-1", api_key="key", base_url=base_url)
    Agent(model=model, tools=[order_service], name="support", telemetry=False).run(secret("prompt"))


def dspy(base_url: str) -> None:
    import dspy as library

    lm = library.LM("openai/small-1", api_base=base_url, api_key="key", cache=False)
    with library.context(lm=lm):
        lm(secret("prompt"))


def litellm(base_url: str) -> None:
    import litellm as library

    messages = [{"role": "user", "content": secret("prompt")}]
    library.completion("openai/small-1", messages=messages, api_base=base_url, api_key="key")


def google_adk(base_url: str) -> None:
    import asyncio

    from google.adk.agents import LlmAgent
    from google.adk.models import BaseLlm, LlmResponse
    from google.adk.runners import InMemoryRunner
    from google.genai.types import Content, FunctionCall, GenerateContentResponseUsageMetadata, Part

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return secret("tool result")

    class Model(BaseLlm):
        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            called = any(part.function_response for each in llm_request.contents for part in each.parts)
            call = FunctionCall(name="order_service", args={"query": secret("tool argument")})
            part = Part(text=secret("answer")) if called else Part(function_call=call)
            usage = GenerateContentResponseUsageMetadata(prompt_token_count=12, candidates_token_count=7)
            yield LlmResponse(content=Content(role="model", parts=[part]), usage_metadata=usage)

    async def work() -> None:
        agent = LlmAgent(
            name="support",
            model=Model(model="small-1"),
            tools=[order_service],
            instruction=secret("system prompt"),
        )
        runner = InMemoryRunner(agent, app_name="orders")
        session = await runner.session_service.create_session(app_name="orders", user_id="user-1")
        message = Content(role="user", parts=[Part(text=secret("prompt"))])
        async for _ in runner.run_async(user_id="user-1", session_id=session.id, new_message=message):
            pass

    asyncio.run(work())


CALLS: dict[str, Any] = {
    call.__name__: call for call in (strands, smolagents, haystack, agno, dspy, litellm, google_adk)
}
with fake_openai() as base_url:
    os.environ["OPENAI_API_KEY"] = "key"
    for name in sys.argv[2:]:
        CALLS[name](base_url)
finish()
