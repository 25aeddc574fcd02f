"""An OpenAI Agents agent: a plan, a retrieval inside a tool that then fails, an answer; then a model that refuses."""

from __future__ import annotations

from fake_openai import fake_openai
from zero_code import finish, must_raise, secret, switch_on

switch_on()

from agents import Agent, RunConfig, Runner, function_tool  # noqa: E402
from agents.models.openai_responses import OpenAIResponsesModel  # noqa: E402
from openai import AsyncOpenAI, RateLimitError  # noqa: E402

from agenttracer import AgentTracer, current_run  # noqa: E402

tracer = AgentTracer("support", "1.0.0")


@function_tool
def order_service(query: str) -> str:
    """CANARY-tool description"""
    with current_run().step("retrieve", "search_kb") as step:
        step.add_metadata({"result_count": 2})
    raise TimeoutError(secret("tool error"))


def ask(base_url: str, model: str) -> None:
    """One run."""
    client = AsyncOpenAI(api_key=secret("key"), base_url=base_url, max_retries=0)
    agent = Agent(
        name="Support Agent",
        instructions=secret("system prompt"),
        tools=[order_service],
        model=OpenAIResponsesModel(model, client),
    )
    config = RunConfig(
        workflow_name="support", group_id="thread-1", trace_metadata={"note": secret("metadata")}
    )
    Runner.run_sync(agent, secret("prompt"), run_config=config)


with fake_openai() as base_url:
    with tracer.start_run() as run:
        with run.step("plan", "choose_actions"):
            pass
        ask(base_url, "small-1")
    must_raise(lambda: ask(base_url, "broken"), RateLimitError)
finish()
