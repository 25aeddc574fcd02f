"""The keys of the hashes, in a file that only its owner can read; a line a key.

    # tenant epoch key
    * 1 6b1f…                 for every tenant; each gets a key of its own, derived from it
    * 2 09ae…                 a later one: what was hashed before can't be joined with what is hashed since
    acme 3 c11d…              a tenant's own: deleting the line makes that tenant's hashes unlinkable

The last line that fits a tenant is its key. Keeping older ones lets erasure find what they hashed;
forgetting them makes it unlinkable for good.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from agenttracer.collector.errors import StartError

EVERY_TENANT = "*"
_KEY_BYTES = 32
_HEADER = "# Keys of the hashes of users and sessions: tenant, epoch, key. Keep this file private.\n"
_LINE = re.compile(r"(?P<tenant>\S+)\s+(?P<epoch>[0-9]{1,6})\s+(?P<key>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key and the epoch that its hashes name."""

    epoch: int
    secret: bytes


class KeyFile:
    """The lines of a key file."""

    def __init__(self, lines: list[tuple[str, Key]]) -> None:
        self._lines = lines

    @property
    def epoch(self) -> int:
        """The newest epoch."""
        return max(key.epoch for _, key in self._lines)

    def keys(self, tenant: str) -> list[Key]:
        """A tenant's keys, the newest last."""
        return [
            key if owner == tenant else Key(key.epoch, _derived(key.secret, tenant))
            for owner, key in self._lines
            if owner in (tenant, EVERY_TENANT)
        ]

    def rotated(self, tenant: str = EVERY_TENANT, *, forget: bool = False) -> KeyFile:
        """With a new key for a tenant, or for every one; ``forget`` leaves out the keys that it replaces."""
        kept = [
            (owner, key)
            for owner, key in self._lines
            if not forget or (tenant != EVERY_TENANT and owner != tenant)
        ]
        return KeyFile([*kept, (tenant, Key(self.epoch + 1, os.urandom(_KEY_BYTES)))])

    def write(self, path: Path, *, only_if_missing: bool = False) -> None:
        """Put it in place of the file at once; raises ``OSError``."""
        text = _HEADER + "".join(f"{tenant} {key.epoch} {key.secret.hex()}\n" for tenant, key in self._lines)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if only_if_missing:
                # Of several processes that start together one makes the key, and all read it.
                with contextlib.suppress(FileExistsError):
                    os.link(beside, path)
            else:
                os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def read_or_make_keys(path: Path) -> KeyFile:
    """The keys in a file, made on first use, readable by its owner alone; raises ``StartError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not path.exists():
            made = KeyFile([(EVERY_TENANT, Key(1, os.urandom(_KEY_BYTES)))])
            made.write(path, only_if_missing=True)
        content = path.read_bytes()
    except OSError as error:
        raise StartError(
            f"the key file {path} can't be used ({error.strerror}): "
            "make it readable, or set processors::redaction::key_file"
        ) from error
    return _read(content, path)


def _read(content: bytes, path: Path) -> KeyFile:
    if len(content) == _KEY_BYTES:
        # The first version's files: a key and nothing else.
        return KeyFile([(EVERY_TENANT, Key(0, content))])
    lines = []
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise StartError(
                f"line {number} of the key file {path} is not 'tenant epoch key': "
                "mend it, or delete the file to have it made anew"
            )
        lines.append((found["tenant"], Key(int(found["epoch"]), bytes.fromhex(found["key"]))))
    if not any(tenant == EVERY_TENANT for tenant, _ in lines):
        raise StartError(
            f"the key file {path} has no key for every tenant (a line that begins with *): "
            "delete it to have it made anew"
        )
    return KeyFile(lines)


def _derived(secret: bytes, tenant: str) -> bytes:
    return hmac.digest(secret, b"tenant:" + tenant.encode(), hashlib.sha256)
