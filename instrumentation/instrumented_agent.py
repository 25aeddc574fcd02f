"""A base class for agents: it registers, turns each task into a run, sends heartbeats, and says goodbye.

    class MyAgent(InstrumentedAgent):
        async def execute_task(self, task):
            with self.step("plan", "choose"):
                ...
            return {"status": "completed"}

    agent = MyAgent(AgentConfig(name="my_agent", version="1.0.0", category="OPERATIONAL"))
    await agent.initialize()
    await agent.execute_task({"type": "analysis"})       # a run
    await agent.cleanup()

Tasks and results stay in the process.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from functools import wraps
from types import TracebackType
from typing import Any, Self

from agenttracer.instrumentation.agent_config import AgentConfig
from agenttracer.instrumentation.current import current_run
from agenttracer.instrumentation.monitoring import MonitoringConfig
from agenttracer.instrumentation.run import Run
from agenttracer.instrumentation.run_context import current_position
from agenttracer.instrumentation.step import Step
from agenttracer.instrumentation.tracer import AgentTracer


class InstrumentedAgent:
    """An agent with a tracer of its own, unless it is given one. ``execute_task`` may be async or not.

    ``options``: what ``AgentTracer`` takes, as ``api_url``.
    """

    def __init__(
        self,
        config: AgentConfig,
        *,
        tracer: AgentTracer | None = None,
        monitoring: MonitoringConfig | Mapping[str, object] | None = None,
        **options: Any,
    ) -> None:
        self.config = config
        self._owns_tracer = tracer is None
        self.tracer = tracer or AgentTracer(
            config.name, config.version, environment=config.environment, **options
        )
        self._monitoring = monitoring

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "execute_task" in cls.__dict__:
            cls.execute_task = _as_run(cls.__dict__["execute_task"])  # type: ignore[method-assign]

    async def initialize(self) -> None:
        """Register the agent and begin to send heartbeats."""
        self.tracer.register(self.config)
        self.tracer.start_monitoring(self._monitoring)

    async def execute_task(self, task: Any) -> Any:
        """The agent's work, to be overridden; each call is a run."""
        raise NotImplementedError

    def get_capabilities(self) -> list[str]:
        """What the agent says it can do."""
        return list(self.config.capabilities)

    async def cleanup(self) -> None:
        """Deregister and send what waits; a tracer that the agent was given stays open."""
        self.tracer.deregister()
        await asyncio.to_thread(self.tracer.close if self._owns_tracer else self.tracer.flush)

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cleanup()

    @property
    def run(self) -> Run:
        """The run of the task at hand."""
        return current_run()

    def step(self, type: str, name: str, *, metadata: Mapping[str, object] | None = None) -> Step:
        """A step of the task at hand, to be used in a ``with``."""
        return self.run.step(type, name, metadata=metadata)

    def store_memory(
        self,
        content: object,
        kind: str = "fact",
        importance: float | None = None,
        memory_id: str | None = None,
    ) -> str:
        """See ``run.store_memory``."""
        return self.run.store_memory(content, kind, importance, memory_id)

    def search_memory(self, name: str = "search_memory") -> Step:
        """See ``run.search_memory``."""
        return self.run.search_memory(name)

    def record_metric(self, key: str, value: float | str, unit: str | None = None) -> None:
        """One measured value, of the task at hand or else of the agent."""
        (self.tracer if current_position() is None else self.run).record_metric(key, value, unit)


def _as_run(execute_task: Any) -> Any:
    if inspect.iscoroutinefunction(execute_task):

        @wraps(execute_task)
        async def in_run(self: InstrumentedAgent, *arguments: Any, **options: Any) -> Any:
            if _is_inside(self):
                return await execute_task(self, *arguments, **options)
            with self.tracer.start_run(input=_task(arguments, options)):
                return await execute_task(self, *arguments, **options)

        return in_run

    @wraps(execute_task)
    def run(self: InstrumentedAgent, *arguments: Any, **options: Any) -> Any:
        if _is_inside(self):
            return execute_task(self, *arguments, **options)
        with self.tracer.start_run(input=_task(arguments, options)):
            return execute_task(self, *arguments, **options)

    return run


def _is_inside(agent: InstrumentedAgent) -> bool:
    """Whether a subclass's task calls its base class's: one run, not two."""
    position = current_position()
    return position is not None and position.scope.agent is agent.tracer.agent


def _task(arguments: tuple[Any, ...], options: Mapping[str, Any]) -> object:
    return arguments[0] if arguments else options.get("task")
