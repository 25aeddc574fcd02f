"""What a batch lost, counted by service, place, rule, class and action; the values are gone by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agenttracer.collector.privacy.outcomes import UNCHANGED, Outcome, Outcomes
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.ledger import LEDGER

_PLACE_OF_TABLE = {
    "rows": Place.ROW,
    "resources": Place.RESOURCE,
    "scopes": Place.SCOPE,
    "events": Place.EVENT,
    "links": Place.LINK,
    "exemplars": Place.EXEMPLAR,
    "metrics": Place.ROW,
}
_TABLE_OF_PLACE = {Place.EVENT: "events", Place.LINK: "links", Place.EXEMPLAR: "exemplars"}


@dataclass(frozen=True, slots=True)
class Changed:
    """Values that were changed: of one table or of the attributes, each with its place, owner, outcome and
    size in bytes."""

    places: npt.NDArray[np.uint8]
    owners: npt.NDArray[np.int64]
    outcomes: npt.NDArray[np.int16]
    bytes: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: how many values of one service, in one place, met one outcome."""

    service: str
    place: Place
    outcome: Outcome
    count: int
    bytes: int


def changed_column(
    batch: Batch, table: str, outcome: int, rows: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> Changed:
    """The changed values of one column."""
    if table == "metrics":
        # A metric's description belongs to its first data point.
        first = np.zeros(batch.tables["metrics"].num_rows, np.int64)
        of_row = batch.rows.column("Metric").to_numpy()
        first[of_row[::-1]] = np.arange(len(of_row))[::-1]
        rows = first[rows]
    return Changed(
        np.full(len(rows), _PLACE_OF_TABLE[table], np.uint8),
        rows,
        np.full(len(rows), outcome, np.int16),
        sizes,
    )


def together(parts: Sequence[Changed]) -> Changed:
    """All of them."""
    return Changed(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.outcomes for part in parts]),
        np.concatenate([part.bytes for part in parts]),
    )


def lines(clean: Batch, changed: Changed, outcomes: Outcomes) -> list[Line]:
    """The ledger's lines of a redacted batch."""
    services = clean.tables["resources"].column("ServiceName").dictionary_encode()
    names = services.dictionary.to_pylist() or [""]
    service_of_resource = services.indices.fill_null(0).to_numpy()
    service = np.zeros(len(changed.owners), np.int64)
    if len(names) > 1:
        for place in np.unique(changed.places).tolist():
            chosen = changed.places == place
            service[chosen] = service_of_resource[_resources(clean, Place(place), changed.owners[chosen])]
    shape = (len(names), len(Place), len(outcomes) + 1)
    cells = np.ravel_multi_index((service, changed.places, changed.outcomes), shape)
    counts = np.bincount(cells, minlength=np.prod(shape))
    sizes = np.bincount(cells, weights=changed.bytes, minlength=np.prod(shape))
    found = []
    for cell in np.flatnonzero(counts).tolist():
        at, place, number = np.unravel_index(cell, shape)
        if number != UNCHANGED:
            found.append(
                Line(
                    names[at] or "",
                    Place(int(place)),
                    outcomes[int(number)],
                    int(counts[cell]),
                    int(sizes[cell]),
                )
            )
    return found


def _resources(batch: Batch, place: Place, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The resource that each owner belongs to."""
    if place is Place.RESOURCE:
        return owners
    rows_resource = batch.rows.column("Resource").to_numpy()
    if place is Place.SCOPE:
        # A scope belongs to the resource of the rows that name it.
        of_scope = np.zeros(batch.tables["scopes"].num_rows, np.int64)
        of_scope[batch.rows.column("Scope").to_numpy()] = rows_resource
        return of_scope[owners]
    table = _TABLE_OF_PLACE.get(place)
    rows = owners if table is None else batch.tables[table].column("Owner").to_numpy()[owners]
    return rows_resource[rows]


def ledger_table(found: Sequence[Line], tenant: str, policy_hash: str, time_unix_ns: int) -> pa.RecordBatch:
    """The lines as the table that travels with the batch."""
    count = len(found)
    columns = [
        [tenant] * count,
        [time_unix_ns] * count,
        [policy_hash] * count,
        [line.service for line in found],
        [line.place.name.lower() for line in found],
        [line.outcome.rule for line in found],
        [line.outcome.kind for line in found],
        [line.outcome.change.value for line in found],
        [line.count for line in found],
        [line.bytes for line in found],
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, LEDGER, strict=True)], schema=LEDGER
    )
