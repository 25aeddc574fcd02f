"""Gives every artifact its immutable key, before the journal, so that each attempt to store it uses the same.

    processors:
      artifact_keys: {}

An artifact is a log record with the event name ``agent.artifact`` and its content as the body. It gets

    agent.artifact.key          tenant/agent/run/uuid/name
    agent.artifact.sha256       of the content, in hex
    agent.artifact.size_bytes

It stands behind redaction: what is hashed is what is stored.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import with_attributes
from agenttracer.collector.component import Options, Processor
from agenttracer.schemas.artifact_key import key_part
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import (
    AGENT_ARTIFACT_KEY,
    AGENT_ARTIFACT_NAME,
    AGENT_ARTIFACT_SHA256,
    AGENT_ARTIFACT_SIZE,
    EventName,
)

_OURS = (AGENT_ARTIFACT_KEY, AGENT_ARTIFACT_SHA256, AGENT_ARTIFACT_SIZE)


class ArtifactKeys(Processor[Options]):
    """Adds key, hash and size to artifacts; a batch without any passes as it came."""

    def process(self, batch: Batch) -> Batch:
        """The batch with three more attributes at each artifact that has a body."""
        if batch.signal is not Signal.LOGS:
            return batch
        is_artifact = pc.equal(batch.rows["EventName"], EventName.ARTIFACT.value)
        if not is_artifact.true_count:
            return batch
        owners = np.flatnonzero(is_artifact.fill_null(False).to_numpy(zero_copy_only=False))
        kept = _without_given_keys(batch.attributes, owners)
        # A loop over artifacts alone: they are rare, and each is hashed as a whole anyway.
        added = [row for artifact in _artifacts(batch, owners) for row in _rows(*artifact)]
        addition = pa.RecordBatch.from_pylist(added, schema=kept.schema)
        return batch.with_tables(attributes=with_attributes(kept, addition))


def _of(attributes: pa.RecordBatch, owners: np.ndarray, place: Place) -> pa.BooleanArray:
    """Which attributes stand at this place of these rows."""
    at_place = pc.equal(attributes["place"], int(place))
    return pc.and_(at_place, pc.is_in(attributes["owner"], pa.array(owners, pa.int32())))


def _without_given_keys(attributes: pa.RecordBatch, owners: np.ndarray) -> pa.RecordBatch:
    # A key that the client chose could point at another tenant's object.
    ours = pc.is_in(attributes["key"].dictionary, pa.array(_OURS))
    given = pc.and_(_of(attributes, owners, Place.ROW), ours.take(attributes["key"].indices))
    return attributes.filter(pc.invert(given)) if given.true_count else attributes


def _artifacts(batch: Batch, owners: np.ndarray) -> Iterator[tuple[int, str, bytes]]:
    """Owner, key and content of each artifact that has a content."""
    attributes = batch.attributes
    contents = _contents(attributes.filter(_of(attributes, owners, Place.BODY)))
    names = _names(attributes.filter(_of(attributes, owners, Place.ROW)))
    rows = batch.rows.take(pa.array(owners))
    tenants = batch.tables["resources"]["TenantId"].take(rows["Resource"]).to_pylist()
    agents, runs = (_texts(rows, column) for column in ("AgentName", "RunId"))
    for owner, tenant, agent, run in zip(owners.tolist(), tenants, agents, runs, strict=True):
        if owner in contents:
            unique = str(uuid.uuid4())
            parts = (key_part(tenant), key_part(agent), key_part(run), unique, key_part(names.get(owner)))
            yield owner, "/".join(parts), contents[owner]


def _texts(rows: pa.RecordBatch, column: str) -> list[str | None]:
    if column in rows.schema.names:
        return rows[column].to_pylist()
    return [None] * rows.num_rows


def _contents(bodies: pa.RecordBatch) -> dict[int, bytes]:
    columns = (bodies[name].to_pylist() for name in ("owner", "kind", "string", "bytes"))
    contents = {}
    for owner, kind, string, binary in zip(*columns, strict=True):
        if kind == Kind.BYTES:
            contents[owner] = binary or b""
        elif kind == Kind.STRING:
            contents[owner] = (string or "").encode()
    return contents


def _names(attributes: pa.RecordBatch) -> dict[int, str]:
    named = attributes.filter(pc.equal(attributes["key"].cast(pa.string()), AGENT_ARTIFACT_NAME))
    return dict(zip(named["owner"].to_pylist(), named["string"].to_pylist(), strict=True))


def _rows(owner: int, key: str, content: bytes) -> list[dict[str, Any]]:
    row = {"place": int(Place.ROW), "owner": owner}
    return [
        {**row, "key": AGENT_ARTIFACT_KEY, "kind": int(Kind.STRING), "string": key},
        {
            **row,
            "key": AGENT_ARTIFACT_SHA256,
            "kind": int(Kind.STRING),
            "string": hashlib.sha256(content).hexdigest(),
        },
        {**row, "key": AGENT_ARTIFACT_SIZE, "kind": int(Kind.INT), "int": len(content)},
    ]
