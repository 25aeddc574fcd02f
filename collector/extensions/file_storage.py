"""Keeps the journal: every acknowledged row is here, on disk, until all exporters have stored it.

extensions:
  file_storage:
    directory: ./data/journal
    max_size_mib: 4096
"""

import asyncio
from pathlib import Path

from pydantic import Field

from agenttracer.collector.component import Context, Extension, Options, Seconds
from agenttracer.collector.journal import Journal


class FileStorageOptions(Options):
    """Options of ``file_storage``."""

    directory: Path = Field(
        default=Path("./data/journal"), description="Folder of the journal; made if missing."
    )
    max_size_mib: int = Field(
        default=4096,
        gt=0,
        description="Most that may wait for the exporters; beyond it clients are told to resend.",
    )
    duplicate_window: Seconds = Field(
        default=900.0, description="How long a re-sent request is recognised and not stored again."
    )


class FileStorage(Extension[FileStorageOptions]):
    """The journal as an extension: it starts before everything that needs it and stops last."""

    options_type = FileStorageOptions

    def __init__(self, options: FileStorageOptions, context: Context) -> None:
        super().__init__(options, context)
        self.journal = Journal(
            options.directory,
            max_bytes=options.max_size_mib * 1024 * 1024,
            window_seconds=options.duplicate_window,
        )

    async def start(self) -> None:
        await asyncio.to_thread(self.journal.open)
        telemetry = self.context.telemetry
        telemetry.show_books(self.journal)
        telemetry.show("agenttracer_journal_bytes", lambda: self.journal.waiting_bytes)
        telemetry.show("otelcol_exporter_queue_capacity", lambda: self.journal.max_bytes)

    async def stop(self) -> None:
        await asyncio.to_thread(self.journal.close)
