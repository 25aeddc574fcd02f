"""Dead letters stay on disk, go back to the exporter that refused them, and the books follow."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttracer.collector import dead_letters, delivery
from agenttracer.collector.codec import pack
from agenttracer.collector.component import Context, Exporter, ExporterOptions
from agenttracer.collector.dead_letters import NotReplayed
from agenttracer.collector.delivery import Delivery
from agenttracer.collector.errors import Rejected
from agenttracer.collector.journal import Group, Journal, connect
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from tests.batches import make_batch

PAYLOAD = pack(make_batch("traces", [{"TraceId": "a" * 32}, {"TraceId": "b" * 32}]))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of one pipeline with two exporters."""
    opened = Journal(tmp_path, max_bytes=1_000_000, window_seconds=900)
    opened.open()
    opened.register([("traces", "store"), ("traces", "slow")])
    yield opened
    opened.close()


@pytest.fixture
def beside(journal: Journal) -> Iterator[sqlite3.Connection]:
    """A connection as another process has it while the collector runs."""
    with closing(connect(journal.directory / "journal.sqlite")) as connection:
        yield connection


def bury(journal: Journal, reason: str = "clickhouse_53") -> None:
    """A group that one exporter takes and the other refuses for good."""
    group = Group("traces", "acme", 2, PAYLOAD)
    journal.append([group], [], Counter({("traces", "acme", "received", "", ""): 2}))
    for exporter in ("slow", "store"):
        claim = journal.claim("traces", exporter, 10)
        assert claim is not None
        if exporter == "store":
            journal.bury(claim, reason)
        else:
            journal.advance(claim)


def books(journal: Journal, exporter: str = "store") -> dict[str, int]:
    """Rows by state, as far as they are an exporter's."""
    lines: Counter[str] = Counter()
    for entry in journal.entries():
        if entry.exporter in ("", exporter):
            lines[entry.state] += entry.rows
    return dict(lines)


def test_they_are_listed_oldest_first(journal: Journal, beside: sqlite3.Connection) -> None:
    """With who refused them, whose they are, how many rows, and why."""
    bury(journal)
    bury(journal, "clickhouse_117")

    letters = dead_letters.read(beside)

    assert ["clickhouse_53", "clickhouse_117"] == [letter.reason for letter in letters]
    first = letters[0]
    assert ("traces", "store", "acme", 2) == (first.pipeline, first.exporter, first.tenant, first.rows)


def test_a_replay_is_for_the_exporter_that_refused(journal: Journal, beside: sqlite3.Connection) -> None:
    """It takes the same bytes again, the others don't, and the books balance before and after."""
    bury(journal)
    (letter,) = dead_letters.read(beside)
    assert {"received": 2, "dead_lettered": 2} == books(journal)

    assert 2 == dead_letters.replay(beside, letter.id)

    assert [] == dead_letters.read(beside)
    assert journal.claim("traces", "slow", 10) is None
    again = journal.claim("traces", "store", 10)
    assert again is not None
    assert PAYLOAD == again.groups[0].payload
    assert {"received": 2, "waiting": 2, "dead_lettered": 0} == books(journal)
    journal.advance(again)
    assert {"received": 2, "stored": 2, "dead_lettered": 0} == books(journal)


def test_a_replay_leaves_the_size_limit_alone(journal: Journal, beside: sqlite3.Connection) -> None:
    """What another process put in line neither counts against clients nor is given back to them."""
    bury(journal)
    (letter,) = dead_letters.read(beside)
    dead_letters.replay(beside, letter.id)
    waiting_bytes = [journal.waiting_bytes]
    journal.append([Group("traces", "acme", 1, b"12345")], [], Counter())
    for exporter in ("store", "slow"):
        claim = journal.claim("traces", exporter, 10)
        assert claim is not None
        journal.advance(claim)
        waiting_bytes.append(journal.waiting_bytes)

    assert [0, 5, 0] == waiting_bytes


def test_an_unknown_id_is_said(beside: sqlite3.Connection) -> None:
    """And nothing is left half done."""
    with pytest.raises(NotReplayed, match="there is no dead letter 7"):
        dead_letters.replay(beside, 7)
    assert not beside.in_transaction


def test_rows_that_nobody_would_take_stay(journal: Journal, beside: sqlite3.Connection) -> None:
    """When the pipeline has lost the exporter, a replay would be a loss: it is refused, and says what to do."""
    bury(journal)
    journal.register([("traces", "slow")])
    (letter,) = dead_letters.read(beside)

    with pytest.raises(NotReplayed, match="the exporter store is no longer part of the pipeline traces"):
        dead_letters.replay(beside, letter.id)

    assert [letter] == dead_letters.read(beside)


class _Mended(Exporter[ExporterOptions]):
    """Refuses its first batch for good, and takes the others."""

    def __init__(self) -> None:
        super().__init__(ExporterOptions(), Context("store", Telemetry()))
        self.refused = asyncio.Event()
        self.stored = asyncio.Event()

    async def export(self, batch: Batch) -> None:
        if not self.refused.is_set():
            self.refused.set()
            raise Rejected("no", reason="clickhouse_53")
        self.stored.set()


def test_an_idle_collector_takes_what_was_replayed(
    journal: Journal, beside: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a new request, and though the replay happened in another process."""
    monkeypatch.setattr(delivery, "_REPLAYED_SECONDS", 0.05)
    journal.register([("traces", "store")])
    journal.append([Group("traces", "acme", 2, PAYLOAD)], [], Counter())

    async def live() -> None:
        exporter = _Mended()
        running = Delivery("traces", Signal.TRACES, exporter, journal, Telemetry())
        await running.start()
        await asyncio.wait_for(exporter.refused.wait(), 10)
        while not (letters := dead_letters.read(beside)):
            await asyncio.sleep(0.01)
        dead_letters.replay(beside, letters[0].id)
        await asyncio.wait_for(exporter.stored.wait(), 10)
        await running.drain(5)

    asyncio.run(live())

    assert (0, 2) == (books(journal)["dead_lettered"], books(journal)["stored"])
