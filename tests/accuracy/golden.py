"""The expected rows of each capture, as files that a reviewer can read: one line a row, only what is set.

tests/golden/expected/<capture>.json    {"traces": [row, …], "logs": [row, …]}
"""

from __future__ import annotations

import json
import re
from typing import Any

from agenttracer.collector.component import Processor
from agenttracer.schemas import logs, spans
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.columns import HASHED, content_class
from tests.accuracy.corpus import CAPTURES, Capture
from tests.processing import classify, normalize, process

EXPECTED = CAPTURES.parent / "expected"

_OF_REDACTION_AND_PRICE = {"PolicyHash", "RedactedCount", "RedactedBytes", "CostUsd", "PriceVersion"}
_TYPED = {Signal.TRACES: spans.TYPED, Signal.LOGS: logs.TYPED}
_KEYS = {
    Signal.TRACES: ("TraceId", "SpanId", "ParentSpanId"),
    Signal.LOGS: ("TraceId", "SpanId", "EventName"),
}

Rows = list[dict[str, Any]]


def redacted_rows(capture: Capture, redaction: Processor[Any]) -> dict[str, Rows]:
    """Signal → rows of typed columns as they are stored, in order of time; hashes only say that there is one."""
    found: dict[str, Rows] = {}
    for signal, typed in _TYPED.items():
        if not capture.path(signal).exists():
            continue
        rows = process(capture.decoded(signal), normalize(), classify(), redaction).rows
        hashed = {field.name for field in typed if content_class(field) == HASHED}
        kept = {*_KEYS[signal], *typed.names} - _OF_REDACTION_AND_PRICE
        order = ["Timestamp", "SpanId"]
        found[signal.value] = [
            {
                name: "hashed" if name in hashed or re.match(r"h\d+:", str(value)) else value
                for name, value in row.items()
                if name in kept and value not in (None, "")
            }
            for row in sorted(rows.to_pylist(), key=lambda row: [row[name] for name in order])
        ]
    return found


def render(found: dict[str, Rows]) -> str:
    """The text of an expected file."""
    signals = []
    for signal, rows in found.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        signals.append(f'"{signal}":[\n{lines}\n]')
    return "{" + ",\n".join(signals) + "}\n"
