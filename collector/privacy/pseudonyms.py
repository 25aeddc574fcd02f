"""Keyed hashes: the same user gives the same token inside a tenant, and nobody can go back without the key."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import pyarrow as pa

from agenttracer.collector.errors import StartError

_KEY_BYTES = 32
_TOKEN_CHARACTERS = 24
_MAX_REMEMBERED = 50_000


class Pseudonyms:
    """HMAC-SHA256 with a key for each tenant, derived from the key file."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._tenant_keys: dict[str, bytes] = {}
        self._remembered: dict[tuple[str, str], str] = {}

    def tokens(self, values: pa.StringArray, tenant: str) -> pa.StringArray:
        """The tokens of distinct values; an empty or missing value stays what it is."""
        # HMAC has no vectorised form; the values are distinct, and most of them are remembered.
        return pa.array(
            [self._token(value, tenant) if value else value for value in values.to_pylist()], pa.string()
        )

    def _token(self, value: str, tenant: str) -> str:
        token = self._remembered.get((tenant, value))
        if token is None:
            key = self._tenant_keys.get(tenant)
            if key is None:
                key = self._tenant_keys[tenant] = hmac.digest(
                    self._key, b"tenant:" + tenant.encode(), hashlib.sha256
                )
            token = "h:" + hmac.digest(key, value.encode(), hashlib.sha256).hex()[:_TOKEN_CHARACTERS]
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[(tenant, value)] = token
        return token


def read_or_make_key(path: Path) -> bytes:
    """The key in a file, made on first use, readable by its owner alone; raises ``StartError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            key = os.urandom(_KEY_BYTES)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise StartError(
            f"the key file {path} can't be used ({error.strerror}): "
            "make it readable, or set processors::redaction::key_file"
        ) from error
    if len(key) < _KEY_BYTES:
        raise StartError(
            f"the key file {path} holds {len(key)} bytes, it needs {_KEY_BYTES}: delete it to have it made anew"
        )
    return key
