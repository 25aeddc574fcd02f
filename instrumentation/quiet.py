"""Keeps OpenTelemetry's exporters from filling the program's log while a collector is away.

They log every attempt. Of what they log in our threads one line a message and five minutes passes; what they
log for the program's own exporters is left alone.
"""

from __future__ import annotations

import logging
from threading import current_thread
from time import monotonic
from typing import Final

THREAD_NAME: Final = "agenttracer-export"

_INTERVAL_SECONDS: Final = 300.0
_LOGGERS: Final = tuple(
    f"opentelemetry.exporter.{name}"
    for name in (
        "otlp.common.http",
        "otlp.proto.grpc.exporter",
        "otlp.proto.http._common",
        "otlp.proto.http._log_exporter",
        "otlp.proto.http.metric_exporter",
        "otlp.proto.http.trace_exporter",
    )
)


class Quiet(logging.Filter):
    """Lets a message of our threads pass once an interval."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}
        self._users = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if current_thread().name != THREAD_NAME:
            return True
        topic = f"{record.name}:{record.msg}"
        now = monotonic()
        if now - self._passed.get(topic, -_INTERVAL_SECONDS) < _INTERVAL_SECONDS:
            return False
        self._passed[topic] = now
        return True

    def begin(self) -> None:
        """An export queue has connected."""
        self._users += 1
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)  # a second time does nothing

    def end(self) -> None:
        """It has let go; the last one takes the filter away."""
        self._users -= 1
        if self._users <= 0:
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(self)


QUIET: Final = Quiet()
"""The process's."""
