"""The end of OpenTelemetry's log pipeline and the beginning of our queue."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk.resources import Resource

if TYPE_CHECKING:
    from agenttracer.instrumentation.lazy_logs import LazyLoggerProvider


class LogQueueing(sdk_logs.LogRecordProcessor):
    """Puts log records into the provider's queue, with the size of their bodies."""

    def __init__(self, provider: LazyLoggerProvider) -> None:
        self._provider = provider

    def on_emit(self, log_record: sdk_logs.ReadWriteLogRecord) -> None:
        """Queue the record without the context that it would keep alive."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        readable = sdk_logs.ReadableLogRecord(
            log_record=record,
            resource=log_record.resource or Resource.get_empty(),
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        self._provider.queue.put(readable, len(record.body) if isinstance(record.body, bytes) else 0)

    def shutdown(self) -> None:
        """Nothing: the tracer closes the queue."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._provider.force_flush(timeout_millis)
