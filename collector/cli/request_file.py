"""A captured OTLP request, decoded and put through the processors that stand before redaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.decode import decode
from agenttracer.collector.decode.otlp_json import json_to_protobuf
from agenttracer.collector.errors import StartError
from agenttracer.collector.processors.classify import Classify
from agenttracer.collector.processors.normalize import Normalize
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal

if TYPE_CHECKING:
    from agenttracer.collector.config.model import Config


def read_request(path: Path, signal: str | None, config: Config | None) -> Batch:
    """The batch of an export request in protobuf, or in JSON if the file's name ends in ``.json``; raises
    ``StartError``. Without a signal it is the first that the file reads as."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} can't be read ({error.strerror})") from error
    for candidate in [Signal(signal)] if signal else list(Signal):
        batch = _decoded(candidate, body, is_json=path.suffix == ".json")
        if batch is not None:
            processed = asyncio.run(_process(batch, _before_redaction(candidate, config)))
            if processed is None:
                raise StartError(f"{path}: the processors before redaction leave nothing of it")
            return processed
    what = f"export request of {signal}" if signal else "OTLP export request"
    raise StartError(f"{path} is no {what} with anything in it")


def _decoded(signal: Signal, body: bytes, *, is_json: bool) -> Batch | None:
    try:
        protobuf = json_to_protobuf(signal, body) if is_json else body
    except ValueError:
        return None
    decoded = decode(signal, [protobuf], "default", received_unix_ns=0)
    (outcome,) = decoded.outcomes
    return None if outcome.error or outcome.rejected_rows else decoded.batch


async def _process(batch: Batch, processors: Sequence[Processor[Any]]) -> Batch | None:
    passed: Batch | None = batch
    for processor in processors:
        await processor.start()
        passed = processor.process(passed) if passed is not None else None
        await processor.stop()
    return passed


def _before_redaction(signal: Signal, config: Config | None) -> Sequence[Processor[Any]]:
    if config is None:
        return [
            kind(Options(), Context(kind.__name__.lower(), Telemetry())) for kind in (Normalize, Classify)
        ]
    names = next((each.processors for each in config.pipelines.values() if each.signal is signal), ())
    found = []
    for name in names:
        kind = name.partition("/")[0]
        if kind == "redaction":
            break
        if kind != "memory_limiter":
            configured = config.processors[name]
            made = configured.cls(configured.options, Context(name, Telemetry()))
            found.append(cast("Processor[Any]", made))
    return found
