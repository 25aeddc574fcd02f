"""Native blocks for clients that read them as over TCP, as clickhouse-go does, and so Grafana's data source.

    the engine writes           columns rows (name type data)…
    client_protocol_version     block-info columns rows (name type custom-serialization data)…

The engine can't be told the version. What a newer version adds stands between columns, so the end of each
column must be found from its type. Clients of older versions get what the engine writes, as through a proxy
that drops the parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError

MIN_VERSION = 54454  # from here on every column says whether its serialization is its type's own
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow rows, no bucket, no more fields
_DEFAULT_SERIALIZATION = b"\x00"

_BYTES = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4", "Time"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Point"), 16),
    **dict.fromkeys(("UInt256", "Int256"), 32),
}
_GEOMETRY = {
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
_TYPE = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_ARGUMENT = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]|[^'`(),]+", re.DOTALL)
_ELEMENT_NAME = re.compile(r"(?:\w+|`(?:[^`\\]|\\.)*`) +(?=\w)")
_HAS_KEYS = 1 << 9


def with_protocol_version(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks as a server sends them to clients of ``MIN_VERSION`` and later.

    Every item must hold whole blocks. Raises ``DatabaseError`` for a type whose end can't be found.
    """
    for block in blocks:
        yield _rewrite(block)


def _rewrite(data: bytes) -> bytes:
    cursor, written = Cursor(data), bytearray()
    while cursor.at < len(data):
        start = cursor.at
        columns, rows = cursor.varint(), cursor.varint()
        written += _BLOCK_INFO + data[start : cursor.at]
        for _ in range(columns):
            start = cursor.at
            cursor.string()
            type_name = cursor.string().decode()
            written += data[start : cursor.at] + _DEFAULT_SERIALIZATION
            start = cursor.at
            if rows:
                cursor.skip_prefix(type_name)
                cursor.skip(type_name, rows)
            written += data[start : cursor.at]
    return bytes(written)


class Cursor:
    """A place in Native data."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        """A LEB128 number."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def string(self) -> bytes:
        """A length and as many bytes."""
        size = self.varint()
        self.at += size
        return self.data[self.at - size : self.at]

    def _number(self) -> int:
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little")

    def skip_prefix(self, type_name: str) -> None:
        """Past what comes once before a column's data: versions of dictionaries."""
        name, arguments = _parse(type_name)
        if name == "LowCardinality":
            self.at += 8
        elif name in _NESTING:
            for inner in arguments:
                self.skip_prefix(inner)

    def skip(self, type_name: str, rows: int) -> None:
        """Past so many rows of a type."""
        name, arguments = _parse(type_name)
        if size := _fixed_bytes(name, arguments):
            self.at += size * rows
        elif name == "String":
            for _ in range(rows):
                size = self.varint()
                self.at += size
        elif name in _NESTING:
            _NESTING[name](self, arguments, rows)
        else:
            message = f"This protocol version can't carry {name} here; cast it to String"
            raise DatabaseError(48, "NOT_IMPLEMENTED", message)

    def _skip_nullable(self, arguments: list[str], rows: int) -> None:
        self.at += rows
        self.skip(arguments[0], rows)

    def _skip_array(self, arguments: list[str], rows: int) -> None:
        if rows:
            self.at += 8 * (rows - 1)
            elements = self._number()
            self._skip_tuple(arguments, elements)

    def _skip_tuple(self, arguments: list[str], rows: int) -> None:
        for inner in arguments:
            self.skip(inner, rows)

    def _skip_low_cardinality(self, arguments: list[str], rows: int) -> None:
        if rows:
            flags = self._number()
            if flags & _HAS_KEYS:
                inner, nested = _parse(arguments[0])
                self.skip(nested[0] if inner == "Nullable" else arguments[0], self._number())
            indexes = self._number()
            self.at += indexes << (flags & 0xF)

    def _skip_last(self, arguments: list[str], rows: int) -> None:
        self.skip(arguments[-1], rows)


_NESTING: dict[str, Callable[[Cursor, list[str], int], None]] = {
    "Nullable": Cursor._skip_nullable,
    "Array": Cursor._skip_array,
    "Map": Cursor._skip_array,
    "Nested": Cursor._skip_array,
    "Tuple": Cursor._skip_tuple,
    "LowCardinality": Cursor._skip_low_cardinality,
    "SimpleAggregateFunction": Cursor._skip_last,
}


def _fixed_bytes(name: str, arguments: list[str]) -> int:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        digits = int(arguments[0])
        return 4 if digits <= 9 else 8 if digits <= 18 else 16 if digits <= 38 else 32
    if name == "Tuple" and not arguments:
        return 1
    return 8 if name.startswith("Interval") else _BYTES.get(name, 0)


def _parse(type_name: str) -> tuple[str, list[str]]:
    """``Map(String, UInt8)`` → its name and its arguments, without the names that elements may have."""
    match = _TYPE.fullmatch(_GEOMETRY.get(type_name, type_name))
    if match is None:
        return type_name, []
    arguments, depth = [""], 0
    for part in _ARGUMENT.findall(match[2] or ""):
        depth += (part == "(") - (part == ")")
        if part == "," and depth == 0:
            arguments.append("")
        else:
            arguments[-1] += part
    return match[1], [_ELEMENT_NAME.sub("", text.strip(), count=1) for text in arguments if text.strip()]
