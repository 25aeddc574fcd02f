"""Disks that are full, read-only or damaged: clients are told to resend, or the operator what to do."""

import os
import random
import shutil
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import pytest

from tests.clickhouse_server import clickhouse_server
from tests.integration.chaos import promise
from tests.integration.chaos.faulty_proxy import Fault, faulty_proxy
from tests.integration.chaos.load import (
    ROUNDS,
    Ledger,
    Resending,
    make_request,
    send,
    under_load,
    wait_for_answers,
)
from tests.integration.chaos.small_disk import can_mount, file_size_limit, mounted, without_override
from tests.integration.chaos.test_clickhouse_trouble import LOGIN, QUICK_RETRIES
from tests.running_collector import CONFIG, RunningCollector, running_collector

HELD_BACK = "exporters.clickhouse.sending_queue.batch={flush_timeout: 1h, min_size: 50000}"
with tempfile.TemporaryDirectory() as _folder:
    CAN_MOUNT = can_mount(Path(_folder))
REQUESTS, SPANS = 20, 20
LOSES_NOTHING = {"OK", "UNAVAILABLE", "503"}


def arguments(*changes: str) -> list[str]:
    return ["--config", str(CONFIG), *(word for change in changes for word in ("--set", change))]


def test_files_that_can_not_grow(tmp_path: Path) -> None:
    """Under a quota clients are told to resend, until there is room; nothing else happens."""
    ledger = Ledger()
    with running_collector(tmp_path) as collector:
        assert collector.process is not None
        clients = (Resending(collector, ledger, spans=50), Resending(collector, ledger, transport="http"))
        with under_load(*clients):
            wait_for_answers(ledger, 5)
            with file_size_limit(collector.process.pid, 64 * 1024):
                wait_for_answers(ledger, 5, "UNAVAILABLE")
                wait_for_answers(ledger, 5, "503")
                assert collector.healthy()
            wait_for_answers(ledger, 5)

        promise.check(collector, ledger)

    assert ledger.answers.keys() <= LOSES_NOTHING


@pytest.mark.parametrize("is_killed", [False, True] if CAN_MOUNT else [])
def test_a_full_disk_empties_itself(tmp_path: Path, is_killed: bool) -> None:
    """Full while the store is away, and full it stays: when the store is back, the exporters make room, also
    after a kill, and rows are taken in the place of those that were delivered."""
    ledger = Ledger()
    with ExitStack() as ends:
        disk = ends.enter_context(mounted(tmp_path / "disk"))
        server = ends.enter_context(clickhouse_server(tmp_path / "store"))
        proxy = ends.enter_context(faulty_proxy(server.port))
        changes = (f"extensions.file_storage.directory={disk.folder}/journal", QUICK_RETRIES, *LOGIN)
        endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": f"http://localhost:{proxy.port}"}
        collector = ends.enter_context(
            running_collector(tmp_path / "collector", *arguments(*changes), environment=endpoint)
        )
        proxy.fault = Fault.REFUSED
        with under_load(Resending(collector, ledger, spans=500, pause_seconds=0)):
            wait_for_answers(ledger, 20)
            disk.fill()
            wait_for_answers(ledger, 5, "UNAVAILABLE")
            if is_killed:
                collector.kill()
                collector.start()
            full_of = int(collector.books()["waiting"])
            assert full_of
            proxy.fault = None
            # Not until nothing waits: there is always more to take as long as clients send.
            collector.wait_until_noted("stored", full_of)
            wait_for_answers(ledger, 5)
            disk.empty()
            wait_for_answers(ledger, 5)

        with clickhouse_connect.get_client(**server.reader) as client:
            promise.check(collector, ledger, lambda query: client.query(query).result_rows)
        assert collector.stop() == 0


@dataclass(frozen=True)
class LeftBehind:
    """The data of a collector that was killed with every row in its journal, and what is in there."""

    data: Path
    ledger: Ledger

    def take_over(self, folder: Path) -> RunningCollector:
        """A collector, not started, on a copy of the data."""
        collector = RunningCollector(folder)
        shutil.copytree(self.data, collector.data, symlinks=True)
        return collector


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> LeftBehind:
    ledger = Ledger()
    with running_collector(tmp_path_factory.mktemp("left"), *arguments(HELD_BACK)) as collector:
        for _ in range(REQUESTS):
            assert send(collector, ledger, *make_request(SPANS)) == "OK"
        collector.kill()
    return LeftBehind(collector.data, ledger)


@pytest.mark.parametrize("name", ["journal", "clickhouse"])
def test_a_read_only_folder_is_one_sentence(tmp_path: Path, left_behind: LeftBehind, name: str) -> None:
    """Which folder it is, though the collector has used it before."""
    collector = left_behind.take_over(tmp_path)
    folder = collector.data / name
    for path in (*folder.iterdir(), folder):
        path.chmod(0o500)
    try:
        collector.launch(preexec_fn=without_override)
        assert str(folder) in promise.sentence(collector)
    finally:
        collector.kill()
        for path in (folder, *folder.iterdir()):
            path.chmod(0o700)


def test_damaged_rows_become_dead_letters(tmp_path: Path, left_behind: LeftBehind) -> None:
    """Bytes that changed on the disk are found by their checksum; all the other rows are stored."""
    collector = left_behind.take_over(tmp_path)
    with closing(sqlite3.connect(collector.data / "journal" / "journal.sqlite")) as connection:
        (payload,) = connection.execute("SELECT payload FROM groups WHERE id = 5").fetchone()
        damaged = bytearray(payload)
        damaged[len(damaged) // 2] ^= 0xFF
        connection.execute("UPDATE groups SET payload = ? WHERE id = 5", (bytes(damaged),))
        connection.commit()

    books = run_until_stored(collector)

    stored = (REQUESTS - 1) * SPANS
    assert {"received": REQUESTS * SPANS, "stored": stored, "dead_lettered": SPANS} == books
    assert [[stored, stored]] == collector.query("SELECT count(), uniq(TraceId, SpanId) FROM otel_traces")[0]


def run_until_stored(collector: RunningCollector) -> dict[str, float]:
    try:
        collector.start()
        collector.wait_until_stored()
        books = promise.check_books(collector)
        assert collector.stop() == 0
        promise.check_log(collector)
    finally:
        collector.kill()
    return books


@pytest.mark.parametrize("seed", range(2 * ROUNDS))
def test_a_file_damaged_in_the_middle_or_cut_off(tmp_path: Path, left_behind: LeftBehind, seed: int) -> None:
    """The collector says that it can't use the file, or delivers what is whole; it never crashes, and it
    never stores a span twice or one that nobody sent."""
    collector = left_behind.take_over(tmp_path)
    path = collector.data / "journal" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    dice = random.Random(seed)
    size = path.stat().st_size
    with path.open("r+b") as file:
        if seed % 2:
            file.truncate(size * dice.randrange(50, 95) // 100)
        else:
            for _ in range(3):  # pages, as a disk loses them
                file.seek(dice.randrange(1, size // 4096) * 4096)
                file.write(dice.randbytes(4096))
    process = collector.launch()
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and not (collector.healthy() and not collector.waiting()):
            assert time.monotonic() < deadline, collector.log()
            time.sleep(0.1)
        if process.poll() is None:
            collector.stop()
        if collector.wait() != 0:
            assert "move the file away" in promise.sentence(collector)
        promise.check_log(collector)
    finally:
        collector.kill()

    times = promise.times_stored(lambda query: collector.query(query)[0])
    assert times.keys() <= left_behind.ledger.sent
    assert {1} >= set(times.values())


def test_a_file_that_is_damaged_while_it_is_used(tmp_path: Path) -> None:
    """The collector ends with a sentence as soon as it notices: it could promise nothing any more."""
    ledger = Ledger()
    with running_collector(tmp_path, *arguments(HELD_BACK)) as collector:
        assert send(collector, ledger, *make_request(200)) == "OK"
        path = collector.data / "journal" / "journal.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                time.sleep(0.05)  # somebody reads: what is in the log would be whole
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(path.stat().st_size - 4096))

        assert send(collector, ledger, *make_request()) != "OK"
        assert "move the file away" in promise.sentence(collector)


def test_a_log_cut_off_at_its_end(tmp_path: Path, left_behind: LeftBehind) -> None:
    """What SQLite's log lost at its end is lost; everything before it is stored, and it starts."""
    collector = left_behind.take_over(tmp_path)
    log = collector.data / "journal" / "journal.sqlite-wal"
    os.truncate(log, log.stat().st_size - 5000)

    books = run_until_stored(collector)

    assert SPANS * REQUESTS / 2 < books["stored"] < SPANS * REQUESTS
