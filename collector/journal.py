"""The durable queue between the receivers and the exporters, and the books of what became of every row.

    append (one transaction, one fsync for many groups) ─┬─ cursor of exporter A: claim → advance
                                                         └─ cursor of exporter B: claim → bury (dead letter)

SQLite in WAL mode with ``synchronous=FULL``: what ``append`` returned from survives ``kill -9`` and a power
cut. A claim is durable too, so a retry after a crash takes exactly the rows that the first attempt took and
the store can tell that it has them. The books change in the same transactions as the rows they count.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agenttracer.collector.cursors import set_cursors
from agenttracer.collector.errors import StartError, Unavailable
from agenttracer.collector.journal_folders import JOURNAL_FILE, LOCK_FILE
from agenttracer.collector.journal_reserve import CHECKPOINT_PAGES, Reserve
from agenttracer.collector.journal_schema import SCHEMA, VERSION
from agenttracer.collector.passing_time import Clock, PassingTime
from agenttracer.collector.receipts import Receipt, Receipts
from agenttracer.collector.shared_limit import SharedLimit
from agenttracer.collector.telemetry import BookLine, Books, Entry

_BUSY_SECONDS = 5.0
_WAITING_BYTES = "SELECT tenant, sum(length(payload)) FROM groups WHERE only_exporter = '' GROUP BY tenant"
_WAITING = (
    "groups g, cursors c WHERE g.pipeline = c.pipeline AND g.id > c.position "
    "AND (g.only_exporter = '' OR g.only_exporter = c.exporter)"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one pipeline and tenant that were processed together, as ``codec.pack`` wrote them."""

    pipeline: str
    tenant: str
    rows: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ClaimedGroup:
    """One waiting group as an exporter takes it."""

    id: int
    tenant: str
    rows: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """Groups that an exporter works on until it says what became of them."""

    journal_id: str
    pipeline: str
    exporter: str
    groups: tuple[ClaimedGroup, ...]

    @property
    def token(self) -> str:
        """Names these rows for ever: the same after a crash, never used for others."""
        return f"{self.journal_id}-{self.pipeline}-{self.groups[0].id}-{self.groups[-1].id}"

    @property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)

    def single(self) -> list[Claim]:
        """Its groups one by one, to be tried alone when all together were refused."""
        return [Claim(self.journal_id, self.pipeline, self.exporter, (group,)) for group in self.groups]


class Journal(Books):
    """One SQLite file; every method may be called from any thread."""

    def __init__(
        self, directory: Path, *, max_bytes: int, window_seconds: float, now: Clock | None = None
    ) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.window_seconds = window_seconds
        self._waiting_limit = SharedLimit(max_bytes)
        self.id = ""
        self.now = now or PassingTime().now
        self._reserve = Reserve(directory)
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._owner: IO[str] | None = None
        self._receipts = Receipts()
        self._listeners: list[Callable[[], None]] = []
        self.on_damage: Callable[[StartError], None] = lambda _: None
        """Called, from any thread, when the file turns out to be damaged: nothing can be promised any more."""

    def open(self) -> None:
        """Create or reopen the file for this process alone; raises ``StartError`` with one sentence."""
        try:
            self._open()
        except StartError:
            self.close()
            raise

    def _open(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._owner = open(self.directory / LOCK_FILE, "w")  # noqa: SIM115 - held while the journal is open
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"the journal in {self.directory} is in use by another collector: stop that one, "
                "or give this one a folder of its own (extensions::file_storage::directory)"
            ) from error
        except OSError as error:
            raise StartError(
                f"the journal's folder {self.directory} can't be written ({error.strerror}): "
                "make it writable, or set extensions::file_storage::directory"
            ) from error
        path = self.directory / JOURNAL_FILE
        try:
            self._writer = connect(path)
            self._reader = connect(path)
            self._load(self._writer)
            self._reserve.hold(self._writer)
        except sqlite3.Error as error:
            raise _sentence(path, error) from error

    def _load(self, connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('id', ?)", (uuid.uuid4().hex,))
        (self.id,) = connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
        self._waiting_limit.count_anew(dict(connection.execute(_WAITING_BYTES).fetchall()))
        since = self.now() - self.window_seconds
        for digest, rows, rejected in connection.execute(
            "SELECT digest, rows, rejected_rows FROM receipts WHERE time >= ? ORDER BY id", (since,)
        ):
            self._receipts.add(digest, rows, rejected)

    def close(self) -> None:
        """Close the file; safe twice."""
        with self._lock, self._read_lock:
            for opened in (self._reader, self._writer, self._owner):
                if opened is not None:
                    opened.close()
            self._reader = self._writer = self._owner = None

    def _look_for_damage(self, error: sqlite3.Error) -> None:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self.on_damage(_sentence(self.directory / JOURNAL_FILE, error))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The reading connection; it doesn't wait for a commit that is under way."""
        with self._read_lock:
            if self._reader is None:
                raise Unavailable("the journal is closed")
            try:
                yield self._reader
            except sqlite3.Error as error:
                self._look_for_damage(error)
                raise Unavailable(f"the journal can't be read: {error}", retry_after_seconds=5) from error

    @contextmanager
    def _transaction(
        self, *, on_reserve: bool = False
    ) -> Iterator[tuple[sqlite3.Connection, Counter[BookLine]]]:
        """A durable change: rows and books together, or neither; disk trouble becomes ``Unavailable``.

        One that makes room in the end may use up the reserve when it is tried again."""
        with self._lock:
            connection = self._writer
            if connection is None:
                raise Unavailable("the journal is closed")
            lines: Counter[BookLine] = Counter()
            try:
                if not on_reserve:
                    self._reserve.hold(connection)
                connection.execute("BEGIN IMMEDIATE")
                yield connection, lines
                connection.executemany(
                    "INSERT INTO books VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                    [(*line, rows) for line, rows in lines.items() if rows],
                )
                connection.execute("COMMIT")
                if on_reserve:
                    self._reserve.progressed()
            except sqlite3.Error as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                # A quota that is used up is an I/O error to SQLite.
                if on_reserve and error.sqlite_errorcode & 0xFF in (
                    sqlite3.SQLITE_FULL,
                    sqlite3.SQLITE_IOERR,
                ):
                    with suppress(sqlite3.Error):
                        self._reserve.lend(connection)
                self._look_for_damage(error)
                raise Unavailable(f"the journal can't be written: {error}", retry_after_seconds=2) from error
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    # ---- receivers' side

    @property
    def waiting_bytes(self) -> int:
        """Size of the groups that wait."""
        return self._waiting_limit.used_bytes

    def full_for(self, tenant: str) -> bool:
        """Whether the tenant's waiting groups take as much of the size limit as they may."""
        return not self._waiting_limit.admits(tenant)

    def answered(self, digest: bytes) -> tuple[int, int] | None:
        """(rows, rejected rows) of a request with this hash that was answered inside the window."""
        return self._receipts.find(digest)

    def append(self, groups: Sequence[Group], receipts: Sequence[Receipt], lines: Counter[BookLine]) -> None:
        """Make groups, receipts and book lines durable in one transaction; raises ``Unavailable``."""
        now = self.now()
        with self._transaction() as (connection, books):
            connection.executemany(
                "INSERT INTO groups (pipeline, tenant, rows, time, payload) VALUES (?, ?, ?, ?, ?)",
                [(group.pipeline, group.tenant, group.rows, now, group.payload) for group in groups],
            )
            connection.executemany(
                "INSERT INTO receipts (time, digest, rows, rejected_rows) VALUES (?, ?, ?, ?)",
                [(now, receipt.digest, receipt.rows, receipt.rejected_rows) for receipt in receipts],
            )
            books.update(lines)
        for group in groups:
            self._waiting_limit.take(group.tenant, len(group.payload))
        for receipt in receipts:
            self._receipts.add(receipt.digest, receipt.rows, receipt.rejected_rows)
        for wake in self._listeners:
            wake()

    def note(self, lines: Counter[BookLine]) -> None:
        """Make book lines durable that come with no rows: duplicates and refusals."""
        with self._transaction() as (_, books):
            books.update(lines)

    def forget_receipts(self) -> None:
        """Forget the requests older than the window."""
        before = self.now() - self.window_seconds
        with self._transaction() as (connection, _):
            old = connection.execute(
                "DELETE FROM receipts WHERE time < ? RETURNING digest", (before,)
            ).fetchall()
        self._receipts.forget(digest for (digest,) in old)

    # ---- exporters' side

    def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever groups were appended."""
        self._listeners.append(wake)

    def register(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Give each (pipeline, exporter) a cursor, and take those away that are not among them."""
        with self._transaction() as (connection, books):
            books.update(set_cursors(connection, set(pairs)))
            waiting_bytes = dict(connection.execute(_WAITING_BYTES).fetchall())
        self._waiting_limit.count_anew(waiting_bytes)

    def waiting(self, pipeline: str, exporter: str) -> tuple[int, int, float]:
        """(groups, rows, unix time of the oldest) that the exporter has still to take."""
        with self._reading() as connection:
            return connection.execute(
                f"SELECT count(*), coalesce(sum(g.rows), 0), coalesce(min(g.time), 0) FROM {_WAITING} "
                "AND c.pipeline = ? AND c.exporter = ?",
                (pipeline, exporter),
            ).fetchone()

    def claim(self, pipeline: str, exporter: str, max_rows: int) -> Claim | None:
        """The next groups for an exporter, at most ``max_rows`` unless one group alone has more; the claim
        made before a crash, if there was one. None when nothing waits."""
        with self._reading() as connection:
            (claimed,) = connection.execute(
                "SELECT claimed FROM cursors WHERE pipeline = ? AND exporter = ?",
                (pipeline, exporter),
            ).fetchone()
            groups: list[ClaimedGroup] = []
            rows = 0
            for line in connection.execute(
                f"SELECT g.id, g.tenant, g.rows, g.payload FROM {_WAITING} "
                "AND c.pipeline = ? AND c.exporter = ? AND (c.claimed = 0 OR g.id <= c.claimed) "
                "ORDER BY g.id",
                (pipeline, exporter),
            ):
                group = ClaimedGroup(*line)
                if groups and not claimed and rows + group.rows > max_rows:
                    break
                groups.append(group)
                rows += group.rows
        if not groups:
            return None
        if claimed != groups[-1].id:
            with self._transaction(on_reserve=True) as (connection, _):
                connection.execute(
                    "UPDATE cursors SET claimed = ? WHERE pipeline = ? AND exporter = ?",
                    (groups[-1].id, pipeline, exporter),
                )
        return Claim(self.id, pipeline, exporter, tuple(groups))

    def advance(self, claim: Claim) -> None:
        """The exporter has made the claim's rows durable; what no cursor needs any more is deleted."""
        with self._transaction(on_reserve=True) as (connection, books):
            for group in claim.groups:
                books[(claim.pipeline, group.tenant, "stored", "", claim.exporter)] += group.rows
            freed = self._move_cursor(connection, claim)
        self._give_back(freed)

    def bury(self, claim: Claim, reason: str) -> None:
        """The exporter can never store the claim's rows: keep them as dead letters."""
        with self._transaction(on_reserve=True) as (connection, books):
            connection.executemany(
                "INSERT INTO dead_letters (pipeline, exporter, tenant, rows, reason, time, payload) "
                "SELECT pipeline, ?, tenant, rows, ?, ?, payload FROM groups WHERE id = ?",
                [(claim.exporter, reason, self.now(), group.id) for group in claim.groups],
            )
            for group in claim.groups:
                books[(claim.pipeline, group.tenant, "dead_lettered", reason, claim.exporter)] += group.rows
            freed = self._move_cursor(connection, claim)
        self._give_back(freed)

    def _give_back(self, freed: Iterable[tuple[str, int]]) -> None:
        for tenant, num_bytes in freed:
            self._waiting_limit.give_back(tenant, num_bytes)

    def _move_cursor(self, connection: sqlite3.Connection, claim: Claim) -> list[tuple[str, int]]:
        """Returns the tenants and sizes of the groups that are gone."""
        connection.execute(
            "UPDATE cursors SET position = ?1, claimed = CASE WHEN claimed <= ?1 THEN 0 ELSE claimed END "
            "WHERE pipeline = ?2 AND exporter = ?3",
            (claim.groups[-1].id, claim.pipeline, claim.exporter),
        )
        return connection.execute(
            "DELETE FROM groups WHERE pipeline = ?1 "
            "AND id <= (SELECT min(position) FROM cursors WHERE pipeline = ?1) "
            # Replayed dead letters were put in line behind this process's back, and are not in its count.
            "RETURNING tenant, iif(only_exporter = '', length(payload), 0)",
            (claim.pipeline,),
        ).fetchall()

    # ---- books

    def entries(self) -> list[Entry]:
        """The books as of the last commit, and what waits, counted from the groups themselves."""
        with self._reading() as connection:
            # One statement, so that both are of the same commit.
            lines = connection.execute(
                "SELECT pipeline, tenant, state, reason, exporter, rows FROM books UNION ALL "
                f"SELECT g.pipeline, g.tenant, 'waiting', '', c.exporter, sum(g.rows) FROM {_WAITING} "
                "GROUP BY g.pipeline, g.tenant, c.exporter"
            ).fetchall()
        return [Entry(*line) for line in lines]


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a journal's file, its tables made when they are missing."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # Some builds write zeros over what is deleted: every delivered row once more. Erasure writes the whole file anew.
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise sqlite3.DatabaseError(f"it was written by a newer release, journal version {version}")
    if version < VERSION:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    return connection


def _sentence(path: Path, error: sqlite3.Error) -> StartError:
    return StartError(
        f"the journal {path} can't be used ({error}): "
        "move the file away to start with an empty one, its rows stay in it"
    )
