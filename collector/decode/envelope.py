"""What carries the items of every signal, with the same field numbers: requests, resources, scopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.decode import wire
from agenttracer.schemas.batch import Kind, Place, Signal
from agenttracer.schemas.columns import RESOURCES, SCOPES


@dataclass(frozen=True, slots=True)
class Envelope:
    """Resources and scopes as they came, and the undecoded items with the rows that carry them."""

    resources: pa.StructArray  # resource, scopes, schema_url
    scopes: pa.StructArray  # scope, items, schema_url
    items: pa.BinaryArray
    request_of_item: np.ndarray
    resource_of_item: np.ndarray
    scope_of_item: np.ndarray

    @property
    def attributes(self) -> list[tuple[Place, pa.ListArray]]:
        """The undecoded attributes of resources and scopes."""
        return [
            (Place.RESOURCE, self.resources.field(0).field("attributes")),
            (Place.SCOPE, self.scopes.field(0).field("attributes")),
        ]


def owners(lists: pa.ListArray) -> np.ndarray:
    """For each element of all lists, the row of its list."""
    offsets = lists.offsets.to_numpy()
    return np.repeat(np.arange(len(lists), dtype=np.int32), offsets[1:] - offsets[:-1])


def open_envelopes(signal: Signal, requests: pa.BinaryArray) -> Envelope:
    """Decode all of the requests but their items; raises ``wire.Malformed``."""
    per_request = wire.parse(wire.REQUESTS[signal], requests).column(0)
    resources = per_request.values
    per_resource = resources.field(1)
    scopes = per_resource.values
    per_scope = scopes.field(1)
    scope_of_item = owners(per_scope)
    resource_of_item = owners(per_resource)[scope_of_item]
    return Envelope(
        resources=resources,
        scopes=scopes,
        items=per_scope.values,
        request_of_item=owners(per_request)[resource_of_item],
        resource_of_item=resource_of_item,
        scope_of_item=scope_of_item,
    )


def resources_table(envelope: Envelope, attributes: pa.RecordBatch, tenant: str) -> pa.RecordBatch:
    """One row a resource, its service's name out of its attributes ('' without one)."""
    count = len(envelope.resources)
    columns = [
        pa.array([tenant] * count, pa.string()),
        _service_names(count, attributes),
        envelope.resources.field(2),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RESOURCES)


def _service_names(count: int, attributes: pa.RecordBatch) -> pa.StringArray:
    end = int(np.searchsorted(attributes.column("place").to_numpy(), np.uint8(Place.RESOURCE), "right"))
    keys = attributes.column("key")
    code = keys.dictionary.index("service.name").as_py()
    kinds = attributes.column("kind").to_numpy()[:end]
    rows = np.flatnonzero((keys.indices.to_numpy()[:end] == code) & (kinds == Kind.STRING))
    owner = attributes.column("owner").to_numpy()[rows]
    if len(rows) == count and (owner == np.arange(count)).all():
        return attributes.column("string").take(pa.array(rows))
    positions = np.full(count, -1)
    positions[owner] = rows
    names = attributes.column("string").take(pa.array(positions, mask=positions < 0))
    return pc.fill_null(names, "")


def scopes_table(envelope: Envelope) -> pa.RecordBatch:
    """One row a scope."""
    scope = envelope.scopes.field(0)
    columns = [
        scope.field("name"),
        scope.field("version"),
        envelope.scopes.field(2),
        scope.field("dropped_attributes_count"),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCOPES)
