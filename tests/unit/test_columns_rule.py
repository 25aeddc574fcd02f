"""From bytes to the journal nothing loops over spans in Python: a batch of more spans makes no more calls."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agenttracer.collector.codec import pack
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.dialects import SPAN_STRINGS
from agenttracer.schemas.step_types import STEP_TYPES
from tests.otlp_traces import request, span
from tests.processing import classify, decoded, normalize, price, process, redaction

_KEYS = sorted(
    {key for keys in SPAN_STRINGS.values() for key in keys} | STEP_TYPES.keys() | {"error.type", "x.note"}
)
_SCOPES = ("opentelemetry.instrumentation.langchain", "openinference.instrumentation.crewai", "crewai")
_FEW, _MANY = 300, 1200


def _different(count: int, scope: str) -> ExportTraceServiceRequest:
    """Spans with another value in every attribute, name and message of each."""
    spans = []
    for number in range(count):
        letters = "".join(chr(97 + number // 26**place % 26) for place in range(3))
        given: dict[str, Any] = {key: f"{key[:5]}-{letters}" for key in _KEYS}
        given["gen_ai.response.finish_reasons"] = [f"stop_{letters}"]
        thrown = ("exception", {"exception.type": f"E{letters}", "exception.message": f"no {letters}"})
        spans.append(span(f"step {letters}", given, trace=1 + number, events=[thrown]))
    return request(*spans, scope=scope)


def _calls(message: ExportTraceServiceRequest, folder: Path) -> Counter[str]:
    """How often each place of our code calls something, for one batch: Python's functions and C's alike."""
    counts: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call") and "agenttracer" in frame.f_code.co_filename:
            counts[f"{frame.f_code.co_filename.rpartition('agenttracer/')[2]}:{frame.f_lineno}"] += 1

    processors = (normalize(), classify(), price(), redaction(folder))
    process(decoded(message, Signal.TRACES), *processors)  # what is made once is made
    sys.setprofile(count)
    try:
        pack(process(decoded(message, Signal.TRACES), *processors))
    finally:
        sys.setprofile(None)
    return counts


@pytest.mark.parametrize("scope", _SCOPES)
def test_more_spans_make_no_more_calls(tmp_path: Path, scope: str) -> None:
    """Even if no two of them have a value in common."""
    few, many = (_calls(_different(count, scope), tmp_path) for count in (_FEW, _MANY))

    more = {place: calls - few[place] for place, calls in many.items() if calls - few[place] > 20}
    assert {} == more
    assert sum(few.values()) > 1000
