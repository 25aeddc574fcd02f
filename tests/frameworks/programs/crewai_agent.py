"""A CrewAI crew: a plan, a retrieval inside a tool that then fails, an answer; then a model that refuses."""

from __future__ import annotations

import os

from fake_openai import fake_openai
from zero_code import finish, must_raise, secret, switch_on

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "OTEL_SDK_DISABLED": "false",
    "CREWAI_TRACING_ENABLED": "false",
}
switch_on()

from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import BaseTool  # noqa: E402

from agenttracer import AgentTracer, current_run  # noqa: E402

tracer = AgentTracer("support", "1.0.0")


class OrderService(BaseTool):
    """Always late."""

    name: str = "order_service"
    description: str = "CANARY-tool description"

    def _run(self, query: str) -> str:
        with current_run().step("retrieve", "search_kb") as step:
            step.add_metadata({"result_count": 2})
        raise TimeoutError(secret("tool error"))


def ask(base_url: str, model: str) -> None:
    """One run of the crew."""
    llm = LLM(model=f"openai/{model}", api_key=secret("key"), base_url=base_url, max_retries=0)
    agent = Agent(
        role="Support Agent",
        goal=secret("goal"),
        backstory=secret("backstory"),
        llm=llm,
        tools=[OrderService()],
        max_retry_limit=0,
    )
    task = Task(description=secret("prompt"), expected_output=secret("expected output"), agent=agent)
    Crew(name="support", agents=[agent], tasks=[task], tracing=False).kickoff({"who": secret("input")})


with fake_openai() as base_url:
    with tracer.start_run() as run:
        with run.step("plan", "choose_actions"):
            pass
        ask(base_url, "small-1")
    must_raise(lambda: ask(base_url, "broken"), Exception)
finish()
