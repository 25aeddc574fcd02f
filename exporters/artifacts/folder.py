"""Keeps artifacts as files of their keys in a folder that only this user may read.

    <directory>/tenant/agent/run/uuid/name          0600, folders 0700

A file appears under its name complete and on disk, or not at all, and is never written again.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path

from agenttracer.collector.errors import StartError, Unavailable
from agenttracer.exporters.artifacts.artifact import Artifact, Store, conflict
from agenttracer.schemas.contents import CONTENT_PREFIX

_TEMPORARY = ".part"


class Folder(Store):
    """Artifacts in a folder; the file system must know hard links."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)

    def open(self) -> None:
        """Makes the folder and tries a write in it."""
        temporary, linked = (self.directory / f".{uuid.uuid4().hex}{_TEMPORARY}" for _ in range(2))
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(temporary, b"")
            os.link(temporary, linked)
        except OSError as error:
            raise StartError(
                f"artifacts can't be stored in {self.directory}: {os.strerror(error.errno or 0)}; "
                "`directory` must be a folder that this user may write to, on a file system with hard links"
            ) from None
        finally:
            for path in (temporary, linked):
                with suppress(OSError):
                    path.unlink()

    def expire(self, older_than_seconds: float) -> int:
        """Unlinks old contents, and the folders that are empty then."""
        before = time.time() - older_than_seconds
        expired = 0
        for path in self.directory.glob(f"*/*/*/*/{CONTENT_PREFIX}*"):
            # It may be gone: erased, or swept by another process.
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    expired += 1
                    _remove_empty(path)
        return expired

    def put(self, artifact: Artifact) -> None:
        """Writes beside the final name, then links: a link never replaces what is there."""
        final = self.directory / artifact.key
        try:
            self._put(final, artifact)
        except OSError as error:
            # The strerror alone: the exception's own text holds the path, and that the names in the key.
            raise Unavailable(
                f"an artifact can't be written: {os.strerror(error.errno or 0)}",
                retry_after_seconds=5,
            ) from None

    def _put(self, final: Path, artifact: Artifact) -> None:
        for folder in reversed(self._folders(final)):
            folder.mkdir(mode=0o700, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex}{_TEMPORARY}")
        try:
            _write(temporary, artifact.content)
            os.link(temporary, final)
        except (FileExistsError, FileNotFoundError):  # not found: an attempt beside this one swept it
            if _sha256(final) != artifact.sha256:
                raise conflict() from None
        finally:
            # Of this key, so that what an attempt left that was killed is swept as well.
            for leftover in final.parent.glob(f".{final.name}.{'[0-9a-f]' * 32}{_TEMPORARY}"):
                leftover.unlink(missing_ok=True)
        # Also when the file was there: the attempt that linked it may have died before its own fsync.
        for folder in self._folders(final):
            sync(folder)

    def _folders(self, final: Path) -> list[Path]:
        """From the file's own folder up to the root of all."""
        depth = len(final.relative_to(self.directory).parents)
        return list(final.parents)[:depth]


def _remove_empty(path: Path) -> None:
    """Remove the folders uuid, run, agent and tenant above a path, as far as nothing else is in them."""
    with suppress(OSError):
        for folder in list(path.parents)[:4]:
            folder.rmdir()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(folder: Path) -> None:
    """Make what changed in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
