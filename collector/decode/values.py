"""AnyValues as columns: each value stands in the column of its kind, the others are null there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.decode import wire
from agenttracer.schemas.batch import Kind

NESTED = pa.list_(pa.binary())

_SCALARS = {
    "string_value": Kind.STRING,
    "bool_value": Kind.BOOL,
    "int_value": Kind.INT,
    "double_value": Kind.DOUBLE,
    "bytes_value": Kind.BYTES,
}
_LISTS = {"array_value": Kind.ARRAY, "kvlist_value": Kind.KVLIST}
Offsets = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Values:
    """One array a column of the attributes table."""

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
    messages = {}
    for name, number in _LISTS.items():
        parts = fields.field(name)
        if len(parts.values):
            offsets = parts.offsets.to_numpy()
            is_list = np.diff(offsets) > 0
            present += int(is_list.sum())
            kind += is_list * np.uint8(number)
            messages[number] = (offsets[np.append(is_list, True)], parts.values)
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
        elements(messages, kind),
    )


def _valid(values: pa.Array) -> np.ndarray:
    bitmap = values.buffers()[0]
    if bitmap is None:
        return np.ones(len(values), np.uint8)
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=len(values), bitorder="little")


def elements(
    messages: Mapping[Kind, tuple[Offsets, pa.BinaryArray]], kind: npt.NDArray[np.uint8]
) -> pa.ListArray:
    """The undecoded elements of arrays and kvlists, null for the other kinds.

    Of each kind the ArrayValue or KeyValueList messages and where those of each of its rows start and end. A list
    whose message came in parts has the elements of all of them: so protobuf merges messages.
    """
    rows, sizes, found = [], [], []
    for number, (offsets, parts) in messages.items():
        # Both messages have but one field, with the same number.
        per_part = wire.parse(wire.ARRAY_VALUE, parts).column(0)
        rows.append(np.flatnonzero(kind == number))
        sizes.append(np.diff(per_part.offsets.to_numpy()[offsets]))
        found.append(per_part.values)
    if not found:
        return pa.nulls(len(kind), NESTED)
    owners, counts, values = np.concatenate(rows), np.concatenate(sizes), found[0]
    if len(found) > 1:
        order = np.argsort(np.repeat(owners, counts), kind="stable")
        values = pa.concat_arrays(found).take(pa.array(order))
    bounds = np.zeros(len(kind) + 1, np.int32)
    bounds[owners + 1] = counts
    is_list = (kind == Kind.ARRAY) | (kind == Kind.KVLIST)
    return pa.ListArray.from_arrays(
        pa.array(np.cumsum(bounds, dtype=np.int32)), values, mask=pa.array(~is_list)
    )
