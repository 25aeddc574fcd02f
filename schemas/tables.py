"""Which tables a batch of each signal has, and their columns: decoded, and stored."""

import pyarrow as pa

from agenttracer.schemas import logs, metrics, spans
from agenttracer.schemas.batch import ATTRIBUTES, DECODED_ATTRIBUTES, Signal
from agenttracer.schemas.columns import RESOURCES, SCOPES
from agenttracer.schemas.contents import CONTENTS
from agenttracer.schemas.ledger import LEDGER

STORED: dict[Signal, dict[str, pa.Schema]] = {
    Signal.TRACES: {
        "rows": spans.SPANS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "events": spans.EVENTS,
        "links": spans.LINKS,
        "attributes": ATTRIBUTES,
        "contents": CONTENTS,
        "ledger": LEDGER,
    },
    Signal.LOGS: {
        "rows": logs.LOGS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "attributes": ATTRIBUTES,
        "contents": CONTENTS,
        "ledger": LEDGER,
    },
    Signal.METRICS: {
        "rows": metrics.POINTS,
        "resources": RESOURCES,
        "scopes": SCOPES,
        "metrics": metrics.METRICS,
        "exemplars": metrics.EXEMPLARS,
        "attributes": ATTRIBUTES,
        "ledger": LEDGER,
    },
}
"""What the journal holds and exporters read. Contents and ledger are redaction's: a batch that wasn't
redacted has none."""

DECODED: dict[Signal, dict[str, pa.Schema]] = {
    signal: {
        **{name: table for name, table in tables.items() if name not in ("contents", "ledger")},
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
