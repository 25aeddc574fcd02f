"""Stores the content of artifacts once, under their immutable keys, in a folder or in S3.

    exporters:
      artifacts:
        directory: ./data/artifacts
      artifacts/s3:
        s3uploader:
          region: eu-central-1
          s3_bucket: agent-artifacts
          s3_prefix: production

An artifact is a log record with the event name ``agent.artifact``; the ``artifact_keys`` processor gave it
its key and hash. Content that redaction keeps on purpose (``content: artifact``) comes with the rows it was
taken out of. Every other row passes by. Repeating an export stores nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agenttracer.collector.component import Context, Erasable, Erasure, Exporter
from agenttracer.collector.errors import Rejected
from agenttracer.exporters.artifacts.artifact import Artifact, read_artifacts, read_contents
from agenttracer.exporters.artifacts.erasure import FolderErasure, S3Erasure
from agenttracer.exporters.artifacts.folder import Folder
from agenttracer.exporters.artifacts.options import ArtifactsOptions, S3Uploader
from agenttracer.schemas.batch import Batch, Signal

if TYPE_CHECKING:
    from agenttracer.exporters.artifacts.s3 import S3

_log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 3600.0
_PARALLEL = 8  # an object is a round trip or an fsync; S3 and disks serve several at once

__all__ = ["Artifacts", "ArtifactsOptions", "Folder", "S3Uploader"]


class Artifacts(Exporter[ArtifactsOptions], Erasable):
    """Durable on return: fsynced in the folder, or acknowledged by S3 with a matching checksum."""

    options_type = ArtifactsOptions
    signals = frozenset({Signal.TRACES, Signal.LOGS})

    def __init__(self, options: ArtifactsOptions, context: Context) -> None:
        super().__init__(options, context)
        self.store = _bucket(options.s3uploader) if options.s3uploader else Folder(options.directory)
        self._threads: ThreadPoolExecutor | None = None
        self._expiry: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Checks that objects can be stored; raises ``StartError`` if not."""
        await asyncio.to_thread(self.store.open)
        self._threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix=self.context.id)
        if isinstance(self.store, Folder) and self.options.content_ttl:
            self._expiry = asyncio.create_task(self._expire(self.store))

    async def _expire(self, folder: Folder) -> None:
        """Let old content go, once an hour."""
        while True:
            try:
                expired = await asyncio.to_thread(folder.expire, self.options.content_ttl)
                if expired:
                    _log.info("%s: %d objects of content expired", self.context.id, expired)
            except OSError as error:
                # The error's own text holds a path, and that the names in a key.
                _log.warning("%s: old content can't be removed (%s)", self.context.id, error.strerror)
            await asyncio.sleep(_EXPIRY_SECONDS)

    async def stop(self) -> None:
        """Waits for the objects that are being stored; the others stay in the journal."""
        expiry, self._expiry = self._expiry, None
        if expiry is not None:
            expiry.cancel()
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)

    async def export(self, batch: Batch) -> None:
        """Stores every artifact of the batch, in parallel; raises when at least one of them isn't stored."""
        artifacts = [*read_artifacts(batch), *read_contents(batch)]
        if not artifacts:
            return
        loop = asyncio.get_running_loop()
        attempts = [loop.run_in_executor(self._threads, self._store_one, artifact) for artifact in artifacts]
        # All are tried before the first failure is told, so that one bad artifact holds up none.
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            # What can't be stored now decides over what never can: only a batch without the former may go.
            raise min(failures, key=lambda failure: isinstance(failure, Rejected))

    def _store_one(self, artifact: Artifact) -> None:
        artifact.check()
        self.store.put(artifact)

    def erasure(self) -> Erasure:
        """The folder or the bucket."""
        return FolderErasure(self.store) if isinstance(self.store, Folder) else S3Erasure(self.store)


def _bucket(options: S3Uploader) -> S3:
    # boto3 takes 9 MiB, which a folder has no use for.
    from agenttracer.exporters.artifacts.s3 import S3

    return S3(options)
