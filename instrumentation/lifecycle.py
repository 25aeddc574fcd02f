"""An agent's life beyond its runs: it comes up, says how it is, and goes down.

tracer.register(AgentConfig(name="support", category="SUPPORT", capabilities=["refunds"]))
tracer.add_health_check("database", ping)
tracer.start_monitoring()
tracer.deregister()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from agenttracer.instrumentation.content import name_or
from agenttracer.instrumentation.guard import guarded
from agenttracer.instrumentation.records import Records
from agenttracer.schemas.semconv import EventName

if TYPE_CHECKING:
    from agenttracer.instrumentation.agent_config import AgentConfig
    from agenttracer.instrumentation.ai_metrics import AiMetrics
    from agenttracer.instrumentation.health import HealthChecks
    from agenttracer.instrumentation.metrics import MetricPipeline
    from agenttracer.instrumentation.monitor import Monitor
    from agenttracer.instrumentation.monitoring import MonitoringConfig
    from agenttracer.instrumentation.run_context import Agent
    from agenttracer.instrumentation.setup import Signals
    from agenttracer.instrumentation.tasks import Tasks


class Lifecycle(Records):
    """The part of a tracer that speaks of the agent itself. Its machinery loads with its first use."""

    if TYPE_CHECKING:
        agent: Agent
        _signals: Signals
        _tasks: Tasks
        _ai_metrics: AiMetrics | None

        def close(self, timeout_seconds: float | None = None) -> None: ...

    _monitor: Monitor | None = None
    _checks: HealthChecks | None = None
    _pipeline: MetricPipeline | None = None
    _is_registered = False

    @guarded("register")
    def register(self, config: AgentConfig | None = None) -> None:
        """Tell that the agent is up, and who it is: category, type, capabilities, data sources, tags."""
        attributes: Mapping[str, Any] = {} if config is None else config.attributes()
        self._is_registered = True
        self._record(EventName.REGISTERED, attributes)

    @guarded("deregister")
    def deregister(self) -> None:
        """Tell that the agent goes down; once, after a ``register``."""
        if self._is_registered:
            self._is_registered = False
            self._record(EventName.DEREGISTERED, {})

    @guarded("add_health_check")
    def add_health_check(self, name: str, check: Callable[[], Any]) -> None:
        """A function, async or not, that is called at every interval from a thread of the SDK's.

        Well is a result of None or one that is true; an exception, or no answer within 5 s, is not.
        """
        self._health_checks().checks[name_or(name, "check", "health check's name")] = check

    @guarded("start_monitoring")
    def start_monitoring(self, config: MonitoringConfig | Mapping[str, object] | None = None) -> None:
        """Send heartbeats, health checks and metrics from now on; called again, with other intervals.

        In a process forked from this one it goes on with the first run that starts there.
        """
        from agenttracer.instrumentation.ai_metrics import AiMetrics
        from agenttracer.instrumentation.metrics import MetricPipeline
        from agenttracer.instrumentation.monitor import Monitor
        from agenttracer.instrumentation.monitoring import read_monitoring_config

        chosen = read_monitoring_config(config)
        self._stop_monitoring(monotonic() + 1.0)
        pipeline = self._pipeline
        if pipeline is None or pipeline.queue is not None:  # ours was closed; the program's provider goes on
            pipeline = self._pipeline = MetricPipeline(self._signals)
        if chosen.enable_performance_monitoring:
            pipeline.count_tasks(self.agent, self._tasks)
        if chosen.enable_resource_monitoring:
            pipeline.watch_host()
        if chosen.enable_ai_monitoring:
            self._ai_metrics = AiMetrics(pipeline.meter)
        self._monitor = Monitor(chosen, self._health_checks(), pipeline, self._tasks, self._record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        await asyncio.to_thread(self.close)  # it waits for the network, the event loop must not

    def _health_checks(self) -> HealthChecks:
        if self._checks is None:
            from agenttracer.instrumentation.health import HealthChecks

            self._checks = HealthChecks()
        return self._checks

    def _resume_monitoring(self) -> None:
        if self._monitor is not None and not self._monitor.is_of_this_process:
            config, self._monitor = self._monitor.config, None
            self._checks = self._checks and self._checks.fresh()
            self.start_monitoring(config)

    def _flush_monitoring(self, deadline: float) -> bool:
        monitor = self._monitor
        if monitor is None or monitor.pipeline.queue is None:
            return True
        monitor.pipeline.collect()
        return monitor.pipeline.queue.flush(max(0.0, deadline - monotonic()))

    def _stop_monitoring(self, deadline: float) -> None:
        monitor, self._monitor, self._ai_metrics = self._monitor, None, None
        if monitor is not None and monitor.is_of_this_process:
            monitor.stop(deadline)
