"""Which rows of a batch a selection means, and the batch without them.

attributes (place, owner) ─┬─ events, links, exemplars ──▶ rows
                           ├─ resources, scopes ─────────▶ rows
                           └─ rows, bodies
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.schemas.batch import Batch, Place, set_columns
from agenttracer.schemas.columns import HASHED, content_classes
from agenttracer.schemas.content import REFERENCES
from agenttracer.schemas.selection import Selection
from agenttracer.schemas.semconv import AGENT_ARTIFACT_KEY, AGENT_RUN_ID
from agenttracer.schemas.tables import STORED

Mask = npt.NDArray[np.bool_]
_CHILDREN = {Place.EVENT: "events", Place.LINK: "links", Place.EXEMPLAR: "exemplars"}
_PARENTS = {Place.RESOURCE: ("resources", "Resource"), Place.SCOPE: ("scopes", "Scope")}
_ARTIFACT_REFERENCES = (AGENT_ARTIFACT_KEY, *REFERENCES.values())
_POINTED_AT = {"resources": "Resource", "scopes": "Scope", "metrics": "Metric"}


def selected(batch: Batch, selection: Selection) -> Mask:
    """For each row of a batch of the selection's tenant, whether it goes."""
    if selection.whole_tenant:
        return np.ones(batch.num_rows, bool)
    found = _among(batch, "RunId", selection.runs) | _among(batch, "TraceId", selection.whole_traces)
    found |= _among(batch, "TraceId", selection.traces) & _of_no_run(batch)
    for name, kind in content_classes(STORED[batch.signal]["rows"]):
        if kind == HASHED:
            found |= _among(batch, name, selection.tokens)
    attributes = batch.attributes
    holds = _is_in(attributes["string"], selection.tokens)
    if "RunId" not in batch.rows.schema.names:  # as data points
        holds |= _is_in(attributes["string"], selection.runs) & _is_in(attributes["key"], {AGENT_RUN_ID})
    holds |= _is_in(attributes["string"], selection.artifact_keys)
    return found | _rows_of(batch, holds)


def related(batch: Batch, selection: Selection) -> Selection:
    """The runs, traces and artifacts that the selected rows of a batch belong to."""
    if selection.whole_tenant or "RunId" not in batch.rows.schema.names:
        return Selection(selection.tenant)
    held = selected(batch, selection.only("tokens"))
    people = held | _among(batch, "TraceId", selection.whole_traces)
    return Selection(
        selection.tenant,
        runs=_values(batch.rows["RunId"], people),
        whole_traces=_values(batch.rows["TraceId"], held),
        traces=_values(batch.rows["TraceId"], _among(batch, "RunId", selection.runs)),
        artifact_keys=_artifact_keys(batch, selected(batch, selection)),
    )


def without(batch: Batch, gone: Mask) -> Batch:
    """The batch with only the other rows, and nothing that only these rows needed."""
    keep = ~gone
    rows = batch.rows.filter(pa.array(keep))
    owners = {Place.ROW: _numbers(keep), Place.BODY: _numbers(keep)}
    tables = {}
    for name, column in _POINTED_AT.items():
        if name not in batch.tables:
            continue
        used = np.zeros(batch.tables[name].num_rows, bool)
        used[rows[column].to_numpy()] = True
        numbers = _numbers(used)
        tables[name] = batch.tables[name].filter(pa.array(used))
        rows = set_columns(rows, {column: pa.array(numbers[rows[column].to_numpy()], pa.int32())})
        owners.update({place: numbers for place, (table, _) in _PARENTS.items() if table == name})
    for place, name in _CHILDREN.items():
        if name not in batch.tables:
            continue
        child = batch.tables[name]
        owner = child["Owner"].to_numpy()
        tables[name] = set_columns(
            child.filter(pa.array(keep[owner])),
            {"Owner": pa.array(owners[Place.ROW][owner[keep[owner]]], pa.int32())},
        )
        owners[place] = _numbers(keep[owner])
    tables["rows"] = rows
    tables["attributes"] = _moved(batch.attributes, owners)
    if "contents" in batch.tables:
        referred = _values(tables["attributes"]["string"], _refers(tables["attributes"]))
        held = _is_in(batch.tables["contents"]["Key"], referred)
        tables["contents"] = batch.tables["contents"].filter(pa.array(held))
    if "ledger" in batch.tables and not rows.num_rows:
        tables["ledger"] = batch.tables["ledger"].slice(0, 0)
    return batch.with_tables(**{name: _compact(table) for name, table in tables.items()})


def _of_no_run(batch: Batch) -> Mask:
    rows = batch.rows
    if "RunId" not in rows.schema.names:
        return np.ones(batch.num_rows, bool)
    run, trace = rows["RunId"].fill_null(""), rows["TraceId"].fill_null("")
    return pc.or_(pc.equal(run, ""), pc.equal(run, trace)).to_numpy(zero_copy_only=False)


def _among(batch: Batch, column: str, values: Iterable[str]) -> Mask:
    if column not in batch.rows.schema.names:
        return np.zeros(batch.num_rows, bool)
    return _is_in(batch.rows[column], values)


def _is_in(column: pa.Array, values: Iterable[str]) -> Mask:
    listed = pa.array(sorted(values), pa.string())
    if not len(listed) or not len(column):
        return np.zeros(len(column), bool)
    return pc.is_in(column.cast(pa.string()), listed).to_numpy(zero_copy_only=False)


def _rows_of(batch: Batch, holds: Mask) -> Mask:
    """The rows that attributes belong to, wherever these stand."""
    found = np.zeros(batch.num_rows, bool)
    places, owners = (batch.attributes[name].to_numpy()[holds] for name in ("place", "owner"))
    for place in np.unique(places):
        own = owners[places == place]
        if place in _PARENTS:
            found |= np.isin(batch.rows[_PARENTS[Place(place)][1]].to_numpy(), own)
        elif place in _CHILDREN:
            found[batch.tables[_CHILDREN[Place(place)]]["Owner"].to_numpy()[own]] = True
        else:
            found[own] = True
    return found


def _artifact_keys(batch: Batch, rows: Mask) -> frozenset[str]:
    attributes = batch.attributes
    refers = _refers(attributes)
    refers[refers] = rows[attributes["owner"].to_numpy()[refers]]
    return _values(attributes["string"], refers)


def _refers(attributes: pa.RecordBatch) -> Mask:
    """Which attributes of rows say where an artifact rests."""
    return _is_in(attributes["key"], _ARTIFACT_REFERENCES) & (attributes["place"].to_numpy() == Place.ROW)


def _values(column: pa.Array, rows: Mask) -> frozenset[str]:
    return frozenset(column.filter(pa.array(rows)).unique().to_pylist()) - {None, ""}


def _numbers(kept: Mask) -> npt.NDArray[np.int32]:
    """For each old number the new one; meaningless where it is not kept, which is told by ``-1``."""
    return np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)


def _moved(attributes: pa.RecordBatch, numbers: dict[Place, npt.NDArray[np.int32]]) -> pa.RecordBatch:
    places, owners = attributes["place"].to_numpy(), attributes["owner"].to_numpy()
    moved = np.full(len(owners), -1, np.int32)
    for place, new in numbers.items():
        here = places == place
        moved[here] = new[owners[here]]
    kept = moved >= 0
    table = attributes.filter(pa.array(kept))
    return set_columns(table, {"owner": pa.array(moved[kept], pa.int32())})


def _compact(table: pa.RecordBatch) -> pa.RecordBatch:
    """A filtered dictionary keeps the values that no row has any more."""
    encoded = {
        field.name: table[field.name].dictionary_decode().dictionary_encode()
        for field in table.schema
        if pa.types.is_dictionary(field.type)
    }
    return set_columns(table, encoded)
