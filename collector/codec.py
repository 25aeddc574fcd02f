"""A batch as bytes, for the journal: what is stored, small, and cheap for ten rows as for ten thousand.

    checksum ‖ header (JSON: version, signal, tables, columns, sizes) ‖ LZ4 of one Arrow message a table

Not an Arrow IPC stream: writing the schemas of a batch's tables costs 0.8 ms, whatever its size, which
is all that a request of ten spans may cost. Here the header names the columns that hold anything,
``schemas/tables.py`` knows their types, and a column that came later than the bytes is null.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from agenttracer.collector.attributes import PLACES
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.tables import STORED

_VERSION = 1
_HEADER_LENGTH = struct.Struct("<I")
_CHECKED = struct.Struct("<II")
_IS_CHECKED = 1 << 31  # of the first number, which is a length in payloads of the first release
_POINTERS = {"Resource": "resources", "Scope": "scopes", "Metric": "metrics", "Owner": "rows"}
_OWNERS = {
    Place.RESOURCE: "resources",
    Place.SCOPE: "scopes",
    Place.ROW: "rows",
    Place.EVENT: "events",
    Place.LINK: "links",
    Place.EXEMPLAR: "exemplars",
    Place.BODY: "rows",
}


class DamagedError(ValueError):
    """Bytes that are not those that were packed. Arrow doesn't look at what it is given, and would crash on it."""


def pack(batch: Batch) -> bytes:
    """The stored columns of a batch; raises ``TypeError`` for a column of another type than its declaration."""
    tables: dict[str, tuple[int, list[str]]] = {}
    messages: list[pa.Buffer] = []
    dictionaries: dict[str, pa.StringArray] = {}
    for table, schema in STORED[batch.signal].items():
        columns: dict[str, pa.Array] = {}
        if table not in batch.tables:
            continue
        held = batch.tables[table]
        for field in schema:
            index = held.schema.get_field_index(field.name)
            if index < 0 or not held.num_rows:
                continue
            array = held.column(index)
            if array.null_count == len(array):
                continue
            if array.type != field.type:
                raise TypeError(f"{table}.{field.name} is {array.type}, declared {field.type}")
            if isinstance(array, pa.DictionaryArray):
                dictionaries[f"{table}.{field.name}"] = array.dictionary
                array = array.indices
            columns[field.name] = array
        tables[table] = (held.num_rows, list(columns))
        if columns:
            messages.append(
                pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)).serialize()
            )
    messages.extend(
        pa.RecordBatch.from_arrays([dictionary], names=["dictionary"]).serialize()
        for dictionary in dictionaries.values()
    )
    raw = b"".join(messages)
    header = json.dumps(
        {
            "version": _VERSION,
            "signal": batch.signal.value,
            "tables": tables,
            "dictionaries": list(dictionaries),
            "sizes": [message.size for message in messages],
        },
        separators=(",", ":"),
    ).encode()
    content = header + pa.compress(raw, codec="lz4_raw", asbytes=True)
    return _CHECKED.pack(len(header) | _IS_CHECKED, crc32(content)) + content


def unpack(payloads: Sequence[bytes], token: str = "") -> Batch:
    """One batch of all the rows that were packed, in order, with every declared column; ``token`` names
    the result. Raises ``DamagedError``."""
    groups = [_read(payload) for payload in payloads]
    signal = groups[0].signal
    schemas = STORED[signal]
    bases = {table: np.cumsum([0, *(group.rows.get(table, 0) for group in groups)]) for table in schemas}
    tables = {}
    for table, schema in schemas.items():
        parts = [_Part(group.rows.get(table, 0), group.columns.get(table, {})) for group in groups]
        if table == "attributes":
            parts = _by_place(parts, bases)
        else:
            parts = [part.moved(bases, number) for number, part in enumerate(parts)]
        total = sum(part.rows for part in parts)
        tables[table] = pa.RecordBatch.from_arrays(
            [
                _append([part.column(field) for part in parts if part.rows], field.type, total)
                for field in schema
            ],
            names=schema.names,
        )
    return Batch(signal, tables, token)


@dataclass(frozen=True, slots=True)
class _Group:
    signal: Signal
    rows: dict[str, int]
    columns: dict[str, dict[str, pa.Array]]


def parts(payload: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the compressed messages; raises ``DamagedError``."""
    try:
        (length,) = _HEADER_LENGTH.unpack_from(payload)
        content = memoryview(payload)[_HEADER_LENGTH.size :]
        if length & _IS_CHECKED:
            length, checksum = _CHECKED.unpack_from(payload)
            length ^= _IS_CHECKED
            content = memoryview(payload)[_CHECKED.size :]
            if crc32(content) != checksum:
                raise DamagedError("the payload's checksum is wrong")
        return json.loads(bytes(content[:length])), content[length:]
    except (struct.error, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DamagedError("the payload's header can't be read") from error


def _read(payload: bytes) -> _Group:
    header, content = parts(payload)
    if header["version"] != _VERSION:
        raise ValueError(f"a journal payload of version {header['version']}, this is version {_VERSION}")
    signal = Signal(header["signal"])
    raw = pa.decompress(content, sum(header["sizes"]), codec="lz4_raw")
    messages = []
    offset = 0
    for size in header["sizes"]:
        messages.append(raw.slice(offset, size))
        offset += size
    rows = {table: count for table, (count, _) in header["tables"].items()}
    columns: dict[str, dict[str, pa.Array]] = {}
    following = iter(messages)
    for table, (_, names) in header["tables"].items():
        if names:
            stored = pa.ipc.read_record_batch(next(following), _stored_schema(signal, table, tuple(names)))
            columns[table] = dict(zip(names, stored.columns, strict=True))
    for name, message in zip(header["dictionaries"], following, strict=True):
        table, _, column = name.partition(".")
        dictionary = pa.ipc.read_record_batch(message, _DICTIONARY).column(0)
        columns[table][column] = pa.DictionaryArray.from_arrays(columns[table][column], dictionary)
    return _Group(signal, rows, columns)


_DICTIONARY = pa.schema([pa.field("dictionary", pa.string())])


@lru_cache(maxsize=1024)
def _stored_schema(signal: Signal, table: str, columns: tuple[str, ...]) -> pa.Schema:
    declared = STORED[signal][table]
    types = {name: declared.field(name).type for name in columns}
    return pa.schema(
        [(name, kind.index_type if pa.types.is_dictionary(kind) else kind) for name, kind in types.items()]
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of one table: the columns that hold anything."""

    rows: int
    columns: dict[str, pa.Array]

    def column(self, field: pa.Field) -> pa.Array | int:
        """The column, or the number of nulls that stand for it."""
        return self.columns.get(field.name, self.rows)

    def moved(self, bases: dict[str, np.ndarray], number: int) -> _Part:
        """The same rows pointing at where group ``number``'s other rows now are."""
        if number == 0:
            return self
        pointers = {
            name: pa.array(column.to_numpy() + np.int32(bases[_POINTERS[name]][number]))
            for name, column in self.columns.items()
            if name in _POINTERS
        }
        return _Part(self.rows, {**self.columns, **pointers})


def _by_place(parts: Sequence[_Part], bases: dict[str, np.ndarray]) -> list[_Part]:
    # Attributes stay sorted by (place, owner): the slices of one place come before those of the next.
    bounds = [
        np.searchsorted(part.columns["place"].to_numpy(), PLACES) if part.rows else None for part in parts
    ]
    slices = []
    for place in Place:
        for number, part in enumerate(parts):
            bound = bounds[number]
            if bound is None or bound[place] == bound[place + 1]:
                continue
            begin, rows = int(bound[place]), int(bound[place + 1] - bound[place])
            columns = {name: column.slice(begin, rows) for name, column in part.columns.items()}
            owners = columns["owner"].to_numpy() + np.int32(bases[_OWNERS[place]][number])
            slices.append(_Part(rows, {**columns, "owner": pa.array(owners)}))
    return slices


def _append(parts: Sequence[pa.Array | int], kind: pa.DataType, rows: int) -> pa.Array:
    if all(isinstance(part, int) for part in parts):
        return pa.nulls(rows, kind)
    arrays = [pa.nulls(part, kind) if isinstance(part, int) else part for part in parts]
    if len(arrays) == 1:
        return arrays[0]
    if pa.types.is_dictionary(kind) and not all(a.dictionary.equals(arrays[0].dictionary) for a in arrays):
        return pa.chunked_array(arrays).unify_dictionaries().combine_chunks()
    return pa.concat_arrays(arrays)
