"""The default pipeline's processors, run on OTLP requests without a collector."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.decode import decode
from agenttracer.collector.processors.classify import Classify
from agenttracer.collector.processors.normalize import Normalize
from agenttracer.collector.processors.price import Price, PriceOptions
from agenttracer.collector.processors.redaction import Redaction, RedactionOptions
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Place, Signal


def decoded(message: Message | bytes, signal: Signal = Signal.TRACES, tenant: str = "default") -> Batch:
    """The batch of one request."""
    body = message if isinstance(message, bytes) else message.SerializeToString()
    batch = decode(signal, [body], tenant, received_unix_ns=1).batch
    assert batch is not None
    return batch


def normalize() -> Normalize:
    return Normalize(Options(), Context("normalize", Telemetry()))


def classify() -> Classify:
    return Classify(Options(), Context("classify", Telemetry()))


def price(telemetry: Telemetry | None = None, **options: Any) -> Price:
    """A started price processor."""
    made = Price(PriceOptions(**options), Context("price", telemetry or Telemetry()))
    asyncio.run(made.start())
    return made


def redaction(folder: Path, **options: Any) -> Redaction:
    """A started redaction processor; two in one folder share the key."""
    made = Redaction(
        RedactionOptions(key_file=folder / "redaction.key", **options), Context("redaction", Telemetry())
    )
    asyncio.run(made.start())
    return made


def process(batch: Batch, *processors: Processor[Any]) -> Batch:
    """The batch behind some processors."""
    for processor in processors:
        following = processor.process(batch)
        assert following is not None
        batch = following
    return batch


def column(batch: Batch, name: str) -> list[Any]:
    """A column of the rows as Python values."""
    return batch.rows.column(name).to_pylist()


def attributes_at(batch: Batch, place: Place, owner: int = 0) -> dict[str, Any]:
    """An owner's attributes as Python values."""
    return {
        row["key"]: next(
            (row[kind] for kind in ("string", "int", "double", "bytes") if row[kind] is not None), None
        )
        for row in batch.attributes.to_pylist()
        if (row["place"], row["owner"]) == (place, owner)
    }
