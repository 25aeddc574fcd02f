"""The agent's metrics: through the program's MeterProvider, or through one of our own behind a bounded queue.

agent.tasks.pending|completed|failed   agent.uptime      always
process.*  system.*                                      with the extra ``health``
hw.gpu.*                                                 with pynvml, and a GPU
gen_ai.client.*                                          with ``enable_ai_monitoring``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from agenttracer import __version__
from agenttracer.instrumentation.export_queue import ExportQueue
from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.otlp import connector
from agenttracer.instrumentation.run_context import Agent
from agenttracer.instrumentation.tasks import Tasks
from agenttracer.schemas import semconv

if TYPE_CHECKING:
    from agenttracer.instrumentation.setup import Signals


class MetricPipeline:
    """Instruments of the agent, collected when asked."""

    def __init__(self, signals: Signals) -> None:
        self.queue: ExportQueue[Any] | None = None
        self._reader: Any = None
        self._hosts: Any = None
        self._is_counted = False
        self.counts_tasks = False
        """Whether the counts are told; off once closed, for the program's provider keeps its instruments."""
        self.provider: Any = None
        if signals.endpoint is None:
            from opentelemetry.metrics import get_meter_provider

            self.provider = get_meter_provider()
        else:
            from opentelemetry.sdk.metrics import MeterProvider

            from agenttracer.instrumentation.metric_reader import QueueingReader

            connect = connector("metrics", signals.endpoint, signals.headers or {})
            self.queue = ExportQueue(connect, max_items=16, interval_seconds=0)
            self._reader = QueueingReader(self.queue)
            self.provider = MeterProvider([self._reader], resource=signals.resource, shutdown_on_exit=False)

    @property
    def meter(self) -> Meter:
        """The SDK's own meter."""
        return self.provider.get_meter("agenttracer", __version__)

    def count_tasks(self, agent: Agent, tasks: Tasks) -> None:
        """Tell the counts of tasks, and the uptime, at every collection."""
        self.counts_tasks = True
        if self._is_counted:
            return
        self._is_counted = True

        def observe(name: str) -> Any:
            def callback(options: CallbackOptions) -> Iterable[Observation]:
                return [Observation(getattr(tasks, name), agent.attributes)] if self.counts_tasks else []

            return [callback]

        meter = self.meter
        meter.create_observable_up_down_counter(
            semconv.AGENT_TASKS_PENDING, observe("pending"), "{task}", "Runs queued or running"
        )
        meter.create_observable_counter(
            semconv.AGENT_TASKS_COMPLETED, observe("completed"), "{task}", "Runs that ended well"
        )
        meter.create_observable_counter(
            semconv.AGENT_TASKS_FAILED, observe("failed"), "{task}", "Runs that failed"
        )
        meter.create_observable_gauge(
            "agent.uptime", observe("uptime_seconds"), "s", "Time since the agent began to report"
        )

    def watch_host(self) -> None:
        """CPU, memory, disk, network and GPU, as far as the libraries for it are installed."""
        from agenttracer.instrumentation.host_metrics import HostMetrics

        self._hosts = HostMetrics(self.provider, self.meter)

    def collect(self) -> None:
        """Send the present values, where the provider is ours."""
        if self._reader is not None:
            with guard("metrics"):
                self._reader.collect()

    def close(self, timeout_seconds: float) -> None:
        """Send the last values, and let go of everything."""
        if self.queue is not None:
            self.collect()
            self.queue.close(timeout_seconds)
        self.counts_tasks = False
        if self._hosts is not None:
            self._hosts.close()
        if self.queue is not None:
            with guard("metrics"):
                self.provider.shutdown()
