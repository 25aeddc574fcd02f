"""The attributes of everything in a batch: one flat table, sorted by place and owner.

    place     owner  key           kind    string  int  double  bytes  nested
    RESOURCE      0  service.name  STRING  shop
    ROW           0  retries       INT             3
    ROW           0  tags          ARRAY                               [AnyValue, AnyValue]

A key that an owner has twice stands here twice, in the order it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.envelope import owners
from agenttracer.collector.decode.rows import empty
from agenttracer.schemas.batch import DECODED_ATTRIBUTES, Kind, Place

NESTED = pa.list_(pa.binary())

_SCALARS = {
    "string_value": Kind.STRING,
    "bool_value": Kind.BOOL,
    "int_value": Kind.INT,
    "double_value": Kind.DOUBLE,
    "bytes_value": Kind.BYTES,
}


@dataclass(frozen=True, slots=True)
class Values:
    """AnyValues as columns: each value stands in the column of its kind, the others are null there."""

    kind: np.ndarray  # uint8
    string: pa.StringArray
    int: pa.Int64Array
    double: pa.DoubleArray
    bytes: pa.BinaryArray
    nested: pa.ListArray  # undecoded elements: AnyValue in an ARRAY, KeyValue in a KVLIST

    @property
    def columns(self) -> list[pa.Array]:
        """In the order of the attributes table."""
        return [pa.array(self.kind), self.string, self.int, self.double, self.bytes, self.nested]


def read_values(fields: pa.StructArray) -> Values:
    """Decoded AnyValue messages, a null one being empty; raises ``wire.Ambiguous`` or ``wire.Malformed``."""
    count = len(fields)
    kind = np.zeros(count, np.uint8)
    present = 0
    for name, number in _SCALARS.items():
        values = fields.field(name)
        present += count - values.null_count
        if values.null_count < count:
            kind += _valid(values) * np.uint8(number)
    lists = {Kind.ARRAY: fields.field("array_value"), Kind.KVLIST: fields.field("kvlist_value")}
    for number, parts in lists.items():
        if len(parts.values):
            is_list = np.diff(parts.offsets.to_numpy()) > 0
            present += int(is_list.sum())
            kind += is_list * np.uint8(number)
    if present != np.count_nonzero(kind):
        raise wire.Ambiguous
    integers, booleans = fields.field("int_value"), fields.field("bool_value")
    if booleans.null_count < count:
        integers = pc.coalesce(integers, booleans.cast(pa.int64()))
    return Values(
        kind,
        fields.field("string_value"),
        integers,
        fields.field("double_value"),
        fields.field("bytes_value"),
        _elements(lists, kind),
    )


def _valid(values: pa.Array) -> np.ndarray:
    bitmap = values.buffers()[0]
    if bitmap is None:
        return np.ones(len(values), np.uint8)
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=len(values), bitorder="little")


def _elements(lists: dict[Kind, pa.ListArray], kind: np.ndarray) -> pa.ListArray:
    """The elements of arrays and kvlists, null for the other kinds.

    A list whose message came in parts has the elements of all of them: so protobuf merges messages.
    """
    if not any(len(parts.values) for parts in lists.values()):
        return pa.nulls(len(kind), NESTED)
    rows = np.full(len(kind), -1, np.int64)
    elements = []
    filled = 0
    for number, parts in lists.items():
        at = np.flatnonzero(kind == number)
        if not len(at):
            continue
        rows[at] = np.arange(filled, filled + len(at))
        filled += len(at)
        # Both messages have but one field, with the same number.
        per_part = wire.parse(wire.ARRAY_VALUE, parts.values).column(0)
        starts = parts.offsets.to_numpy()[np.append(at, len(kind))]
        offsets = per_part.offsets.to_numpy()[starts]
        elements.append(pa.ListArray.from_arrays(pa.array(offsets), per_part.values))
    return pa.concat_arrays(elements).take(pa.array(rows, mask=rows < 0))


def flat_attributes(sources: Sequence[tuple[Place, pa.ListArray]]) -> pa.RecordBatch:
    """The undecoded attributes of each place, in the order of places: one list a row of the place's table.

    ``Place.BODY`` holds AnyValues, the others KeyValues. Raises ``wire.Ambiguous`` or ``wire.Malformed``.
    """
    filled = [(place, lists) for place, lists in sources if len(lists.values)]
    keyed = [lists.values for place, lists in filled if place != Place.BODY]
    bodies = [lists.values for place, lists in filled if place == Place.BODY]
    parsed = []
    if keyed:
        rows = wire.parse(wire.KEY_VALUE, pa.concat_arrays(keyed) if len(keyed) > 1 else keyed[0])
        parsed.append([rows.column("key"), *read_values(rows.column("value")).columns])
    if bodies:
        rows = wire.parse(wire.ANY_VALUE, bodies[0])
        keys = pa.array([""]).take(pa.array(np.zeros(len(rows), np.int8)))
        parsed.append([keys, *read_values(rows.to_struct_array()).columns])
    if not parsed:
        return empty(DECODED_ATTRIBUTES)
    columns = (
        parsed[0] if len(parsed) == 1 else [pa.concat_arrays(chunks) for chunks in zip(*parsed, strict=True)]
    )
    owner_rows = [owners(lists) for _, lists in filled]
    place_rows = [
        np.full(len(rows), place, np.uint8) for (place, _), rows in zip(filled, owner_rows, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.concatenate(place_rows)),
            pa.array(np.concatenate(owner_rows)),
            columns[0].dictionary_encode(),
            *columns[1:],
        ],
        schema=DECODED_ATTRIBUTES,
    )
