"""What each stage of the path costs in this process, by the size of the group that goes through it.

decode → normalize → classify → price → redact → pack ─(journal)─ unpack → flatten
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from agenttracer.collector.allocator import keep_freed_memory
from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.decode import decode, decode_thread
from agenttracer.collector.processors.classify import Classify
from agenttracer.collector.processors.normalize import Normalize
from agenttracer.collector.processors.price import Price, PriceOptions
from agenttracer.collector.processors.redaction import Redaction, RedactionOptions
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.flatten import flatten
from tests.benchmarks.spans import make_requests

P = ParamSpec("P")
T = TypeVar("T")

GROUPS = ((1, 10), (16, 10), (1, 1000), (8, 1000))
"""(requests a group, spans a request)."""

_TTL_SECONDS = 30 * 24 * 3600.0
_WARM_UP = 3
_ROUNDS = 60
_ROUNDS_QUICK = 3
_ROUNDS_OF_LARGE_GROUPS = 15

Stages = Mapping[str, float]
"""Stage → µs of CPU a span (median of the rounds), and the bytes that the journal holds."""


def measure_stages(*, quick: bool) -> dict[tuple[int, int], Stages]:
    """The figures of every group size of ``GROUPS``."""
    figures: dict[tuple[int, int], Stages] = {}
    failures: list[Exception] = []

    def run() -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="agenttracer-bench-") as folder:
                processors = _processors(Path(folder))
                for requests, spans in GROUPS:
                    figures[requests, spans] = _measure(processors, requests, spans, quick)
        except Exception as error:
            failures.append(error)

    keep_freed_memory()
    thread = decode_thread(run, "stages")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return figures


def _processors(folder: Path) -> dict[str, Processor[Any]]:
    context = Context("bench", Telemetry())
    price = Price(PriceOptions(), context)
    redaction = Redaction(RedactionOptions(key_file=folder / "key"), context)
    for component in (price, redaction):
        asyncio.run(component.start())
    return {
        "normalize": Normalize(Options(), context),
        "classify": Classify(Options(), context),
        "price": price,
        "redact": redaction,
    }


def _measure(processors: Mapping[str, Processor[Any]], requests: int, spans: int, quick: bool) -> Stages:
    many = _ROUNDS if requests * spans < 1000 else _ROUNDS_OF_LARGE_GROUPS
    rounds = _WARM_UP + (_ROUNDS_QUICK if quick else many)
    bodies = make_requests(requests * rounds, spans)
    taken: dict[str, list[float]] = defaultdict(list)
    payload = b""
    for number in range(rounds):
        group = bodies[number * requests : (number + 1) * requests]
        batch = _timed(taken["decode"], _decode, group)
        for stage, processor in processors.items():
            processed = _timed(taken[stage], processor.process, batch)
            assert processed is not None
            batch = processed
        payload = _timed(taken["pack"], pack, batch)
        batch = _timed(taken["unpack"], unpack, [payload], "token")
        _timed(taken["flatten"], flatten, batch, _TTL_SECONDS)
    count = requests * spans
    costs = {stage: statistics.median(seconds[_WARM_UP:]) / count * 1e6 for stage, seconds in taken.items()}
    return {**costs, "sum": sum(costs.values()), "journal bytes": len(payload) / count}


def _decode(group: Sequence[bytes]) -> Batch:
    batch = decode(Signal.TRACES, group, "default", received_unix_ns=time.time_ns()).batch
    assert batch is not None
    return batch


def _timed(taken: list[float], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    started = time.process_time()
    result = work(*args, **kwargs)
    taken.append(time.process_time() - started)
    return result
