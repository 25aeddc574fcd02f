"""Two collectors, each with its own journal, and one store: what both acknowledge is there, once."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from tests.clickhouse_server import clickhouse_server
from tests.integration.chaos import promise
from tests.integration.chaos.load import Ledger, Resending, make_request, send, under_load, wait_for_answers
from tests.integration.chaos.test_clickhouse_trouble import LOGIN, QUICK_RETRIES
from tests.running_collector import CONFIG, RunningCollector


@dataclass
class Setting:
    """Two collectors that run, and how to ask their store."""

    first: RunningCollector
    second: RunningCollector
    ask: Callable[[str], Any]


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    """Both start at once, on a store without tables."""
    arguments = ["--config", str(CONFIG)]
    for change in (QUICK_RETRIES, *LOGIN):
        arguments += ["--set", change]
    with ExitStack() as ends:
        server = ends.enter_context(clickhouse_server(tmp_path / "store"))
        endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": server.endpoint}
        collectors = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            collector = RunningCollector(tmp_path / name, *arguments, environment=endpoint)
            ends.callback(collector.kill)
            collectors.append(collector)
        for collector in collectors:
            collector.launch()
        for collector in collectors:
            collector.wait_until_healthy()
        client = ends.enter_context(clickhouse_connect.get_client(**server.reader))
        yield Setting(*collectors, lambda query: client.query(query).result_rows)


def test_both_store_into_one_while_one_is_killed(setting: Setting) -> None:
    """``kill -9`` of one of them under load, twice: nothing acknowledged by either is lost, nothing is there twice."""
    ledgers = Ledger(), Ledger()
    collectors = setting.first, setting.second
    clients = [
        Resending(collector, ledger, transport=transport)
        for collector, ledger in zip(collectors, ledgers, strict=True)
        for transport in ("grpc", "http")
    ]
    with under_load(*clients):
        for _ in range(2):
            wait_for_answers(ledgers[0], 20)
            wait_for_answers(ledgers[1], 20)
            setting.first.kill()
            wait_for_answers(ledgers[1], 20)
            setting.first.start()
        wait_for_answers(ledgers[0], 20)
    every = Ledger()
    stored = 0.0
    for collector, ledger in zip(collectors, ledgers, strict=True):
        every.add(ledger)
        collector.wait_until_stored()
        stored += promise.check_books(collector)["stored"]

    promise.check_store(setting.ask, every, int(stored))
    assert set(ledgers[1].answers) == {"OK"}


def test_a_collector_does_not_know_what_another_one_answered(setting: Setting) -> None:
    """The limit of the promise: the same bytes are stored once by each collector that gets them, so what a client sends
    again to another one, because it missed the answer, is in otel_traces twice. Steps of runs count once anyway."""
    ledger = Ledger()
    body, keys = make_request(20)
    for collector in (setting.first, setting.second):
        for _ in range(3):
            assert send(collector, ledger, body, keys) == "OK"
    deadline = time.monotonic() + 30
    while sum(times := [*promise.times_stored(setting.ask).values()]) < 40:
        assert time.monotonic() < deadline, times
        time.sleep(0.1)
    for collector in (setting.first, setting.second):
        collector.wait_until_noted("duplicate", 40)
        collector.wait_until_stored()
        promise.check_books(collector)

    assert [2] * 20 == [*promise.times_stored(setting.ask).values()]
    assert [(20, 1)] == setting.ask("SELECT sum(ModelCalls), count() FROM agent_runs")
