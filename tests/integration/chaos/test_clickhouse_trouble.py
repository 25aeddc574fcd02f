"""Whatever ClickHouse, or the network before it, does to inserts: each span is stored, once."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from tests.clickhouse_server import ClickHouseServer, clickhouse_server
from tests.integration.chaos import promise
from tests.integration.chaos.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.integration.chaos.load import ROUNDS, Ledger, Resending, under_load, wait_for_answers
from tests.running_collector import CONFIG, RunningCollector, running_collector

QUICK_RETRIES = "exporters.clickhouse.retry_on_failure={initial_interval: 100ms, max_interval: 500ms}"
LOGIN = ("exporters.clickhouse.username=writer", "exporters.clickhouse.password=let-me-write")


@dataclass
class Setting:
    """A collector whose store is a server behind a proxy, and what was sent so far."""

    server: ClickHouseServer
    proxy: FaultyProxy
    collector: RunningCollector
    ledger: Ledger

    def ask(self, query: str) -> Any:
        with clickhouse_connect.get_client(**self.server.reader) as client:
            return client.query(query).result_rows

    def check(self) -> None:
        promise.check(self.collector, self.ledger, self.ask)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("trouble")
    arguments = ["--config", str(CONFIG)]
    for change in (QUICK_RETRIES, *LOGIN):
        arguments += ["--set", change]
    with clickhouse_server(folder / "store") as server, faulty_proxy(server.port) as proxy:
        endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": f"http://localhost:{proxy.port}"}
        with running_collector(folder / "collector", *arguments, environment=endpoint) as collector:
            yield Setting(server, proxy, collector, Ledger())
            assert collector.stop() == 0


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_inserts_that_meet_trouble_are_stored_once(setting: Setting, fault: Fault) -> None:
    """Clients are acknowledged all the while; when it has passed, the store has every span once."""
    with under_load(Resending(setting.collector, setting.ledger, spans=50)):
        setting.proxy.fault = fault
        try:
            setting.proxy.wait_for_faults(2 * ROUNDS)
            wait_for_answers(setting.ledger, 5)
        finally:
            setting.proxy.fault = None
    setting.check()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_server_killed_under_inserts_has_each_span_once(setting: Setting, number: int) -> None:
    """Killed, away for a while, back: the inserts that were under way are known again by their tokens."""
    moments: list[Callable[[], None]] = [setting.server.kill, setting.server.start]
    with under_load(
        Resending(setting.collector, setting.ledger, spans=200, pause_seconds=0),
        Resending(setting.collector, setting.ledger),
    ):
        for moment in moments * 2:
            time.sleep(0.7)
            moment()
            wait_for_answers(setting.ledger, 5)
    setting.check()


def test_a_store_that_is_away_holds_no_other_exporter_back(setting: Setting) -> None:
    """Prometheus has every row within seconds, while ClickHouse has none of them."""
    setting.proxy.fault = Fault.REFUSED
    try:
        with under_load(Resending(setting.collector, setting.ledger)):
            wait_for_answers(setting.ledger, 20)
        deadline = time.monotonic() + 20
        while setting.collector.books(exporter="prometheus").get("waiting"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert setting.collector.books(exporter="clickhouse")["waiting"] >= 200
        promise.check_books(setting.collector)
    finally:
        setting.proxy.fault = None
    setting.check()


def test_a_collector_without_its_store_does_not_start_in_silence(tmp_path: Path) -> None:
    """What it can't reach is said in one sentence."""
    collector = RunningCollector(
        tmp_path, environment={"AGENTTRACER_CLICKHOUSE_ENDPOINT": "http://localhost:1"}
    )
    collector.launch()

    assert "can't use ClickHouse at http://localhost:1" in promise.sentence(collector)
