"""The base class for agents: from ``initialize`` to ``cleanup``."""

import asyncio
from typing import Any

import pytest

from agenttracer import AgentConfig, InstrumentedAgent
from tests.sdk_fakes import Recording, grpc_collector

CONFIG = AgentConfig(
    name="support", version="1.2.3", category="OPERATIONAL", capabilities=["data_analysis", "reporting"]
)


class Analyst(InstrumentedAgent):
    """An agent as its author writes it."""

    async def execute_task(self, task: dict[str, Any]) -> dict[str, Any]:
        with self.step("plan", "choose"):
            pass
        self.store_memory("Bob prefers tea", importance=0.8)
        with self.search_memory() as step:
            step.add_metadata({"result_count": 1})
        self.record_metric("confidence", 0.9)
        if task.get("fails"):
            raise TimeoutError("Bob")
        return {"status": "completed", "run": self.run.id}


class Senior(Analyst):
    """An agent built upon another."""

    async def execute_task(self, task: dict[str, Any]) -> dict[str, Any]:
        return await super().execute_task(task)


class Plain(InstrumentedAgent):
    """An agent that isn't async."""

    def execute_task(self, task: dict[str, Any]) -> str:  # type: ignore[override]
        return str(self.run.id)


def test_each_task_is_a_run() -> None:
    """With its steps, memory and metrics; also when a task calls its base class's; no content leaves."""
    recording = Recording()
    agent = Senior(CONFIG, tracer=recording.tracer)

    result = asyncio.run(agent.execute_task({"type": "analysis", "data": "Bob"}))

    assert result["run"] == recording.root["agent.run.id"]
    assert ("type:string", "data:string") == recording.root["agent.run.input.fields"]
    assert [
        "plan choose",
        "upsert_memory store_memory",
        "search_memory search_memory",
        "invoke_agent support",
    ] == [span.name for span in recording.spans]
    assert ["agent.run.started", "agent.memory", "agent.metric"] == [
        event.event_name for event in recording.events
    ]
    assert "Bob" not in "".join(str(span.to_json()) for span in recording.spans)


def test_a_failing_task_raises_its_own_exception() -> None:
    """And the run failed."""
    recording = Recording()
    agent = Analyst(CONFIG, tracer=recording.tracer)

    with pytest.raises(TimeoutError):
        asyncio.run(agent.execute_task({"fails": True}))

    assert ("failure", "timeout") == (
        recording.root["agent.run.status"],
        recording.root["agent.failure.code"],
    )


def test_a_task_may_be_a_plain_function() -> None:
    """Each call is a run of its own."""
    recording = Recording()
    agent = Plain(CONFIG, tracer=recording.tracer)

    assert 2 == len({agent.execute_task({}), agent.execute_task({})})
    assert 2 == len(recording.spans)


def test_it_registers_beats_and_says_goodbye() -> None:
    """``initialize`` and ``cleanup``, or ``async with``; everything is sent when it returns."""

    async def main(port: int) -> list[str]:
        async with Analyst(CONFIG, api_url=f"http://127.0.0.1:{port}") as agent:
            await agent.execute_task({})
            agent.record_metric("accuracy", 0.95)
            return agent.get_capabilities()

    with grpc_collector() as collector:
        capabilities = asyncio.run(main(collector.port))

    assert ["data_analysis", "reporting"] == capabilities
    events = [record.event_name for record in collector.records]
    assert ("agent.registered", "agent.deregistered") == (events[0], events[-1])
    assert {"agent.heartbeat", "agent.metric", "agent.run.started"} <= set(events)
    assert 4 == len(collector.spans)


def test_the_base_class_has_no_task_of_its_own() -> None:
    """An agent without ``execute_task`` says so."""
    with pytest.raises(NotImplementedError):
        asyncio.run(InstrumentedAgent(CONFIG, tracer=Recording().tracer).execute_task({}))
