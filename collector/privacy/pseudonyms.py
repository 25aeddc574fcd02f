"""Keyed hashes: the same user gives the same token inside a tenant, and nobody can go back without the key."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

import pyarrow as pa

from agenttracer.collector.privacy.key_file import Key, KeyFile

_TOKEN_CHARACTERS = 24
_MAX_REMEMBERED = 50_000
_BLOCK_BYTES = 64  # of SHA-256; keys are 32 bytes


class Pseudonyms:
    """HMAC-SHA256 with each tenant's newest key: ``h<epoch>:<24 hexadecimal digits>``."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys
        self._newest: dict[str, Key] = {}
        self._remembered: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def for_tenant(self, tenant: str) -> Callable[[pa.StringArray], pa.StringArray]:
        """The function from distinct values to their tokens; an empty or missing value stays what it is."""

        def tokens(values: pa.StringArray) -> pa.StringArray:
            # HMAC has no vectorised form; the values are distinct, and most of them are remembered.
            texts = values.to_pylist()
            known = self._known(texts, tenant)
            return pa.array([known[text] if text else text for text in texts], pa.string())

        return tokens

    def tokens_of(self, value: str, tenant: str) -> list[str]:
        """The tokens that a value may have in a store: one for each key that the tenant has had."""
        return [_token(value, key) for key in self._keys.keys(tenant)]

    def _known(self, texts: Iterable[str | None], tenant: str) -> dict[str, str]:
        """A tenant's tokens, those of the texts among them."""
        if sum(map(len, self._remembered.values())) > _MAX_REMEMBERED:
            self._remembered.clear()
        key = self._newest.get(tenant)
        if key is None:
            key = self._newest[tenant] = self._keys.keys(tenant)[-1]
        known = self._remembered[tenant]
        known.update({text: _token(text, key) for text in texts if text and text not in known})
        return known


def _token(value: str, key: Key) -> str:
    inner, outer = _pads(key.secret)
    digest = hashlib.sha256(outer + hashlib.sha256(inner + value.encode()).digest()).hexdigest()
    return f"h{key.epoch}:{digest[:_TOKEN_CHARACTERS]}"


@lru_cache(maxsize=4096)
def _pads(secret: bytes) -> tuple[bytes, bytes]:
    """The two blocks of HMAC (RFC 2104) of a key: ``hmac`` makes them anew for each value, which costs twice as
    much as the hashes themselves."""
    block = secret.ljust(_BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
