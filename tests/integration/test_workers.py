"""Several workers on the same ports, as real processes: what they take, how they end, what they refuse."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import clickhouse_connect
import pytest

from tests.clickhouse_server import ClickHouseServer, clickhouse_server
from tests.integration.chaos import promise
from tests.integration.chaos.load import Ledger, Resending, make_request, under_load, wait_for_answers
from tests.running_collector import CONFIG, RunningCollector, free_ports, running_collector

WORKERS = 2
LOGIN = ("exporters.clickhouse.username=writer", "exporters.clickhouse.password=let-me-write")


def arguments(*changes: str) -> list[str]:
    words = ["--config", str(CONFIG)]
    for change in (f"service.workers={WORKERS}", *LOGIN, *changes):
        words += ["--set", change]
    return words


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    with clickhouse_server(tmp_path / "store") as server:
        yield server


@pytest.fixture
def collector(tmp_path: Path, server: ClickHouseServer) -> Iterator[RunningCollector]:
    # Both workers' metrics; the second one's is at the next port.
    endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": server.endpoint}
    with running_collector(tmp_path / "collector", *arguments(), environment=endpoint) as collector:
        yield collector
        collector.stop()


def workers(collector: RunningCollector) -> list[int]:
    """The pids of the workers, oldest first; a spawned process's helper is not one."""
    assert collector.process is not None
    children = (
        Path(f"/proc/{collector.process.pid}/task/{collector.process.pid}/children").read_text().split()
    )
    return [pid for pid in map(int, children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def journals(collector: RunningCollector) -> list[Path]:
    folder = collector.data / "journal"
    return [folder / "journal.sqlite", folder / "worker-2" / "journal.sqlite"]


def taken(journal: Path) -> dict[str, int]:
    """The rows of a journal's books by state, of all signals."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as books:
        rows = books.execute("SELECT state, sum(rows) FROM books WHERE pipeline = 'traces' GROUP BY 1")
        return dict(rows.fetchall())


def wait_until_stored(collector: RunningCollector, timeout_seconds: float = 60) -> int:
    """Until every worker's exporters have all; the spans that ClickHouse has."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        waiting = 0
        for journal in journals(collector):
            with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as books:
                waiting += books.execute("SELECT count(*) FROM groups").fetchone()[0]
        if not waiting:
            return sum(taken(journal)["stored"] for journal in journals(collector)) // 2  # and prometheus
        assert time.monotonic() < deadline, f"{waiting} groups wait"
        time.sleep(0.1)


def test_all_take_requests_and_a_killed_one_comes_back(
    server: ClickHouseServer, collector: RunningCollector
) -> None:
    """Connections are dealt out; ``kill -9`` of each worker under load loses nothing, and the health check stays."""
    ledger = Ledger()
    clients = [Resending(collector, ledger, transport=transport) for transport in ("grpc", "http") * 4]
    first = workers(collector)
    with under_load(*clients):
        wait_for_answers(ledger, 100)
        for times_ready, pid in enumerate(first, 2):
            os.kill(pid, signal.SIGKILL)
            wait_for_answers(ledger, 20)
            assert collector.healthy()
            deadline = time.monotonic() + 60
            while collector.log().count(f"ready: {WORKERS} workers") < times_ready:
                assert time.monotonic() < deadline, collector.log()
                time.sleep(0.05)
            wait_for_answers(ledger, 20)
    wait_until_stored(collector)
    with clickhouse_connect.get_client(**server.reader) as client:
        times = promise.times_stored(lambda query: client.query(query).result_rows)

    assert WORKERS == len(first) == len(workers(collector))
    assert not set(first) & set(workers(collector))
    assert all(taken(journal)["received"] > 0 for journal in journals(collector))
    assert not ledger.acknowledged - times.keys()
    assert not times.keys() - ledger.sent
    # Only what was under way when a worker was killed can have come to another one, too.
    assert sum(count - 1 for count in times.values()) <= WORKERS * len(clients) * 10


def test_a_stop_delivers_what_each_has(server: ClickHouseServer, collector: RunningCollector) -> None:
    """SIGTERM drains all; no process is left, and the exit status is 0."""
    ledger = Ledger()
    with under_load(*(Resending(collector, ledger, transport="http") for _ in range(4))):
        wait_for_answers(ledger, 50)
    pids = workers(collector)
    status = collector.stop()
    with clickhouse_connect.get_client(**server.reader) as client:
        times = promise.times_stored(lambda query: client.query(query).result_rows)

    assert 0 == status, collector.log()
    assert {1} == set(times.values())
    assert ledger.acknowledged == times.keys()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_end_with_the_one_that_minds_them(collector: RunningCollector) -> None:
    """Nobody is left behind on the ports when that process is killed."""
    pids = workers(collector)
    collector.kill()
    deadline = time.monotonic() + 40
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_worker_that_can_not_start_stops_all(tmp_path: Path, server: ClickHouseServer) -> None:
    """It says why, and so does the one that minds it."""
    (port,) = free_ports(1)
    changes = (f"receivers.otlp.protocols.http.endpoint=192.0.2.1:{port}", "exporters.prometheus={}")
    endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": server.endpoint}
    collector = RunningCollector(tmp_path, *arguments(*changes), environment=endpoint)
    collector.launch()

    assert (
        "agenttracer: worker 1 can't go on, for the reason it gave; the collector stops."
        == promise.sentence(collector)
    )
    assert "can't listen on 192.0.2.1" in collector.log()


def test_rows_of_a_worker_that_is_gone_are_not_forgotten(tmp_path: Path, server: ClickHouseServer) -> None:
    """Fewer workers than journals with rows: refused, with the number that delivers them."""
    endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": server.endpoint}
    with running_collector(tmp_path, *arguments(), environment=endpoint) as collector:
        server.stop()
        while not taken(journals(collector)[1]):  # every request has a connection of its own
            assert collector.post("/v1/traces", make_request()[0])[0] == 200
        pids = workers(collector)
        collector.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        collector.arguments = (*arguments(), "--set", "service.workers=1")
        collector.launch()

        last = promise.sentence(collector)

    assert "start with service::workers: 2 until they are delivered" in last


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ((), "exporters::clickhouse: chdb:// is open in one process only"),
        (
            (
                "exporters.clickhouse.endpoint=http://localhost:8123",
                "extensions.clickhouse_http={path: ./store}",
                "service.extensions=[clickhouse_http]",
            ),
            "extensions::clickhouse_http: serves the embedded store, which one process has open",
        ),
    ],
)
def test_what_can_not_be_in_several_processes_is_refused(
    tmp_path: Path, changes: tuple[str, ...], problem: str
) -> None:
    """``validate`` names the component and what to do."""
    collector = RunningCollector(tmp_path, "validate", *arguments(*changes))
    done = subprocess.run(
        [*collector.command, "collector", *collector.arguments],
        env=collector.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 1 == done.returncode
    assert problem in done.stderr
    assert "or set workers to 1" in done.stderr
