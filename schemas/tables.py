"""Which tables a batch of each signal has, and their columns: decoded, and stored."""

import pyarrow as pa

from agenttracer.schemas import logs, metrics, spans
from agenttracer.schemas.batch import ATTRIBUTES, DECODED_ATTRIBUTES, Signal
from agenttracer.schemas.columns import RESOURCES, SCOPES

STORED: dict[Signal, dict[str, pa.Schema]] = {
    Signal.TRACES: {
        "rows": spans.SPANS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "events": spans.EVENTS,
        "links": spans.LINKS,
        "attributes": ATTRIBUTES,
    },
    Signal.LOGS: {
        "rows": logs.LOGS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "attributes": ATTRIBUTES,
    },
    Signal.METRICS: {
        "rows": metrics.POINTS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "metrics": metrics.METRICS,
        "exemplars": metrics.EXEMPLARS,
        "attributes": ATTRIBUTES,
    },
}
"""What the journal holds and exporters read."""

DECODED: dict[Signal, dict[str, pa.Schema]] = {
    signal: {
        **tables,
        "attributes": DECODED_ATTRIBUTES,
        "rows": {
            Signal.TRACES: spans.DECODED_SPANS,
            Signal.LOGS: logs.DECODED_LOGS,
            Signal.METRICS: metrics.DECODED_POINTS,
        }[signal],
    }
    for signal, tables in STORED.items()
}
"""What decoding makes."""
