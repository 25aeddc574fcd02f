"""The attributes of everything in a batch: one flat table, sorted by place and owner.

    place     owner  key           kind    string  int  double  bytes  nested
    RESOURCE      0  service.name  STRING  shop
    ROW           0  retries       INT             3
    ROW           0  tags          ARRAY                               [AnyValue, AnyValue]

A key that an owner has twice stands here twice, in the order it came.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.envelope import owners
from agenttracer.collector.decode.key_values import read_key_values
from agenttracer.collector.decode.rows import empty
from agenttracer.collector.decode.values import Values, read_values
from agenttracer.schemas.batch import DECODED_ATTRIBUTES, Place


def flat_attributes(sources: Sequence[tuple[Place, pa.ListArray]]) -> pa.RecordBatch:
    """The undecoded attributes of each place, in the order of places: one list a row of the place's table.

    ``Place.BODY`` holds AnyValues, the others KeyValues. Raises ``wire.Ambiguous`` or ``wire.Malformed``.
    """
    filled = [(place, lists) for place, lists in sources if len(lists.values)]
    keyed = [lists.values for place, lists in filled if place != Place.BODY]
    bodies = [lists.values for place, lists in filled if place == Place.BODY]
    parsed = []
    if keyed:
        keys, values = _key_values(pa.concat_arrays(keyed) if len(keyed) > 1 else keyed[0])
        parsed.append([keys, *values.columns])
    if bodies:
        rows = wire.parse(wire.ANY_VALUE, bodies[0])
        keys = pa.DictionaryArray.from_arrays(np.zeros(len(rows), np.int32), [""])
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
            *columns,
        ],
        schema=DECODED_ATTRIBUTES,
    )


def _key_values(messages: pa.BinaryArray) -> tuple[pa.DictionaryArray, Values]:
    read = read_key_values(messages)
    if read is not None:
        return read
    rows = wire.parse(wire.KEY_VALUE, messages)
    return rows.column("key").dictionary_encode(), read_values(rows.column("value"))
