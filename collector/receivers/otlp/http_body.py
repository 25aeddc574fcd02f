"""A request's body, within limits: as it comes, after decompression, and over all requests together.

wire bytes ≤ max_request_body_size ──▶ gunzip, stopped at the limit ──▶ ≤ max_request_body_size
     └─ a tenant's share of max_buffered_bytes, else 503: a load is refused, not swallowed
"""

from __future__ import annotations

import zlib
from types import TracebackType
from typing import Self

from aiohttp import web

from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.collector.receivers.otlp.status import TooLarge
from agenttracer.collector.shared_limit import SharedLimit

_GZIP, _ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS
WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
"""The compressions that are understood, and what zlib calls them."""


class Share:
    """The bytes that one request holds of what all may hold; given back by leaving its ``with``."""

    def __init__(self, limit: SharedLimit, tenant: str) -> None:
        self._limit = limit
        self._tenant = tenant
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit.give_back(self._tenant, self._bytes)
        self._bytes = 0

    def take(self, num_bytes: int) -> None:
        """Count more bytes; raises ``Unavailable`` when the tenant's requests together hold too many."""
        if not self._limit.try_take(self._tenant, num_bytes):
            raise Unavailable("too many requests at once")
        self._bytes += num_bytes


async def read_body(request: web.Request, limit_bytes: int, share: Share) -> bytes:
    """The body as it came; raises ``TooLarge``, ``Unavailable``, or ``Rejected`` for a broken transfer."""
    if request.content_length is not None and request.content_length > limit_bytes:
        raise TooLarge(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > limit_bytes:
                raise TooLarge(limit_bytes)
            share.take(len(chunk))
            chunks.append(chunk)
    except web.RequestPayloadError:
        raise Rejected("the request's transfer encoding is broken", reason="malformed") from None
    except ConnectionError:
        raise Unavailable("the connection was lost before the request was complete") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body without its compression; never holds more than ``limit_bytes`` + 1 of it.

    Raises ``TooLarge``, or ``Rejected`` for what is not one complete stream of that compression.
    """
    # "deflate" is zlib's format, but some clients send it bare.
    bare = encoding == "deflate" and not _has_zlib_header(body)
    stream = zlib.decompressobj(-zlib.MAX_WBITS if bare else WINDOW_BITS[encoding])
    try:
        plain = stream.decompress(body, limit_bytes + 1)
    except zlib.error:
        raise Rejected(f"the request's body is not valid {encoding}", reason="malformed") from None
    if len(plain) > limit_bytes:
        raise TooLarge(limit_bytes)
    if not stream.eof or stream.unused_data:
        raise Rejected(f"the request's body is not one complete {encoding} stream", reason="malformed")
    return plain


def _has_zlib_header(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
