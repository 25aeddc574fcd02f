"""A logger provider that loads OpenTelemetry's log SDK with the first event, not with the import.

    LazyLoggerProvider(resource, queue).get_logger("agenttracer").emit(event_name="agent.run.started", …)

The log SDK is a third of the time that OpenTelemetry takes to import, and many programs import a tracer
that they never use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import Logger, LoggerProvider
from opentelemetry.sdk.resources import Resource

from agenttracer.instrumentation.export_queue import ExportQueue

if TYPE_CHECKING:
    from opentelemetry.sdk import _logs as sdk_logs


class LazyLoggerProvider(LoggerProvider):
    """An SDK provider over a queue, made when first needed."""

    def __init__(self, resource: Resource, queue: ExportQueue[sdk_logs.ReadableLogRecord]) -> None:
        self.queue = queue
        self._resource = resource
        self._provider: sdk_logs.LoggerProvider | None = None

    def get_logger(self, name: str, *scope: Any, **options: Any) -> Logger:
        """A logger that costs nothing until it emits."""
        return _LazyLogger(self, name, scope, options)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self.queue.flush(timeout_millis / 1000)

    def load(self) -> sdk_logs.LoggerProvider:
        """The SDK's provider."""
        if self._provider is None:  # no lock: it may be held at a fork, and a second provider does no harm
            from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider

            from agenttracer.instrumentation.log_queueing import LogQueueing

            provider = SdkLoggerProvider(resource=self._resource, shutdown_on_exit=False)
            provider.add_log_record_processor(LogQueueing(self))
            self._provider = provider
        return self._provider


class _LazyLogger(Logger):
    def __init__(
        self, provider: LazyLoggerProvider, name: str, scope: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        super().__init__(name)
        self._provider = provider
        self._scope = scope
        self._options = options
        self._logger: Logger | None = None

    def emit(self, *record: Any, **fields: Any) -> None:
        if self._logger is None:
            self._logger = self._provider.load().get_logger(self._name, *self._scope, **self._options)
        self._logger.emit(*record, **fields)

    def enabled(self, *severity: Any, **options: Any) -> bool:
        return True
