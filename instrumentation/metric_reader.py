"""The end of OpenTelemetry's metric pipeline and the beginning of our queue."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from agenttracer.instrumentation.export_queue import ExportQueue


class QueueingReader(MetricReader):
    """Puts each collection into the queue; it has no thread and no interval of its own."""

    def __init__(self, queue: ExportQueue[Any]) -> None:
        super().__init__()
        self._queue = queue

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        self._queue.put(metrics_data)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing: the pipeline closes the queue."""
