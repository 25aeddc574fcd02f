"""ClickHouse's own compression of HTTP bodies, which JDBC drivers ask for (``compress=1``, ``decompress=1``).

    checksum 16 · method 1 · size of method to end 4 · size of data 4 · compressed data      … and so on

The method is none, LZ4 or ZSTD; the checksum is CityHash128 1.0.2 of everything behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from agenttracer.collector.extensions.clickhouse_http.cityhash import cityhash128
from agenttracer.collector.extensions.clickhouse_http.encoding import pack_lz4, unpack_lz4, unpack_zstd
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError

_HEADER = struct.Struct("<BII")
_CHECKSUM_BYTES = 16
_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_UNPACK = {_LZ4: unpack_lz4, _ZSTD: unpack_zstd}
_FRAME_BYTES = 1 << 20
_MAX_FRAME_BYTES = 1 << 30  # ClickHouse's DBMS_MAX_COMPRESSED_SIZE


class FrameEncoder:
    """Writes a frame for every megabyte at most."""

    def compress(self, data: bytes) -> bytes:
        """Frames that hold ``data``."""
        starts = range(0, len(data), _FRAME_BYTES)
        return b"".join(_frame(data[start : start + _FRAME_BYTES]) for start in starts)

    def flush(self) -> bytes:
        """Nothing is kept back."""
        return b""


def _frame(data: bytes) -> bytes:
    packed = pack_lz4(data)
    method, packed = (_NONE, data) if packed is None else (_LZ4, packed)
    body = _HEADER.pack(method, _HEADER.size + len(packed), len(data)) + packed
    return cityhash128(body) + body


class FrameDecoder:
    """Reads frames that come cut anywhere."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The data of every frame that is complete; raises ``DatabaseError``."""
        self._waiting += data
        while len(self._waiting) >= _CHECKSUM_BYTES + _HEADER.size:
            method, packed_bytes, data_bytes = _HEADER.unpack_from(self._waiting, _CHECKSUM_BYTES)
            if not _HEADER.size <= packed_bytes <= _MAX_FRAME_BYTES or data_bytes > _MAX_FRAME_BYTES:
                raise _corrupt("its size can't be right")
            end = _CHECKSUM_BYTES + packed_bytes
            if len(self._waiting) < end:
                return
            frame = bytes(self._waiting[:end])
            del self._waiting[:end]
            yield _unpack(frame, method, data_bytes)

    def finish(self) -> bytes:
        """Nothing may be left; raises ``DatabaseError``."""
        if self._waiting:
            raise _corrupt("it is cut off")
        return b""


def _unpack(frame: bytes, method: int, data_bytes: int) -> bytes:
    body = frame[_CHECKSUM_BYTES:]
    if cityhash128(body) != frame[:_CHECKSUM_BYTES]:
        raise DatabaseError(40, "CHECKSUM_DOESNT_MATCH", "Checksum of a compressed block doesn't match")
    packed = body[_HEADER.size :]
    if method == _NONE:
        return packed
    if method not in _UNPACK:
        raise DatabaseError(89, "UNKNOWN_COMPRESSION_METHOD", "Unknown method of a compressed block")
    try:
        return _UNPACK[method](packed, data_bytes)
    except Exception:
        raise _corrupt("its data are broken") from None


def _corrupt(why: str) -> DatabaseError:
    return DatabaseError(271, "CANNOT_DECOMPRESS", f"A compressed block can't be read: {why}")
