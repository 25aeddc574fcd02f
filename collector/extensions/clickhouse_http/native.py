"""Native blocks for clients that read them as over TCP, as clickhouse-go does, and so Grafana's data source.

    the engine writes           columns rows (name type data)…
    client_protocol_version     block-info columns rows (name type custom-serialization data)…

The engine can't be told the version. What a newer version adds stands between columns, so a column must be
read to find its end; clients of older versions get what the engine writes, as through a proxy that drops the
parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MIN_VERSION = 54454  # from here on every column says whether its serialization is its type's own
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow rows, no bucket, no more fields
_DEFAULT_SERIALIZATION = b"\x00"


def with_protocol_version(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks as a server sends them to clients of ``MIN_VERSION`` and later.

    Every item must hold whole blocks.
    """
    for block in blocks:
        yield _rewrite(block)


def _rewrite(data: bytes) -> bytes:
    from clickhouse_connect.datatypes.registry import get_from_name
    from clickhouse_connect.driver.buffer import ResponseBuffer
    from clickhouse_connect.driver.query import QueryContext

    source = ResponseBuffer(_Nothing())
    source.buffer, source.buf_sz = data, len(data)
    context = QueryContext(query_formats={"String": "bytes", "FixedString": "bytes", "Date*": "int"})
    written = bytearray()
    while source.buf_loc < len(data):
        start = source.buf_loc
        columns, rows = source.read_leb128(), source.read_leb128()
        written += _BLOCK_INFO + data[start : source.buf_loc]
        for _ in range(columns):
            start = source.buf_loc
            context.start_column(source.read_leb128_str())
            column_type = get_from_name(source.read_leb128_str())
            written += data[start : source.buf_loc] + _DEFAULT_SERIALIZATION
            start = source.buf_loc
            if rows:
                column_type.read_column(source, rows, context)
            written += data[start : source.buf_loc]
    return bytes(written)


class _Nothing:
    """The end of the stream that ``ResponseBuffer`` would read on from."""

    gen: Iterator[Any] = iter(())
