"""The content encodings of HTTP bodies: gzip, deflate, and lz4 and zstd where their libraries are installed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError

_PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Encoder(Protocol):
    """Compresses piece by piece."""

    def compress(self, data: bytes) -> bytes:
        """What can be sent of all that came so far."""

    def flush(self) -> bytes:
        """The rest."""


class Decoder(Protocol):
    """Decompresses piece by piece."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Pieces of a megabyte at most, however well ``data`` was compressed; raises ``DatabaseError``."""

    def finish(self) -> bytes:
        """The rest, when the body is over; raises ``DatabaseError`` if it was cut off."""


class _Identity:
    def decode(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, window: int) -> None:
        self._window = window
        self._inner = zlib.decompressobj(window)
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            self._begun = True
            if self._inner.eof:  # a body may be several streams, one after the other
                self._inner = zlib.decompressobj(self._window)
            try:
                piece = self._inner.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise _corrupt() from None
            data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
            yield piece

    def finish(self) -> bytes:
        rest = self._inner.flush()
        if self._begun and not self._inner.eof:
            raise _corrupt()
        return rest


class _Frames:
    """lz4 and zstd: objects with ``decompress(data, max_length)``, ``needs_input`` and ``eof``."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._inner = make()
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._inner.eof or self._inner.needs_input):
            self._begun = True
            if self._inner.eof:
                self._inner = self._make()
            try:
                piece = self._inner.decompress(data, max_length=_PIECE_BYTES)
            except Exception:
                raise _corrupt() from None
            data = (self._inner.unused_data or b"") if self._inner.eof else b""
            yield piece

    def finish(self) -> bytes:
        if self._begun and not self._inner.eof:
            raise _corrupt()
        return b""


def _corrupt() -> DatabaseError:
    return DatabaseError(271, "CANNOT_DECOMPRESS", "The body is not what its Content-Encoding says")


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "gzip": lambda: zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW),
    "deflate": lambda: zlib.compressobj(1),
}
_DECODERS: dict[str, Callable[[], Decoder]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": lambda: _Zlib(_GZIP_WINDOW),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
}

try:
    import lz4.block  # type: ignore[import-untyped]
    import lz4.frame  # type: ignore[import-untyped]
except ImportError:
    _HAS_LZ4 = False
else:
    _HAS_LZ4 = True

    class _Lz4(lz4.frame.LZ4FrameCompressor):
        def __init__(self) -> None:
            super().__init__()
            self._header: bytes = self.begin()

        def compress(self, data: bytes) -> bytes:
            header, self._header = self._header, b""
            return header + bytes(super().compress(data))

        def flush(self) -> bytes:
            header, self._header = self._header, b""
            return header + bytes(super().flush())

    _ENCODERS["lz4"] = _Lz4
    _DECODERS["lz4"] = lambda: _Frames(lz4.frame.LZ4FrameDecompressor)

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from backports import zstd
    except ImportError:
        zstd = None
if zstd is not None:
    _ENCODERS["zstd"] = zstd.ZstdCompressor
    _DECODERS["zstd"] = lambda: _Frames(zstd.ZstdDecompressor)

ENCODINGS = tuple(_ENCODERS)


def negotiate(accept_encoding: str) -> str | None:
    """The first encoding of an Accept-Encoding header that we know; None for no compression."""
    for choice in accept_encoding.lower().split(","):
        name, _, weight = choice.partition(";")
        if name.strip() in _ENCODERS and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return name.strip()
    return None


def encoder(name: str | None) -> Encoder:
    """A compressor of one of ``ENCODINGS``, or one that leaves everything as it is."""
    return _Plain() if name is None else _ENCODERS[name]()


def decoder(content_encoding: str) -> Decoder:
    """A decompressor for a body; raises ``DatabaseError`` for an encoding that is unknown."""
    name = content_encoding.strip().lower()
    if name not in _DECODERS:
        known = ", ".join(ENCODINGS)
        raise DatabaseError(48, "NOT_IMPLEMENTED", f"Unknown Content-Encoding; this server knows {known}")
    return _DECODERS[name]()


def pack_lz4(data: bytes) -> bytes | None:
    """One LZ4 block without its size; None without the library."""
    return bytes(lz4.block.compress(data, store_size=False)) if _HAS_LZ4 else None


def unpack_lz4(data: bytes, size: int) -> bytes:
    """What ``pack_lz4`` packed; raises anything."""
    return bytes(lz4.block.decompress(data, uncompressed_size=size))


def unpack_zstd(data: bytes, size: int) -> bytes:
    """One zstd frame of ``size`` bytes; raises anything."""
    unpacked: bytes = zstd.ZstdDecompressor().decompress(data, max_length=size + 1)
    if len(unpacked) != size:
        raise ValueError
    return unpacked
