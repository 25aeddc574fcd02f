"""A sender that keeps what it can't send in a spool, and sends it when the collector is back.

collector there     send; then what the spool holds
collector away      the spool, without asking again for ``retry_seconds``
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

from agenttracer.instrumentation.export_queue import Sender
from agenttracer.instrumentation.guard import warn_once
from agenttracer.instrumentation.spool import Spool
from agenttracer.instrumentation.spool_codec import decode, encode


class SpoolingSender:
    """For the spans or the log records of one queue; used from its thread alone."""

    def __init__(self, sender: Sender[Any], spool: Spool, signal: str, retry_seconds: float = 5.0) -> None:
        self._sender = sender
        self._spool = spool
        self._signal = signal
        self._retry_seconds = retry_seconds
        self._away_until = 0.0
        self._backlog = True  # what an earlier process left

    def send(self, batch: Sequence[Any]) -> bool:
        """True when the batch was sent or is in the spool."""
        if monotonic() >= self._away_until:
            if self._sender.send(batch):
                self._replay()
                return True
            self._away_until = monotonic() + self._retry_seconds
        return self.keep(batch)

    def keep(self, batch: Sequence[Any]) -> bool:
        """Put a batch into the spool without trying to send it; False when there is no room.

        Artifacts are content, and content does not come to rest on this machine: they are lost, and counted.
        """
        self._backlog = True
        if self._signal == "logs":
            free = [item for item in batch if item.log_record.body is None]
            self._spool.lost_artifacts += len(batch) - len(free)
            batch = free
        return not batch or self._spool.write(self._signal, encode(self._signal, batch), len(batch))

    def shutdown(self) -> None:
        """Close the connection; what is in the spool stays."""
        self._sender.shutdown()

    def _replay(self) -> None:
        if self._backlog:
            self._backlog = not self._spool.replay(self._signal, self._resend)
            if self._backlog:
                self._away_until = monotonic() + self._retry_seconds

    def _resend(self, payload: bytes) -> bool:
        try:
            batch = decode(self._signal, payload)
        except ValueError:  # nobody can send it, now or later
            warn_once("spool:file", "agenttracer: a file in the spool was not an OTLP request and is deleted")
            return True
        return self._sender.send(batch)
