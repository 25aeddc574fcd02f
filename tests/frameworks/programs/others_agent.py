"""Agents of frameworks that have spans of their own or of an upstream instrumentor, against a fake OpenAI.

Each is asked twice: a run with a plan, a tool that retrieves and then fails, and an answer; then a model that is
not there.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from fake_openai import fake_openai
from zero_code import finish, must_raise, secret, switch_on

switch_on()

from agenttracer import AgentTracer, current_run  # noqa: E402

tracer = AgentTracer("support", "1.0.0")


def look_up() -> str:
    """What the tool of every agent does."""
    with current_run().step("retrieve", "search_kb") as step:
        step.add_metadata({"result_count": 2})
    raise TimeoutError(secret("tool error"))


def strands(base_url: str, model_name: str) -> None:
    from strands import Agent, tool
    from strands.models.openai import OpenAIModel

    @tool
    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    model = OpenAIModel(client_args={"api_key": "key", "base_url": base_url}, model_id=model_name)
    Agent(model=model, tools=[order_service], callback_handler=None, name="support")(secret("prompt"))


def smolagents(base_url: str, model_name: str) -> None:
    from smolagents import OpenAIServerModel, ToolCallingAgent, tool

    @tool
    def order_service(query: str) -> str:
        """CANARY-tool description

        Args:
            query: what to look for
        """
        return look_up()

    model = OpenAIServerModel(model_name, api_base=base_url, api_key="key")
    agent = ToolCallingAgent([order_service], model, max_steps=1, verbosity_level=0, name="support")
    agent.run(secret("prompt"))


def haystack(base_url: str, model_name: str) -> None:
    from haystack import Pipeline
    from haystack.components.agents import Agent
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.tools import tool
    from haystack.utils import Secret

    @tool
    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    generator = OpenAIChatGenerator(Secret.from_token("key"), model=model_name, api_base_url=base_url)
    agent = Agent(chat_generator=generator, tools=[order_service], system_prompt=secret("system prompt"))
    pipeline = Pipeline()
    pipeline.add_component("support", agent)
    pipeline.run({"support": {"messages": [ChatMessage.from_user(secret("prompt"))]}})


def agno(base_url: str, model_name: str) -> None:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    model = OpenAIChat(id=model_name, api_key="key", base_url=base_url)
    Agent(model=model, tools=[order_service], name="support", telemetry=False).run(secret("prompt"))


def dspy(base_url: str, model_name: str) -> None:
    import dspy as library
    from dspy.utils import DummyLM

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    thought = {"next_thought": secret("thought"), "next_tool_args": {"query": secret("argument")}}
    answers = [
        thought | {"next_tool_name": "order_service"},
        thought | {"next_tool_name": "finish", "next_tool_args": {}},
        {"reasoning": secret("thought"), "answer": secret("answer")},
    ]
    lm: Any = DummyLM(answers)
    if model_name == "absent":
        lm = library.LM(f"openai/{model_name}", api_base=base_url, api_key="key", cache=False, num_retries=0)
    with library.context(lm=lm):
        library.ReAct("question -> answer", tools=[order_service], max_iters=2)(question=secret("prompt"))


def agent_framework(base_url: str, model_name: str) -> None:
    import asyncio

    from agent_framework import (
        Agent,
        BaseChatClient,
        ChatResponse,
        Content,
        FunctionInvocationLayer,
        Message,
        UsageDetails,
    )
    from agent_framework.observability import ChatTelemetryLayer
    from openai import AsyncOpenAI

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    class Client(FunctionInvocationLayer, ChatTelemetryLayer, BaseChatClient):
        OTEL_PROVIDER_NAME = "openai"

        async def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **rest: Any) -> Any:
            called = any(part.type == "function_result" for each in messages for part in each.contents)
            if model_name == "absent":
                async with AsyncOpenAI(api_key="key", base_url=base_url) as client:
                    await client.chat.completions.create(model=model_name, messages=[])
            call = Content.from_function_call(
                "call_1", "order_service", arguments={"query": secret("argument")}
            )
            part = Content.from_text(secret("answer")) if called else call
            usage = UsageDetails(input_token_count=12, output_token_count=7)
            return ChatResponse(
                messages=[Message("assistant", [part])], model=model_name, usage_details=usage
            )

    agent = Agent(Client(), secret("instructions"), name="support", tools=[order_service])
    asyncio.run(agent.run(secret("prompt")))


def anthropic(base_url: str, model_name: str) -> None:
    from anthropic import Anthropic

    client = Anthropic(api_key="key", base_url=base_url.removesuffix("/v1"), max_retries=0)
    message = {"role": "user", "content": secret("prompt")}
    client.messages.create(model=model_name, max_tokens=10, messages=[message])


def openai(base_url: str, model_name: str) -> None:
    from openai import OpenAI

    messages = [{"role": "user", "content": secret("prompt")}]
    OpenAI(api_key="key", base_url=base_url).chat.completions.create(model=model_name, messages=messages)


def litellm(base_url: str, model_name: str) -> None:
    import litellm as library

    messages = [{"role": "user", "content": secret("prompt")}]
    library.completion(f"openai/{model_name}", messages=messages, api_base=base_url, api_key="key")


def autogen(base_url: str, model_name: str) -> None:
    import asyncio

    from autogen_agentchat.agents import AssistantAgent
    from autogen_core import FunctionCall
    from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, ModelInfo, RequestUsage
    from openai import AsyncOpenAI

    async def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    class Client(ChatCompletionClient):
        model_info = ModelInfo(
            vision=False,
            function_calling=True,
            json_output=False,
            structured_output=False,
            family=ModelFamily.UNKNOWN,
        )
        capabilities = model_info

        async def create(self, messages: Any, **options: Any) -> CreateResult:
            if model_name == "absent":
                async with AsyncOpenAI(api_key="key", base_url=base_url) as client:
                    await client.chat.completions.create(model=model_name, messages=[])
            called = any(each.type == "FunctionExecutionResultMessage" for each in messages)
            call = FunctionCall(id="call_1", name="order_service", arguments='{"query": "CANARY-argument"}')
            usage = RequestUsage(prompt_tokens=12, completion_tokens=7)
            content = secret("answer") if called else [call]
            reason = "stop" if called else "function_calls"
            return CreateResult(finish_reason=reason, content=content, usage=usage, cached=False)

        async def create_stream(self, *arguments: Any, **options: Any) -> Any:
            raise NotImplementedError

        async def close(self) -> None: ...

        def actual_usage(self) -> RequestUsage:
            return RequestUsage(prompt_tokens=12, completion_tokens=7)

        total_usage = actual_usage

        def count_tokens(self, *arguments: Any, **options: Any) -> int:
            return 12

        remaining_tokens = count_tokens

    agent = AssistantAgent("support", Client(), tools=[order_service], reflect_on_tool_use=True)
    asyncio.run(agent.run(task=secret("prompt")))


def google_adk(base_url: str, model_name: str) -> None:
    import asyncio

    from google.adk.agents import LlmAgent
    from google.adk.models import BaseLlm, LlmResponse
    from google.adk.runners import InMemoryRunner
    from google.genai.errors import ClientError
    from google.genai.types import Content, FunctionCall, GenerateContentResponseUsageMetadata, Part

    def order_service(query: str) -> str:
        """CANARY-tool description"""
        return look_up()

    class Model(BaseLlm):
        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            if self.model == "absent":
                raise ClientError(404, {"error": {"message": secret("model error"), "status": "NOT_FOUND"}})
            call = FunctionCall(name="order_service", args={"query": secret("tool argument")})
            usage = GenerateContentResponseUsageMetadata(prompt_token_count=12, candidates_token_count=7)
            yield LlmResponse(
                content=Content(role="model", parts=[Part(function_call=call)]), usage_metadata=usage
            )

    async def work() -> None:
        agent = LlmAgent(
            name="support",
            model=Model(model=model_name),
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
    call.__name__: call
    for call in (
        strands,
        smolagents,
        haystack,
        agno,
        dspy,
        agent_framework,
        anthropic,
        openai,
        litellm,
        autogen,
        google_adk,
    )
}


def refused(name: str) -> None:
    """A run whose model is not there."""
    with tracer.start_run(name, run_id=f"{name}-refused"):
        CALLS[name](base_url, "absent")


with fake_openai() as base_url:
    os.environ["OPENAI_API_KEY"] = "key"
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"  # else it looks for prices on the internet
    for name in sys.argv[2:]:
        with suppress(TimeoutError), tracer.start_run(name, run_id=name) as run:
            with run.step("plan", "choose_actions"):
                pass
            CALLS[name](base_url, "small-1")
        if name == "agno":
            refused(name)  # which answers with the error instead of raising it
        else:
            must_raise(partial(refused, name), Exception)
finish()
