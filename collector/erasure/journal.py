"""Forgets rows that wait in the journal or lie in its dead letters; the books say that they are gone.

    payload ──unpack──▶ rows ──without──▶ pack ──▶ the same group, fewer rows     filtered{reason="erased"} += rows

A group that an exporter had claimed stays, if need be with no rows: its id is part of the token by which the
store knows what it has. The groups belong to a collector that runs, so they are changed only while none does;
dead letters are nobody's, and are changed at any time.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np

from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.component import Erased, Erasure
from agenttracer.collector.erasure.rows import related, selected, without
from agenttracer.collector.errors import Unavailable
from agenttracer.schemas.batch import Batch
from agenttracer.schemas.selection import Selection

_Table = Literal["groups", "dead_letters"]
_WAITS_FOR = (
    "SELECT g.pipeline, g.tenant, c.exporter, c.claimed >= g.id FROM groups g, cursors c WHERE g.id = ? "
    "AND g.pipeline = c.pipeline AND g.id > c.position AND g.only_exporter IN ('', c.exporter)"
)
_BOOK = (
    "INSERT INTO books VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows"
)


class StoredRows(Erasure):
    """What the two tables with payloads have in common."""

    table: _Table
    part: str

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tenants(self) -> frozenset[str]:
        """Everyone in the books, now or ever."""
        with _asked():
            return frozenset(t for (t,) in self._connection.execute("SELECT DISTINCT tenant FROM books"))

    def related(self, selection: Selection) -> Selection:
        """From the rows of all payloads of the tenant."""
        found = Selection(selection.tenant)
        if not selection.whole_tenant:
            for identifier, _ in self._entries(selection):
                if (batch := self._batch(identifier)) is not None:
                    found |= related(batch, selection)
        return found

    def count(self, selection: Selection) -> dict[str, int]:
        """Rows; all of them where a payload can't be read, so that nobody can tell whose they are."""
        return {self.part: sum(gone for _, gone, _ in self._selected(selection))}

    def erase(self, selection: Selection) -> dict[str, Erased]:
        """In one transaction, books included."""
        found = 0
        with _asked(), _transaction(self._connection):
            for identifier, gone, rest in self._selected(selection):
                found += gone
                self._take_out(identifier, gone, rest)
        return {self.part: Erased(found, self.count(selection)[self.part])}

    def _selected(self, selection: Selection) -> Iterator[tuple[int, int, Batch | None]]:
        """(id, rows that go, the others) of each payload that has selected rows."""
        for identifier, rows in self._entries(selection):
            batch = self._batch(identifier)
            if batch is None:
                yield identifier, rows, None
                continue
            mask = selected(batch, selection)
            if gone := int(np.count_nonzero(mask)):
                yield identifier, gone, without(batch, mask)

    @abstractmethod
    def _take_out(self, identifier: int, gone: int, rest: Batch | None) -> None:
        """Inside a transaction."""

    def _keep(self, identifier: int, rest: Batch) -> None:
        self._connection.execute(
            f"UPDATE {self.table} SET rows = ?, payload = ? WHERE id = ?",
            (rest.num_rows, pack(rest), identifier),
        )

    def _delete(self, identifier: int) -> None:
        self._connection.execute(f"DELETE FROM {self.table} WHERE id = ?", (identifier,))

    def _book(self, pipeline: str, tenant: str, exporter: str, rows: int) -> None:
        self._connection.execute(_BOOK, (pipeline, tenant, "filtered", "erased", exporter, rows))

    def _entries(self, selection: Selection) -> list[tuple[int, int]]:
        """(id, rows) of the tenant's payloads."""
        with _asked():
            return self._connection.execute(
                f"SELECT id, rows FROM {self.table} WHERE tenant = ? AND rows > 0 ORDER BY id",
                (selection.tenant,),
            ).fetchall()

    def _batch(self, identifier: int) -> Batch | None:
        """The rows, None for a payload that can't be read or was taken away meanwhile."""
        with _asked():
            found = self._connection.execute(
                f"SELECT payload FROM {self.table} WHERE id = ?", (identifier,)
            ).fetchone()
        try:
            return unpack([found[0]]) if found else None
        except Exception:  # of many kinds, when bytes are damaged
            return None


class WaitingRows(StoredRows):
    """Groups that an exporter has still to take; only for who holds the journal's lock."""

    table = "groups"
    part = "waiting rows"

    def _take_out(self, identifier: int, gone: int, rest: Batch | None) -> None:
        waits_for = self._connection.execute(_WAITS_FOR, (identifier,)).fetchall()
        for pipeline, tenant, exporter, _ in waits_for:
            self._book(pipeline, tenant, exporter, gone)
        is_claimed = any(claimed for *_, claimed in waits_for)
        # Damaged bytes are refused whatever claim they are in, so that no token can be for them.
        if rest is not None and (rest.num_rows or is_claimed):
            self._keep(identifier, rest)
        else:
            self._delete(identifier)


class DeadLetters(StoredRows):
    """Rows that an exporter refused for good."""

    table = "dead_letters"
    part = "rows"

    def _take_out(self, identifier: int, gone: int, rest: Batch | None) -> None:
        pipeline, tenant, reason, exporter = self._connection.execute(
            "SELECT pipeline, tenant, reason, exporter FROM dead_letters WHERE id = ?", (identifier,)
        ).fetchone()
        self._connection.execute(_BOOK, (pipeline, tenant, "dead_lettered", reason, exporter, -gone))
        self._book(pipeline, tenant, exporter, gone)
        if rest is not None and rest.num_rows:
            self._keep(identifier, rest)
        else:
            self._delete(identifier)


def last_group(connection: sqlite3.Connection, tenant: str) -> int:
    """The id of the tenant's newest group, 0 if none waits."""
    with _asked():
        (found,) = connection.execute(
            "SELECT coalesce(max(id), 0) FROM groups WHERE tenant = ?", (tenant,)
        ).fetchone()
    return int(found)


def waits(connection: sqlite3.Connection, tenant: str, until: int) -> bool:
    """Whether a group of the tenant's still waits that is not newer than ``until``."""
    with _asked():
        return bool(
            connection.execute(
                "SELECT 1 FROM groups WHERE tenant = ? AND id <= ? LIMIT 1", (tenant, until)
            ).fetchone()
        )


def scrub(connection: sqlite3.Connection) -> Erased:
    """Write the file anew without the pages that deleted rows left, and empty the log beside it; pages are left
    while a reader of a running collector is in the way."""
    with _asked():
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        connection.execute("VACUUM")
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return Erased(free, max(free, 1) if busy else 0)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"the journal can't be used: {error}") from error
