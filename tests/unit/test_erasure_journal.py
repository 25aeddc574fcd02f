"""Erased rows leave the journal and the dead letters, the books still balance, and no byte of them stays."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.component import Erased
from agenttracer.collector.erasure.journal import DeadLetters, WaitingRows, last_group, scrub, waits
from agenttracer.collector.journal import Group, Journal, connect
from agenttracer.schemas.selection import Selection
from tests.batches import make_batch

MARKER = "run-7f3a9c0d5e1b4826"
RUN = Selection("acme", runs=frozenset({MARKER}))
PAIRS = [("traces", "store"), ("traces", "slow")]


def payload(*runs: str) -> bytes:
    """Spans of these runs."""
    return pack(make_batch("traces", [{"TraceId": "a" * 32, "RunId": run} for run in runs]))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of one pipeline with two exporters."""
    opened = Journal(tmp_path, max_bytes=1_000_000, window_seconds=900)
    opened.open()
    opened.register(PAIRS)
    yield opened
    opened.close()


@pytest.fixture
def beside(journal: Journal) -> Iterator[sqlite3.Connection]:
    """A connection as the command has it."""
    with closing(connect(journal.directory / "journal.sqlite")) as connection:
        yield connection


def append(journal: Journal, *runs: str, tenant: str = "acme") -> None:
    """A group of one span a run."""
    received = Counter({("traces", tenant, "received", "", ""): len(runs)})
    journal.append([Group("traces", tenant, len(runs), payload(*runs))], [], received)


def books(journal: Journal, exporter: str = "store") -> dict[str, int]:
    """Rows by state and reason, as far as they are an exporter's."""
    lines: Counter[str] = Counter()
    for entry in journal.entries():
        if entry.exporter in ("", exporter):
            lines[f"{entry.state} {entry.reason}".strip()] += entry.rows
    return {state: rows for state, rows in lines.items() if rows}


def waiting_runs(journal: Journal, exporter: str = "store") -> list[str]:
    """The runs that the exporter's next claim holds."""
    claim = journal.claim("traces", exporter, 100)
    return unpack([group.payload for group in claim.groups]).rows["RunId"].to_pylist() if claim else []


def test_a_runs_rows_leave_a_group_and_the_others_stay(journal: Journal, beside: sqlite3.Connection) -> None:
    """What waits for both exporters is erased for both, and counted as filtered."""
    append(journal, MARKER, "other", MARKER)
    assert {"waiting rows": Erased(2, 0)} == WaitingRows(beside).erase(RUN)
    expected = {"received": 3, "filtered erased": 2, "waiting": 1}
    assert (expected, expected) == (books(journal), books(journal, "slow"))
    assert ["other"] == waiting_runs(journal)


def test_only_who_still_waits_books_the_rows(journal: Journal, beside: sqlite3.Connection) -> None:
    """An exporter that has stored the rows keeps them in its books."""
    append(journal, MARKER, "other")
    claim = journal.claim("traces", "store", 10)
    assert claim is not None
    journal.advance(claim)
    WaitingRows(beside).erase(RUN)
    assert {"received": 2, "stored": 2} == books(journal)
    assert {"received": 2, "filtered erased": 1, "waiting": 1} == books(journal, "slow")


def test_an_empty_group_is_deleted(journal: Journal, beside: sqlite3.Connection) -> None:
    """A group of erased rows alone is gone, and another tenant's stays."""
    append(journal, MARKER)
    append(journal, MARKER, tenant="globex")
    assert {"waiting rows": Erased(1, 0)} == WaitingRows(beside).erase(Selection("acme", whole_tenant=True))
    assert [("globex", 1)] == beside.execute("SELECT tenant, rows FROM groups").fetchall()


def test_a_claimed_group_keeps_its_id(journal: Journal, beside: sqlite3.Connection) -> None:
    """The store may have its rows already, under a token that names the claim's first and last group: the
    retry has the same token."""
    append(journal, MARKER)
    append(journal, "other")
    append(journal, MARKER)
    before = journal.claim("traces", "store", 10)
    assert before is not None
    assert {"waiting rows": Erased(2, 0)} == WaitingRows(beside).erase(RUN)
    after = journal.claim("traces", "store", 10)
    assert after is not None
    assert (before.token, 3, 1) == (after.token, len(after.groups), after.rows)
    journal.advance(after)
    assert {"received": 3, "filtered erased": 2, "stored": 1} == books(journal)


def test_dead_letters_are_erased_beside_a_collector(journal: Journal, beside: sqlite3.Connection) -> None:
    """Rows leave the letter, and the books no longer say that they are dead-lettered."""
    append(journal, MARKER, "other")
    claim = journal.claim("traces", "store", 10)
    assert claim is not None
    journal.bury(claim, "clickhouse_53")
    assert {"rows": Erased(1, 0)} == DeadLetters(beside).erase(RUN)
    assert {"received": 2, "filtered erased": 1, "dead_lettered clickhouse_53": 1} == books(journal)
    assert [(1,)] == beside.execute("SELECT rows FROM dead_letters").fetchall()


def test_rows_that_cant_be_read_go(journal: Journal, beside: sqlite3.Connection) -> None:
    """Nobody can tell whose they are, and no exporter could ever take them."""
    received = Counter({("traces", "acme", "received", "", ""): 5})
    journal.append([Group("traces", "acme", 5, b"damaged")], [], received)
    assert {"waiting rows": Erased(5, 0)} == WaitingRows(beside).erase(RUN)
    assert {"received": 5, "filtered erased": 5} == books(journal)


def test_counting_changes_nothing(journal: Journal, beside: sqlite3.Connection) -> None:
    """A dry run leaves groups and books as they are."""
    append(journal, MARKER, "other")
    assert {"waiting rows": 1} == WaitingRows(beside).count(RUN)
    assert {"received": 2, "waiting": 2} == books(journal)


def test_erasing_twice_finds_nothing(journal: Journal, beside: sqlite3.Connection) -> None:
    """The second time nothing is found, and the books don't move."""
    append(journal, MARKER, "other")
    WaitingRows(beside).erase(RUN)
    before = books(journal)
    assert {"waiting rows": Erased(0, 0)} == WaitingRows(beside).erase(RUN)
    assert before == books(journal)


def test_no_byte_stays_in_the_journals_files(journal: Journal, beside: sqlite3.Connection) -> None:
    """Neither what was erased now nor what exporters took before is left in a free page or in the log."""
    for connection in (beside, journal._writer):
        assert connection is not None
        connection.execute("PRAGMA secure_delete = OFF")  # which some builds of SQLite have on
    for _ in range(20):
        append(journal, MARKER)
    beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # into the file, where deleted rows leave free pages
    claim = journal.claim("traces", "store", 10)
    assert claim is not None
    journal.bury(claim, "clickhouse_53")
    for exporter in ("store", "slow"):
        while claim := journal.claim("traces", exporter, 10):
            journal.advance(claim)
    append(journal, MARKER, "other")
    assert found_in_files(journal.directory)
    DeadLetters(beside).erase(RUN)
    WaitingRows(beside).erase(RUN)
    assert 0 == scrub(beside).left
    assert not found_in_files(journal.directory)
    assert ["other"] == waiting_runs(journal)


def test_a_tenants_waiting_groups_are_seen(journal: Journal, beside: sqlite3.Connection) -> None:
    """Until every exporter has taken what waited at the time; what came later doesn't matter."""
    append(journal, "one")
    until = last_group(beside, "acme")
    append(journal, "two", tenant="globex")
    assert waits(beside, "acme", until)
    for exporter in ("store", "slow"):
        claim = journal.claim("traces", exporter, 1)
        assert claim is not None
        journal.advance(claim)
    append(journal, "three")
    assert not waits(beside, "acme", until)


def found_in_files(folder: Path) -> bool:
    """Whether a file holds the marker; LZ4 leaves text that doesn't repeat as it is."""
    return any(MARKER.encode() in path.read_bytes() for path in folder.iterdir() if path.is_file())
