"""Keeps the journal: every acknowledged row is here, on disk, until all exporters have stored it.

extensions:
  file_storage:
    directory: ./data/journal
    max_size_mib: 4096
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Self

from pydantic import Field

from agenttracer.collector.component import Context, Extension, Options, Seconds, Worker
from agenttracer.collector.errors import StartError
from agenttracer.collector.journal import Journal
from agenttracer.collector.journal_folders import JOURNAL_FILE, journal_folder, journal_folders


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

    def for_worker(self, worker: Worker) -> Self:
        """A journal in a folder of its own."""
        return self.model_copy(update={"directory": journal_folder(self.directory, worker.number)})


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
        if self.context.worker.number == 1:
            await asyncio.to_thread(self._check_nothing_is_left_behind)
        await asyncio.to_thread(self.journal.open)
        telemetry = self.context.telemetry
        telemetry.show_books(self.journal)
        telemetry.show("agenttracer_journal_bytes", lambda: self.journal.waiting_bytes)
        telemetry.show("otelcol_exporter_queue_capacity", lambda: self.journal.max_bytes)

    def _check_nothing_is_left_behind(self) -> None:
        """Journals of workers that there are no more: their rows were acknowledged, and nobody would deliver them."""
        for number, folder in journal_folders(self.options.directory).items():
            if number > self.context.worker.count and _has_rows(folder):
                raise StartError(
                    f"{self.context.id}: rows of a worker that is gone wait in {folder}; "
                    f"start with service::workers: {number} until they are delivered."
                )

    async def stop(self) -> None:
        await asyncio.to_thread(self.journal.close)


def _has_rows(folder: Path) -> bool:
    with closing(sqlite3.connect(f"file:{folder / JOURNAL_FILE}?mode=ro", uri=True)) as journal:
        (waiting,) = journal.execute("SELECT EXISTS (SELECT 1 FROM groups)").fetchone()
    return bool(waiting)
