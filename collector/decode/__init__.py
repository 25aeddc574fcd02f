"""OTLP protobuf requests, many at once, to one batch of Arrow tables; the only door protobuf comes through.

    bodies ─ envelope ─┬─ resources, scopes
                       ├─ traces │ logs │ metrics ─ rows and what hangs on them
                       └─ attributes of everything, arrays and kvlists in them undecoded ─ nested

Nothing here loops over rows: the wire format is read by ``ptars``, that of attributes by numpy where they are
written as exporters do, the rest is Arrow and numpy. It takes what the reference implementation of protobuf
takes, and is more lenient in these cases only: tags and lengths written longer than allowed, field numbers
above the limit, groups ended by another's tag or nested deeper than a hundred levels, and damage in what is
not read (entity references, metric metadata, what a refused span carries) or not yet read (elements of arrays
and kvlists: ``nested`` shows null).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.attributes import flat_attributes
from agenttracer.collector.decode.envelope import Envelope, open_envelopes, resources_table, scopes_table
from agenttracer.collector.decode.large_stack import LARGE_STACK_BYTES, decode_thread, on_large_stack
from agenttracer.collector.decode.logs import read_logs
from agenttracer.collector.decode.metrics import read_points
from agenttracer.collector.decode.rows import Rows
from agenttracer.collector.decode.traces import read_spans
from agenttracer.schemas.batch import Batch, Signal

__all__ = ["LARGE_STACK_BYTES", "Decoded", "Outcome", "decode", "decode_thread"]

_READERS: dict[Signal, Callable[[Envelope, int], Rows]] = {
    Signal.TRACES: read_spans,
    Signal.LOGS: read_logs,
    Signal.METRICS: read_points,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request."""

    rows: int = 0  # of this request in the batch
    rejected_rows: int = 0  # refused for good: spans without valid ids
    error: str = ""  # "malformed": the whole request was refused
    message: str = ""  # for the client, without content


@dataclass(frozen=True, slots=True)
class Decoded:
    """The rows of all requests, in their order (metrics: by type first); ``batch`` is None without any."""

    batch: Batch | None
    outcomes: tuple[Outcome, ...]


@on_large_stack
def decode(signal: Signal, bodies: Sequence[bytes], tenant: str, received_unix_ns: int) -> Decoded:
    """Decode requests of one signal and tenant, 1 GiB of them at most; a malformed one harms no other.

    Rows that carry no time have ``received_unix_ns``. Works on any thread, best on a ``decode_thread``.
    """
    accepted = dict(enumerate(bodies))
    refused: dict[int, Outcome] = {}
    try:
        batch, kept, rejected = _read(signal, bodies, tenant, received_unix_ns)
    except wire.Malformed:
        for at, body in enumerate(bodies):
            try:
                _read(signal, [body], tenant, received_unix_ns)
            except wire.Malformed as error:
                message = f"not a protobuf request of OTLP {signal}: {error} ({len(body)} bytes)"
                refused[at] = Outcome(error="malformed", message=message)
                del accepted[at]
        batch, kept, rejected = _read(signal, list(accepted.values()), tenant, received_unix_ns)
    counts = map(Outcome, kept, rejected)
    outcomes = tuple(refused[at] if at in refused else next(counts) for at in range(len(bodies)))
    return Decoded(batch if batch.num_rows else None, outcomes)


def _read(
    signal: Signal, bodies: Sequence[bytes], tenant: str, received_unix_ns: int
) -> tuple[Batch, list[int], list[int]]:
    """The batch, and the rows kept and rejected of each request; ``wire.Malformed`` if any of them is."""
    requests = wire.as_array(bodies)
    for at in wire.risky(requests):
        wire.check(wire.REQUESTS[signal], bodies[at])
    try:
        return _tables(signal, requests, tenant, received_unix_ns)
    except wire.Ambiguous:
        requests = wire.as_array([wire.canonical(wire.REQUESTS[signal], body) for body in bodies])
        return _tables(signal, requests, tenant, received_unix_ns)


def _tables(
    signal: Signal, requests: pa.BinaryArray, tenant: str, received_unix_ns: int
) -> tuple[Batch, list[int], list[int]]:
    envelope = open_envelopes(signal, requests)
    rows = _READERS[signal](envelope, received_unix_ns)
    attributes = flat_attributes([*envelope.attributes, *rows.attributes])
    tables = {
        **rows.tables,
        "resources": resources_table(envelope, attributes, tenant),
        "scopes": scopes_table(envelope),
        "attributes": attributes,
    }
    kept = np.bincount(rows.request_of_row, minlength=len(requests))
    rejected = np.bincount(rows.request_of_refused, minlength=len(requests))
    return Batch(signal, tables), kept.tolist(), rejected.tolist()
