"""Stored batches made by hand from plain Python values.

make_batch("traces", rows=[{"TraceId": "ab" * 16, "Timestamp": 1_700_000_000_000_000_000}],
           resources=[{"ServiceName": "support"}],
           attributes=[(Place.ROW, 0, "gen_ai.request.model", "m"), (Place.RESOURCE, 0, "service.name", "support")])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from agenttracer.schemas.batch import ATTRIBUTES, Batch, Kind, Place, Signal
from agenttracer.schemas.tables import STORED

Row = Mapping[str, Any]
Attribute = tuple[Place, int, str, Any] | tuple[Place, int, str, Any, Kind]

_DEFAULTS: dict[str, Row] = {
    "rows": {"Resource": 0, "Scope": 0},
    "resources": {"TenantId": "default", "ServiceName": "", "ResourceSchemaUrl": ""},
    "scopes": {"ScopeName": "", "ScopeVersion": "", "ScopeSchemaUrl": "", "ScopeDroppedAttrCount": 0},
}


def make_batch(
    signal: str | Signal,
    rows: Sequence[Row] = (),
    *,
    resources: Sequence[Row] = ({},),
    scopes: Sequence[Row] = ({},),
    attributes: Sequence[Attribute] = (),
    token: str = "1",  # noqa: S107 - names the rows
    drop: Sequence[str] = (),
    **others: Sequence[Row],
) -> Batch:
    """A batch with all stored tables of its signal: ``events``, ``links``, ``metrics``, ``exemplars`` by name.

    A column that a row doesn't name is null. ``drop`` takes typed columns away, as in a pipeline
    without the processor that makes them. Attributes are sorted by (place, owner).
    """
    signal = Signal(signal)
    given = {"rows": rows, "resources": resources, "scopes": scopes, **others}
    tables = {
        name: _table(given.get(name, ()), schema, _DEFAULTS.get(name, {}))
        for name, schema in STORED[signal].items()
        if name != "attributes"
    }
    tables["rows"] = tables["rows"].drop_columns(list(drop)) if drop else tables["rows"]
    return Batch(signal, {**tables, "attributes": make_attributes(attributes)}, token)


def make_attributes(attributes: Sequence[Attribute]) -> pa.RecordBatch:
    """The flat attributes table: the kind is the Python type's unless a fifth element names it."""
    rows = [
        {
            "place": place,
            "owner": owner,
            "key": key,
            "kind": kind[0] if kind else _kind(value),
            **_stored(value),
        }
        for place, owner, key, value, *kind in sorted(attributes, key=lambda row: row[:2])
    ]
    plain = pa.schema(
        [field.with_type(pa.string()) if field.name == "key" else field for field in ATTRIBUTES]
    )
    table = pa.RecordBatch.from_pylist(rows, schema=plain)
    return table.set_column(2, ATTRIBUTES.field("key"), table.column("key").dictionary_encode())


def _kind(value: Any) -> Kind:
    kinds = {type(None): Kind.EMPTY, str: Kind.STRING, bool: Kind.BOOL, int: Kind.INT, float: Kind.DOUBLE}
    return kinds.get(type(value), Kind.BYTES)


def _stored(value: Any) -> dict[str, Any]:
    column = {str: "string", bool: "int", int: "int", float: "double", bytes: "bytes"}.get(type(value))
    return {column: int(value) if isinstance(value, bool) else value} if column else {}


def _table(rows: Sequence[Row], schema: pa.Schema, defaults: Row) -> pa.RecordBatch:
    columns = [_column([{**defaults, **row}.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: Sequence[Any], arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(arrow_type):
        return pa.array(values, arrow_type.value_type).dictionary_encode()
    return pa.array(values, arrow_type)
