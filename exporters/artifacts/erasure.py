"""Forgets artifacts: everything under a tenant's or a run's part of the keys, and single keys.

tenant/agent/run/uuid/name
└────┘ whole tenant
└────┘ … └─┘ a run, whichever agent it was
"""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agenttracer.collector.component import Erased, Erasure
from agenttracer.collector.errors import Unavailable
from agenttracer.exporters.artifacts.artifact import is_key
from agenttracer.exporters.artifacts.folder import Folder, sync
from agenttracer.schemas.artifact_key import key_part
from agenttracer.schemas.selection import Selection

if TYPE_CHECKING:
    from agenttracer.exporters.artifacts.s3 import S3


class ArtifactsErasure(Erasure):
    """One part: ``objects``."""

    def count(self, selection: Selection) -> dict[str, int]:
        """Files, or versions of objects."""
        return {"objects": self._count(selection)}

    def erase(self, selection: Selection) -> dict[str, Erased]:
        """Removes them, and counts what is left."""
        found = self._count(selection)
        if found:
            self._remove(selection)
        return {"objects": Erased(found, self._count(selection) if found else 0)}

    @abstractmethod
    def _count(self, selection: Selection) -> int: ...

    @abstractmethod
    def _remove(self, selection: Selection) -> None: ...


class FolderErasure(ArtifactsErasure):
    """Files and the folders that they leave empty."""

    def __init__(self, folder: Folder) -> None:
        self._root = folder.directory

    def tenants(self) -> frozenset[str]:
        """Those whose names are plain; the others stand there as hashes."""
        with os.scandir(self._root) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir() and entry.name[0] not in "._")

    def _count(self, selection: Selection) -> int:
        return sum(
            1 if path.is_file() else sum(len(files) for _, _, files in os.walk(path))
            for path in self._paths(selection)
        )

    def _remove(self, selection: Selection) -> None:
        try:
            for path in list(self._paths(selection)):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                self._tidy(path.parent)
        except OSError as error:
            # The strerror alone: the exception's own text holds the path, and that the names in the key.
            raise Unavailable(f"artifacts can't be removed: {os.strerror(error.errno or 0)}") from None

    def _paths(self, selection: Selection) -> Iterator[Path]:
        tenant = self._root / key_part(selection.tenant)
        if selection.whole_tenant:
            yield from (path for path in (tenant,) if path.is_dir())
            return
        for agent in sorted(tenant.iterdir()) if tenant.is_dir() else ():
            for run in sorted(selection.runs):
                if (path := agent / key_part(run)).is_dir():
                    yield path
        for key in sorted(_keys(selection)):
            if (path := self._root / key).is_file():
                yield path

    def _tidy(self, folder: Path) -> None:
        """Remove folders that became empty, and make it last."""
        with suppress(OSError):  # one that is not empty stays
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent
        sync(folder)


class S3Erasure(ArtifactsErasure):
    """Objects with all their versions, and the markers of earlier deletions."""

    def __init__(self, store: S3) -> None:
        self._store = store

    def tenants(self) -> frozenset[str]:
        """Those whose names are plain; the others stand there as hashes."""
        return frozenset(name for name in self._store.first_parts() if name[:1] not in "._")

    def _count(self, selection: Selection) -> int:
        return sum(1 for _ in self._versions(selection))

    def _remove(self, selection: Selection) -> None:
        self._store.delete_versions(list(self._versions(selection)))

    def _versions(self, selection: Selection) -> Iterator[tuple[str, str]]:
        runs, keys = {key_part(run) for run in selection.runs}, _keys(selection)
        for key, version in self._store.versions(f"{key_part(selection.tenant)}/"):
            if selection.whole_tenant or key in keys or runs & set(key.split("/")[2:3]):
                yield key, version


def _keys(selection: Selection) -> frozenset[str]:
    """The selection's keys that are keys of the tenant's."""
    tenant = f"{key_part(selection.tenant)}/"
    return frozenset(key for key in selection.artifact_keys if is_key(key) and key.startswith(tenant))
