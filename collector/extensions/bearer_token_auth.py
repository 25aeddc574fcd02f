"""Knows callers by the bearer token they send, and the tenant that each token stands for.

extensions:
  bearertokenauth:
    token: ${env:AGENTTRACER_TOKEN}            # tenant "default"; or tokens: [old, new]
    tenants: {acme: ${env:ACME_TOKEN}}
    filename: /etc/agenttracer/tokens          # lines "token" or "tenant token", read again when changed

receivers:
  otlp:
    protocols:
      grpc: {auth: {authenticator: bearertokenauth}}
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from agenttracer.collector.component import Authenticator, Context, Options
from agenttracer.collector.errors import StartError

_DEFAULT_TENANT = "default"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_log = logging.getLogger(__name__)


class BearerTokenAuthOptions(Options):
    """The Collector's keys, and ``tenants``."""

    scheme: str = Field(default="Bearer", description="Word before the token; empty: the token alone.")
    header: str = Field(default="Authorization", description="Header or gRPC metadata key of the token.")
    token: SecretStr | None = Field(default=None, description='The token of the tenant "default".')
    tokens: tuple[SecretStr, ...] = Field(default=(), description='Several tokens of the tenant "default".')
    filename: Path | None = Field(
        default=None,
        description='File of tokens, "token" or "tenant token" a line; it wins over token and tokens.',
    )
    tenants: Mapping[str, SecretStr] = Field(default_factory=dict, description="Tokens by tenant.")

    @field_validator("header")
    @classmethod
    def _header_named(cls, header: str) -> str:
        if not header:
            raise ValueError("must name a header, like Authorization")
        return header

    @model_validator(mode="after")
    def _has_tokens(self) -> Self:
        if not (self.token or self.tokens or self.filename or self.tenants):
            raise ValueError("must have a token: set token, tokens, tenants or filename")
        _tokens(self._configured())
        return self

    def _configured(self) -> Iterator[tuple[str, str]]:
        if self.filename is None:
            for token in (*([] if self.token is None else [self.token]), *self.tokens):
                yield _DEFAULT_TENANT, token.get_secret_value()
        for tenant, token in self.tenants.items():
            yield tenant, token.get_secret_value()

    def tenants_by_token(self) -> dict[str, str]:
        """Every token's tenant, the file's too; raises ``OSError``, or ``ValueError`` without any token."""
        lines = [] if self.filename is None else self.filename.read_text().splitlines()
        return _tokens((*self._configured(), *_read(lines)))


def _read(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) > 2:
            raise ValueError(f'line {number} must be "token" or "tenant token"')
        if words:
            yield (words[0] if len(words) == 2 else _DEFAULT_TENANT), words[-1]


def _tokens(pairs: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> dict[str, str]:
    tenants: dict[str, str] = {}
    for tenant, token in pairs:
        if not _TENANT.fullmatch(tenant):
            raise ValueError(
                "a tenant's name must be 1 to 63 letters, digits and _ . -, a letter or digit first"
            )
        if not token:
            raise ValueError(f"the token of tenant {tenant} is empty; is its environment variable set?")
        if tenants.setdefault(token, tenant) != tenant:
            raise ValueError(f"the tenants {tenants[token]} and {tenant} have the same token")
    return tenants


class BearerTokenAuth(Authenticator[BearerTokenAuthOptions]):
    """Asked by the receivers for every request, from several threads."""

    options_type = BearerTokenAuthOptions

    def __init__(self, options: BearerTokenAuthOptions, context: Context) -> None:
        super().__init__(options, context)
        # Tokens are looked up by a hash under a key that nobody knows: how long a comparison takes then says
        # nothing about a token, and many tokens cost no more than one.
        self._key = secrets.token_bytes(32)
        self._tenants: Mapping[bytes, str] = {}
        self._header = options.header.lower()
        self._prefix = f"{options.scheme} ".lower() if options.scheme else ""
        self._reading = threading.Lock()
        self._file_version: tuple[int, int, int] | None = None

    async def start(self) -> None:
        """Read the tokens; raises ``StartError`` when their file can't be used."""
        try:
            self._load()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            raise StartError(
                f"{self.context.id} can't read the tokens in {self.options.filename}: {cause}."
            ) from error

    def authenticate(self, headers: Mapping[str, str]) -> str:
        """The tenant of the caller's token; raises ``PermissionError``."""
        self._reload_changed()
        value = headers.get(self._header, "")
        if value[: len(self._prefix)].lower() == self._prefix:
            tenant = self._tenants.get(self._digest(value[len(self._prefix) :].strip()))
            if tenant is not None:
                return tenant
        raise PermissionError("missing or unknown bearer token")

    def _digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), key=self._key).digest()

    def _load(self) -> None:
        self._file_version = self._read_file_version()
        self._tenants = {
            self._digest(token): tenant for token, tenant in self.options.tenants_by_token().items()
        }

    def _read_file_version(self) -> tuple[int, int, int] | None:
        if self.options.filename is None:
            return None
        try:
            status = os.stat(self.options.filename)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _reload_changed(self) -> None:
        if self._read_file_version() == self._file_version or not self._reading.acquire(blocking=False):
            return
        try:
            self._load()
            _log.info("%s: read %d tokens", self.context.id, len(self._tenants))
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            _log.warning("%s keeps the tokens it knows; the changed file: %s", self.context.id, cause)
        finally:
            self._reading.release()
