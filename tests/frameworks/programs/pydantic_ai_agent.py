"""A Pydantic AI agent: a plan, a tool that fails, a retrieval, an answer; then a model that refuses."""

from __future__ import annotations

from fake_openai import fake_openai
from zero_code import finish, must_raise, secret, switch_on

switch_on()

from openai import AsyncOpenAI  # noqa: E402
from pydantic_ai import Agent, ModelRetry  # noqa: E402
from pydantic_ai.exceptions import ModelHTTPError  # noqa: E402
from pydantic_ai.models.openai import OpenAIChatModel  # noqa: E402
from pydantic_ai.providers.openai import OpenAIProvider  # noqa: E402

from agenttracer import AgentTracer  # noqa: E402

tracer = AgentTracer("support", "1.0.0")


def build(base_url: str, model: str) -> Agent:
    """The agent."""
    client = AsyncOpenAI(api_key=secret("key"), base_url=base_url, max_retries=0)
    provider = OpenAIProvider(openai_client=client)
    agent = Agent(
        OpenAIChatModel(model, provider=provider), name="support", instructions=secret("system prompt")
    )

    @agent.tool_plain(retries=2)
    def order_service(query: str) -> str:
        """CANARY-tool description"""
        raise ModelRetry(secret("tool error"))

    return agent


with fake_openai() as base_url:
    with tracer.start_run(user_id="customer-17") as run:
        with run.step("plan", "choose_actions"):
            pass
        with run.step("retrieve", "search_kb") as step:
            step.add_metadata({"result_count": 2})
        build(base_url, "small-1").run_sync(secret("prompt"))
    must_raise(lambda: build(base_url, "broken").run_sync(secret("prompt")), ModelHTTPError)
finish()
