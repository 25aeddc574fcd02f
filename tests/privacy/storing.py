"""What a pipeline would write of a request, in process: the journal's bytes and the rows of ClickHouse.

stored = Pipelines(folder).stored(Signal.TRACES, body)      bytes, to be searched
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from agenttracer.collector.codec import pack, parts
from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.decode import decode
from agenttracer.collector.processors.artifact_keys import ArtifactKeys
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.flatten import flatten
from tests.processing import classify, decoded, normalize, process, redaction


class Pipelines:
    """The processors of the shipped configuration's pipelines, without a collector around them; redaction
    takes options."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.redaction = redaction(folder, **options)
        artifacts = ArtifactKeys(Options(), Context("artifact_keys", Telemetry()))
        self._processors: dict[Signal, tuple[Processor[Any], ...]] = {
            Signal.TRACES: (normalize(), classify(), self.redaction),
            Signal.LOGS: (normalize(), self.redaction, artifacts),
            Signal.METRICS: (normalize(), self.redaction),
        }

    def processed(self, signal: Signal, body: bytes) -> Batch:
        """The batch that goes to the journal; raises ``AssertionError`` if the request has no rows."""
        return process(decoded(body, signal), *self._processors[signal])

    def stored(self, signal: Signal, body: bytes) -> bytes:
        """Everything that journal and store would hold of a request, uncompressed; nothing if it has no rows."""
        if decode(signal, [body], "default", received_unix_ns=1).batch is None:
            return b""
        return written(self.processed(signal, body))

    def redactions(self) -> float:
        """What ``agent_redactions_total`` says."""
        return sum(
            sample.value
            for family in self.redaction.context.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "agent_redactions_total"
        )


def written(batch: Batch) -> bytes:
    """The journal's payload, its decompressed messages, and what goes into ClickHouse's tables."""
    payload = pack(batch)
    header, content = parts(payload)
    messages = pa.decompress(content, sum(header["sizes"]), codec="lz4_raw", asbytes=True)
    return b"\0".join([payload, messages, *map(_as_bytes, flatten(batch, 0).values())])


def _as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()
