"""The thread that reports how an agent is, at the intervals of its monitoring configuration."""

from __future__ import annotations

import os
from threading import Event, Thread
from time import monotonic

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.health import Emit, HealthChecks
from agenttracer.instrumentation.metrics import MetricPipeline
from agenttracer.instrumentation.monitoring import MonitoringConfig
from agenttracer.instrumentation.tasks import Tasks


class Monitor:
    """Runs until ``stop``; not in a forked child, see ``is_of_this_process``."""

    def __init__(
        self,
        config: MonitoringConfig,
        checks: HealthChecks,
        pipeline: MetricPipeline,
        tasks: Tasks,
        emit: Emit,
    ) -> None:
        self.config = config
        self.pipeline = pipeline
        self._checks = checks
        self._tasks = tasks
        self._emit = emit
        self._process_id = os.getpid()
        self._stopped = Event()
        self._thread = Thread(target=self._work, name="agenttracer-health", daemon=True)
        self._thread.start()

    @property
    def is_of_this_process(self) -> bool:
        """False in a forked child, which has no copy of the thread."""
        return self._process_id == os.getpid()

    def stop(self, deadline: float) -> None:
        """End the thread, with the metrics' last values sent where there is time."""
        self._stopped.set()
        self._thread.join(max(0.0, min(1.0, deadline - monotonic())))
        self.pipeline.close(max(0.0, deadline - monotonic()))

    def _work(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        health_due = monotonic()
        metrics_due = health_due + self.config.metrics_interval_seconds
        while not self._stopped.is_set():
            now = monotonic()
            if now >= health_due:
                with guard("health"):
                    self._checks.report(self._emit, self._tasks)
                health_due = now + self.config.health_check_interval_seconds
            if now >= metrics_due:
                self.pipeline.collect()
                metrics_due = now + self.config.metrics_interval_seconds
            self._stopped.wait(max(0.0, min(health_due, metrics_due) - monotonic()))
