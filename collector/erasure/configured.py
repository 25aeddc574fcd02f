"""What the configuration tells an erasure: the journal, the exporters that can forget, the keys of the hashes."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttracer.collector.component import Component, Context, Erasable, Erasure
from agenttracer.collector.config.model import Config, Configured
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.file_storage import FileStorageOptions
from agenttracer.collector.journal import connect
from agenttracer.collector.journal_folders import JOURNAL_FILE, LOCK_FILE, journal_folders
from agenttracer.collector.privacy.key_file import read_or_make_keys
from agenttracer.collector.privacy.options import RedactionOptions
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.collector.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """The file of one worker's journal, and whether a collector has it too."""

    worker: int
    connection: sqlite3.Connection
    collector_running: bool


@dataclass(frozen=True, slots=True)
class OpenJournals:
    """The journals of all workers, and the folder that they are in."""

    directory: Path
    each: tuple[OpenJournal, ...]

    @property
    def collector_running(self) -> bool:
        """Whether a collector has them too."""
        return any(journal.collector_running for journal in self.each)


@contextmanager
def open_journals(config: Config) -> Iterator[OpenJournals]:
    """The journals, which no collector can open meanwhile unless one has them already."""
    directory = _journal_directory(config)
    folders = journal_folders(directory)
    if not folders:
        raise StartError(
            f"there is no journal in {directory}: give the collector's own configuration with --config, "
            "and start this in its folder and with its environment"
        )
    try:
        with ExitStack() as stack:
            running = not _locked(folders.values(), stack)
            journals = [
                OpenJournal(worker, stack.enter_context(closing(connect(folder / JOURNAL_FILE))), running)
                for worker, folder in folders.items()
            ]
            yield OpenJournals(directory, tuple(journals))
    except (OSError, sqlite3.Error) as error:
        cause = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise StartError(
            f"the journal in {directory} can't be used ({cause}): run this as the collector's user"
        ) from None


def _locked(folders: Iterable[Path], stack: ExitStack) -> bool:
    """Lock all of them, or none if a collector has one: a worker that was killed is about to come back for its own."""
    with ExitStack() as taken:
        for folder in folders:
            lock = taken.enter_context((folder / LOCK_FILE).open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        stack.push(taken.pop_all())
    return True


def _journal_directory(config: Config) -> Path:
    for name in config.service_extensions:
        options = config.extensions[name].options
        if isinstance(options, FileStorageOptions):
            return options.directory
    return FileStorageOptions().directory


@asynccontextmanager
async def open_exporters(config: Config) -> AsyncIterator[tuple[dict[str, Erasure], list[str]]]:
    """(erasures by exporter, exporters without one) of the pipelines; started, and stopped at the end."""
    erasures: dict[str, Erasure] = {}
    others: list[str] = []
    async with AsyncExitStack() as stack:
        for name in dict.fromkeys(name for each in config.pipelines.values() for name in each.exporters):
            configured = config.exporters[name]
            if not issubclass(configured.cls, Erasable):
                others.append(name)
                continue
            exporter = _make(configured)
            stack.push_async_callback(exporter.stop)
            await exporter.start()
            assert isinstance(exporter, Erasable)
            erasures[name] = exporter.erasure()
        yield erasures, others


def _make(configured: Configured) -> Component[Any]:
    return configured.cls(configured.options, Context(configured.id, Telemetry()))


def tokens_of(config: Config, value: str, tenant: str) -> frozenset[str]:
    """Every keyed hash that redaction may have made of a value in a tenant; none where a key file is missing."""
    found: set[str] = set()
    for pipeline in config.pipelines.values():
        for name in pipeline.processors:
            options = config.processors[name].options
            if isinstance(options, RedactionOptions) and options.key_file.is_file():
                found.update(Pseudonyms(read_or_make_keys(options.key_file)).tokens_of(value, tenant))
    # The first version's key file had no epoch, and its hashes named none.
    first = {f"h:{token.removeprefix('h0:')}" for token in found if token.startswith("h0:")}
    return frozenset(found | first)
