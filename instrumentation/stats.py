"""What a program can read about its own telemetry: nothing is lost without a number that says so.

tracer.stats().spans.dropped    {"queue_full": 12, "closed": 0, "not_sent": 0}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agenttracer.instrumentation.export_queue import NO_STATS, QueueStats

if TYPE_CHECKING:
    from agenttracer.instrumentation.setup import Signals


@dataclass(frozen=True)
class TracerStats:
    """Counts since the tracer was made, or since the fork. All zero where the program's own providers send."""

    spans: QueueStats
    """Runs and steps."""
    events: QueueStats
    """Run events, records and artifacts."""
    spooled: int
    """Of both, how many went into the spool."""
    replayed_requests: int
    """Requests sent from the spool."""
    lost_artifacts: int = 0
    """Artifacts that could not be sent and, being content, did not go into the spool."""

    @property
    def dropped(self) -> int:
        """Spans and events lost for any reason."""
        return sum(self.spans.dropped.values()) + sum(self.events.dropped.values()) + self.lost_artifacts


def read_stats(signals: Signals) -> TracerStats:
    """The counts of a tracer's queues and spool."""
    spans, events = (
        NO_STATS if queue is None else queue.stats() for queue in (signals.span_queue, signals.log_queue)
    )
    spool = signals.spool
    if spool is None:
        return TracerStats(spans, events, 0, 0)
    return TracerStats(spans, events, spool.written, spool.replayed, spool.lost_artifacts)
