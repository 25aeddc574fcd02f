"""What redaction costs a span: by default, and with a page of text kept in each, its detectors masking.

A group is one request, or three that came together: of spans with such a page that is what a group may hold. The texts
are distinct, so that nothing is looked at once for many; in one of fifty stands something private.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agenttracer.collector.allocator import keep_freed_memory
from agenttracer.collector.component import Context, Options
from agenttracer.collector.decode import decode
from agenttracer.collector.decode.large_stack import on_large_stack
from agenttracer.collector.processors.classify import Classify
from agenttracer.collector.processors.normalize import Normalize
from agenttracer.collector.processors.redaction import Redaction, RedactionOptions
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Signal
from tests.benchmarks.spans import WORDS, make_requests

_SPANS = 1000
_TEXT_BYTES = 4096
_KEY = "my.note"
_PRIVATE = ("alice.smith@example.com", "4111 1111 1111 1111", "+44 20 7946 0958", "Bearer abcdef1234567890")
_TWELVE = (
    "email", "phone", "card", "iban", "us_ssn", "jwt", "private_key", "aws_access_key", "github_token",
    "openai_key", "bearer", "credential_url",
)  # fmt: skip
_CASES: Mapping[str, tuple[bool, dict[str, Any]]] = {
    "spans with prompts, default policy": (False, {}),
    "4 KB of text dropped": (True, {}),
    "4 KB of text kept, 12 detectors": (True, {"allowed_keys": (_KEY,), "detectors": _TWELVE}),
    "4 KB of text kept, all detectors": (True, {"allowed_keys": (_KEY,)}),
}
_GROUPS = (1, 3)
_ROUNDS = 9
_ROUNDS_QUICK = 1


def measure_redaction(*, quick: bool) -> dict[str, dict[str, float]]:
    """Case → spans of a group → µs of CPU a span: the median of the rounds."""
    keep_freed_memory()
    rounds = 1 + (_ROUNDS_QUICK if quick else _ROUNDS)
    plain = make_requests(rounds + max(_GROUPS) - 1, _SPANS)
    found = {}
    for name, (with_text, options) in _CASES.items():
        bodies = [_with_texts(body, seed) for seed, body in enumerate(plain)] if with_text else plain
        found[name] = _measure(bodies, options)
    return found


@on_large_stack  # where the collector's workers run
def _measure(bodies: list[bytes], options: dict[str, Any]) -> dict[str, float]:
    context = Context("bench", Telemetry())
    taken: dict[int, list[float]] = {requests: [] for requests in _GROUPS}
    with tempfile.TemporaryDirectory(prefix="agenttracer-bench-") as folder:
        redaction = Redaction(RedactionOptions(key_file=Path(folder) / "key", **options), context)
        asyncio.run(redaction.start())
        for first in range(len(bodies) - max(_GROUPS) + 1):
            for requests in _GROUPS:
                taken[requests].append(_process(bodies[first : first + requests], redaction, context))
    return {
        f"{requests * _SPANS:,}": statistics.median(seconds[1:]) / (requests * _SPANS) * 1e6
        for requests, seconds in taken.items()
    }


def _process(bodies: list[bytes], redaction: Redaction, context: Context) -> float:
    """Seconds of CPU that redaction takes for a group of these requests."""
    batch = decode(Signal.TRACES, bodies, "default", received_unix_ns=time.time_ns()).batch
    assert batch is not None
    for processor in (Normalize(Options(), context), Classify(Options(), context)):
        batch = processor.process(batch)
    started = time.process_time()
    redaction.process(batch)
    return time.process_time() - started


def _with_texts(body: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    message = ExportTraceServiceRequest.FromString(body)
    for scope in message.resource_spans[0].scope_spans:
        for span in scope.spans:
            span.attributes.add(key=_KEY).value.string_value = _text(chance)
    return message.SerializeToString()


def _text(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=_TEXT_BYTES // 6)
    for _ in range(10):
        words[chance.randrange(len(words))] = str(chance.randrange(100_000))
    if chance.random() < 1 / 50:
        words[chance.randrange(len(words))] = chance.choice(_PRIVATE)
    return " ".join(words)[:_TEXT_BYTES].ljust(_TEXT_BYTES, ".")
