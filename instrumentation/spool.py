"""A folder for what the collector could not take: bounded, for the owner's eyes alone, sent when it can.

    AgentTracer(…, spool_dir="/var/lib/my-agent/spool", max_spool_bytes=64 * 2**20)

    spool/1763700000000000000-4711-0.traces       one OTLP export request, mode 0600, in a folder of mode 0700

It holds what would have been sent but artifacts, so no content. Several processes may share it: whoever replays
a file holds a lock on it, which the system lets go of when the process dies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import time_ns

from agenttracer.instrumentation.guard import warn_once


class Spool:
    """Files of one export request each, oldest first. ``OSError`` never leaves it."""

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = 64 * 2**20) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.written = 0
        """Spans and events written so far."""
        self.replayed = 0
        """Requests sent from the folder so far."""
        self.lost_artifacts = 0
        """Artifacts that could not be sent, and were not written."""
        self._numbers = count()

    def write(self, signal: str, payload: bytes, items: int) -> bool:
        """Keep a request; False when the folder is full or can't be written to."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._size() + len(payload) > self.max_bytes:
                return False
            name = f"{time_ns()}-{os.getpid()}-{next(self._numbers)}"
            partial = self.folder / f"{name}.partial"
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(payload)
            partial.rename(self.folder / f"{name}.{signal}")
        except OSError as error:
            warn_once("spool", "agenttracer: the spool folder can't be used: %s", type(error).__name__)
            return False
        self.written += items
        return True

    def replay(self, signal: str, send: Callable[[bytes], bool]) -> bool:
        """Send what is kept of a signal, oldest first, until a ``send`` fails; True when none is left."""
        for path in self._files(signal):
            with suppress(OSError), path.open("rb") as file:
                if not _locked(file.fileno()) or not path.exists():
                    continue  # another process is sending it, or has sent it
                if not send(file.read()):
                    return False
                path.unlink()
                self.replayed += 1
        return True

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return not any(self._files("traces")) and not any(self._files("logs"))

    def _files(self, signal: str) -> Iterator[Path]:
        return iter(sorted(self.folder.glob(f"*.{signal}")))

    def _size(self) -> int:
        total = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += entry.stat().st_size
        return total


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: two processes may send the same file; the collector knows it by its hash
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
