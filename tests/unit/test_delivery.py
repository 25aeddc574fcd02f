"""An exporter gets every row until it has them, the same rows on every attempt, and bugs don't stop the line."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agenttracer.collector import dead_letters
from agenttracer.collector.codec import pack
from agenttracer.collector.component import (
    Context,
    Exporter,
    ExporterOptions,
    QueueBatch,
    RetryOnFailure,
    SendingQueue,
)
from agenttracer.collector.dead_letters import DeadLetter
from agenttracer.collector.delivery import Delivery
from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.collector.journal import Claim, Group, Journal, connect
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from tests.batches import make_batch

FAST = ExporterOptions(
    retry_on_failure=RetryOnFailure(initial_interval=0.01, max_interval=0.02),
    sending_queue=SendingQueue(batch=QueueBatch(flush_timeout=0.01, min_size=1, max_size=1000)),
)


class Recording(Exporter[ExporterOptions]):
    """Remembers what it was given; ``answer`` may raise."""

    def __init__(
        self, answer: Callable[[Batch], None] = lambda _: None, options: ExporterOptions = FAST
    ) -> None:
        super().__init__(options, Context("recording", Telemetry()))
        self.answer = answer
        self.given: list[tuple[str, list[str]]] = []

    async def export(self, batch: Batch) -> None:
        self.given.append((batch.token, batch.rows.column("SpanName").to_pylist()))
        self.answer(batch)


def append(journal: Journal, *names: str) -> None:
    groups = [
        Group(
            "traces", "default", 1, pack(make_batch("traces", rows=[{"SpanName": name, "TraceId": "a" * 32}]))
        )
        for name in names
    ]
    journal.append(groups, [], Counter({("traces", "default", "received", "", ""): len(groups)}))


@contextlib.asynccontextmanager
async def delivering(folder: Path, exporter: Recording) -> AsyncIterator[tuple[Journal, Delivery]]:
    journal = Journal(folder, max_bytes=10_000_000, window_seconds=900)
    journal.open()
    journal.register([("traces", "recording")])
    delivery = Delivery("traces", Signal.TRACES, exporter, journal, exporter.context.telemetry)
    try:
        yield journal, delivery
    finally:
        await delivery.drain(5)
        journal.close()


def states(journal: Journal) -> dict[str, int]:
    return {entry.state: entry.rows for entry in journal.entries() if entry.rows}


def buried(folder: Path) -> list[DeadLetter]:
    with contextlib.closing(connect(folder / "journal.sqlite")) as connection:
        return dead_letters.read(connection)


def test_what_waits_is_delivered_together_and_marked_stored(tmp_path: Path) -> None:
    """Groups that wait go out as one batch, in order."""
    exporter = Recording()

    async def scenario() -> dict[str, int]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "a", "b", "c")
            await delivery.start()
            await delivery.drain(5)
            return states(journal)

    assert asyncio.run(scenario()) == {"received": 3, "stored": 3}
    assert [names for _, names in exporter.given] == [["a", "b", "c"]]


def test_rows_that_come_later_are_delivered_too(tmp_path: Path) -> None:
    """The delivery wakes up for every append."""
    exporter = Recording()

    async def scenario() -> None:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            await delivery.start()
            for name in ("a", "b"):
                await asyncio.to_thread(append, journal, name)
                while not exporter.given or exporter.given[-1][1] != [name]:
                    await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_an_unavailable_exporter_gets_the_same_rows_again(tmp_path: Path) -> None:
    """A retry carries the same rows and the same token, and rows that came meanwhile wait their turn."""
    attempts = 0

    def fail_twice(_: Batch) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise Unavailable("down", retry_after_seconds=0.01)

    exporter = Recording(fail_twice)

    async def scenario() -> dict[str, int]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "a", "b")
            await delivery.start()
            while attempts < 1:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(append, journal, "c")
            await delivery.drain(5)
            return states(journal)

    assert asyncio.run(scenario()) == {"received": 3, "stored": 3}
    first, second, third, *rest = exporter.given
    assert first == second == third
    assert first[1] == ["a", "b"]
    assert [names for _, names in rest] == [["c"]]


def test_a_refused_batch_is_taken_apart_and_only_the_bad_part_buried(tmp_path: Path) -> None:
    """One group that the store refuses for good does not keep the others from being stored."""

    def refuse_bad(batch: Batch) -> None:
        if "bad" in batch.rows.column("SpanName").to_pylist():
            raise Rejected("no", reason="clickhouse_53")

    exporter = Recording(refuse_bad)

    async def scenario() -> tuple[dict[str, int], list[str]]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "a", "bad", "b")
            await delivery.start()
            await delivery.drain(5)
            return states(journal), [letter.reason for letter in buried(tmp_path)]

    assert asyncio.run(scenario()) == ({"received": 3, "stored": 2, "dead_lettered": 1}, ["clickhouse_53"])
    assert [names for _, names in exporter.given] == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]


def test_a_bug_is_tried_a_few_times_then_buried(tmp_path: Path) -> None:
    """An exporter that always breaks on a group does not block the line for ever."""

    def choke(batch: Batch) -> None:
        if "poison" in batch.rows.column("SpanName").to_pylist():
            raise RuntimeError("poison")

    exporter = Recording(choke)

    async def scenario() -> dict[str, int]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "poison")
            await delivery.start()
            while len(exporter.given) < 5:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(append, journal, "fine")
            await delivery.drain(5)
            return states(journal)

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == {"received": 2, "stored": 1, "dead_lettered": 1}
    errors = exporter.context.telemetry.registry.get_sample_value(
        "agenttracer_component_errors_total", {"component": "recording"}
    )
    assert errors == 5


def test_stopping_between_attempts_leaves_the_rows_in_the_journal(tmp_path: Path) -> None:
    """A drain that runs out of time gives up waiting, not the rows; the next start has the same claim."""

    def down(_: Batch) -> None:
        raise Unavailable("down", retry_after_seconds=60)

    exporter, working = Recording(down), Recording()

    async def scenario() -> dict[str, int]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "a")
            await delivery.start()
            while not exporter.given:
                await asyncio.sleep(0.005)
            await delivery.drain(0.05)
            before = states(journal)
        async with delivering(tmp_path, working) as (journal, delivery):
            await delivery.start()
            await delivery.drain(5)
            assert states(journal) == {"received": 1, "stored": 1}
        return before

    assert asyncio.run(scenario()) == {"received": 1, "waiting": 1}
    assert working.given == exporter.given


@pytest.mark.parametrize(("max_size", "expected"), [(2, [["a", "b"], ["c"]]), (1, [["a"], ["b"], ["c"]])])
def test_batches_keep_to_their_size(tmp_path: Path, max_size: int, expected: list[list[str]]) -> None:
    """An exporter never gets more rows at once than it asked for."""
    queue = SendingQueue(batch=QueueBatch(flush_timeout=0.01, min_size=1, max_size=max_size))
    exporter = Recording(options=FAST.model_copy(update={"sending_queue": queue}))

    async def scenario() -> None:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            append(journal, "a", "b", "c")
            await delivery.start()
            await delivery.drain(5)

    asyncio.run(scenario())

    assert [names for _, names in exporter.given] == expected


def test_a_journal_in_trouble_does_not_end_the_delivery(tmp_path: Path) -> None:
    """While the disk is full the delivery waits; nothing is exported twice for it, nothing is lost."""
    exporter = Recording()

    class Troubled(Journal):
        troubles = 2

        def advance(self, claim: Claim) -> None:
            if self.troubles:
                self.troubles -= 1
                raise Unavailable("the journal can't be written", retry_after_seconds=0.01)
            super().advance(claim)

    async def scenario() -> dict[str, int]:
        journal = Troubled(tmp_path, max_bytes=10_000_000, window_seconds=900)
        journal.open()
        journal.register([("traces", "recording")])
        delivery = Delivery("traces", Signal.TRACES, exporter, journal, exporter.context.telemetry)
        append(journal, "a")
        await delivery.start()
        await delivery.drain(5)
        after = states(journal)
        journal.close()
        return after

    assert asyncio.run(scenario()) == {"received": 1, "stored": 1}
    assert [names for _, names in exporter.given] == [["a"]]


def test_a_damaged_payload_is_buried_alone(tmp_path: Path) -> None:
    """Bytes that can't be read any more do not hold up what comes after them."""
    exporter = Recording()

    async def scenario() -> tuple[dict[str, int], list[str]]:
        async with delivering(tmp_path, exporter) as (journal, delivery):
            damaged = Group("traces", "default", 1, b"\x04\x00\x00\x00nope")
            journal.append([damaged], [], Counter({("traces", "default", "received", "", ""): 1}))
            append(journal, "fine")
            await delivery.start()
            await delivery.drain(5)
            return states(journal), [letter.reason for letter in buried(tmp_path)]

    expected = {"received": 2, "stored": 1, "dead_lettered": 1}
    assert asyncio.run(scenario()) == (expected, ["damaged_payload"])
    assert [names for _, names in exporter.given] == [["fine"]]
