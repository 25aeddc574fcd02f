"""ClickHouse's HTTP interface as far as a writer sees it: takes inserts, counts spans, keeps nothing.

Bodies are ClickHouse's compressed blocks: checksum (16 bytes), method, sizes (9 bytes), LZ4.
"""

from __future__ import annotations

import asyncio
import re
import struct
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Self

import pyarrow as pa

from tests.benchmarks.spans import ONCE_A_SPAN

_CHECKSUM_BYTES = 16
_BLOCK = struct.Struct("<BII")
_LZ4 = 0x82
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LARGEST_HEAD_BYTES = 1 << 20


class Sink:
    """Listens on ``port`` in a process of its own."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._spans: Synchronized[int] = context.Value("q", 0)
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, self._spans), daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._process.start()
        self.port = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()

    @property
    def spans(self) -> int:
        """Spans taken so far."""
        return self._spans.value


def _run(pipe: Connection, spans: Synchronized[int]) -> None:
    asyncio.run(_serve(pipe, spans))


async def _serve(pipe: Connection, spans: Synchronized[int]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _read_body(head, reader)
                writer.write(_OK)
                await writer.drain()
                spans.value += _count_spans(body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LARGEST_HEAD_BYTES)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _read_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is not None:
        return await reader.readexactly(int(length[1]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)


def _count_spans(body: bytes) -> int:
    codec = pa.Codec("lz4_raw")
    blocks = []
    position = 0
    while position < len(body):
        position += _CHECKSUM_BYTES
        method, compressed_bytes, raw_bytes = _BLOCK.unpack_from(body, position)
        block = body[position + _BLOCK.size : position + compressed_bytes]
        blocks.append(codec.decompress(block, raw_bytes, asbytes=True) if method == _LZ4 else block)
        position += compressed_bytes
    return b"".join(blocks).count(ONCE_A_SPAN)
