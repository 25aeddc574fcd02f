"""Disk held back for the journal, so that on a full disk the exporters can still make room in it.

    there is room   reserve held     the file grows as rows come
    disk full       reserve lent     the exporters' progress goes on; rows only take the place of delivered ones
    room again      reserve held

SQLite writes twice: to its log, then to its file, which has to grow for it. Without a part of the disk that
new rows can't take, a full disk would keep even what makes room from being written.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

CHECKPOINT_PAGES = 4000
_RESERVE_BYTES = 32 * 1024 * 1024  # twice what a checkpoint may add to the file
_MOST_PAGES = 2**32 - 2  # SQLite's own limit
_log = logging.getLogger("agenttracer.journal")


class Reserve:
    """The file that takes the place; called inside the journal's lock, outside of a transaction."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "journal.reserve"
        self._is_held = False
        self._is_lent = False

    def hold(self, connection: sqlite3.Connection) -> None:
        """Before rows are written: hold the reserve, or keep the file from growing as long as that can't be."""
        if self._is_held or self._is_lent:
            return
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
            self._is_held = True
        except OSError:
            self._path.unlink(missing_ok=True)
        _limit_growth(connection, may_grow=self._is_held)

    def lend(self, connection: sqlite3.Connection) -> None:
        """The exporters' progress did not fit: it may take the reserve's place, and nothing else may."""
        if self._is_held:
            _log.error("the journal's disk is full: clients are told to resend until there is room")
        self._path.unlink(missing_ok=True)
        self._is_held, self._is_lent = False, True
        _limit_growth(connection, may_grow=False)

    def progressed(self) -> None:
        """The exporters' progress was written; from now on the reserve is held again if it fits."""
        self._is_lent = False


def _limit_growth(connection: sqlite3.Connection, *, may_grow: bool) -> None:
    pages = _MOST_PAGES
    if not may_grow:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
