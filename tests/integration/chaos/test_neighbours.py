"""Beside tenants that send too much, too slowly, or bombs, the others are answered and lose nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import clickhouse_connect
import pytest

from tests.clickhouse_server import ClickHouseServer, clickhouse_server
from tests.integration.chaos import promise
from tests.integration.chaos.attacks import Attack, Bombs, Flood, LargeFlood, SlowConnections, attacking
from tests.integration.chaos.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.integration.chaos.load import ROUNDS, Ledger, Resending, under_load, wait_for_answers
from tests.integration.chaos.test_clickhouse_trouble import LOGIN, QUICK_RETRIES
from tests.running_collector import CONFIG, RunningCollector, running_collector

LOUD, CALM = ({"Authorization": f"Bearer {name}-token"} for name in ("loud", "calm"))
MEMORY_LIMIT_MIB = 1000
CHANGES = (
    QUICK_RETRIES,
    *LOGIN,
    "extensions.bearer_token_auth.tenants={loud: loud-token, calm: calm-token}",
    "service.extensions=[health_check, file_storage, bearer_token_auth]",
    "receivers.otlp.protocols.grpc.auth.authenticator=bearer_token_auth",
    "receivers.otlp.protocols.http={auth: {authenticator: bearer_token_auth}, idle_timeout: 2s, read_timeout: 2s}",
    "service.max_in_flight_mib=8",
    "extensions.file_storage.max_size_mib=2",
    f"processors.memory_limiter.limit_mib={MEMORY_LIMIT_MIB}",
)


@dataclass
class Setting:
    """A collector that knows two tenants, and what the calm one sent."""

    server: ClickHouseServer
    proxy: FaultyProxy
    collector: RunningCollector
    ledger: Ledger = field(default_factory=Ledger)

    def calm(self, transport: str = "grpc") -> Resending:
        return Resending(self.collector, self.ledger, headers=CALM, transport=transport)

    def check(self) -> None:
        """The whole promise for the calm tenant; of the loud one's spans, none twice."""
        with clickhouse_connect.get_client(**self.server.reader) as client:
            promise.check(
                self.collector,
                self.ledger,
                lambda query: client.query(query).result_rows,
                memory_limit_mib=MEMORY_LIMIT_MIB,
            )


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder: Path = tmp_path_factory.mktemp("neighbours")
    arguments = ["--config", str(CONFIG)]
    for change in CHANGES:
        arguments += ["--set", change]
    with clickhouse_server(folder / "store") as server, faulty_proxy(server.port) as proxy:
        endpoint = {"AGENTTRACER_CLICKHOUSE_ENDPOINT": f"http://localhost:{proxy.port}"}
        with running_collector(folder / "collector", *arguments, environment=endpoint) as collector:
            yield Setting(server, proxy, collector)
            assert collector.stop() == 0


@pytest.mark.parametrize("attack", [Bombs, Flood, LargeFlood])
def test_good_clients_beside_an_attack(setting: Setting, attack: type[Attack]) -> None:
    """Both protocols answer the calm tenant all the while."""
    attacks = [attack(setting.collector, LOUD) for _ in range(2)]
    with attacking(*attacks), under_load(setting.calm(), setting.calm("http")):
        time.sleep(2.0 * ROUNDS)
        wait_for_answers(setting.ledger, 20)
    setting.ledger.sent.update(*(each.sent for each in attacks))
    setting.check()


def test_slow_connections_are_closed(setting: Setting) -> None:
    """Silent ones and slow ones, before they are so many that nobody else gets one; good clients notice nothing."""
    attack = SlowConnections(setting.collector, LOUD)
    with attacking(attack), under_load(setting.calm(), setting.calm("http")):
        time.sleep(4)
        wait_for_answers(setting.ledger, 20)
    setting.check()

    assert attack.closed >= attack.made * 3 / 5  # all of HTTP's


def test_a_tenant_that_fills_the_journal_leaves_room(setting: Setting) -> None:
    """While the store is away the loud tenant is told to resend before the journal is full; the calm one is not."""
    setting.proxy.fault = Fault.REFUSED
    loud = Ledger()
    try:
        with under_load(
            *(Resending(setting.collector, loud, headers=LOUD, spans=300, pause_seconds=0) for _ in range(2))
        ):
            wait_for_answers(loud, 20, "UNAVAILABLE", timeout_seconds=60)
            setting.ledger.answers.clear()
            with under_load(setting.calm()):
                wait_for_answers(setting.ledger, 50)
            assert set(setting.ledger.answers) == {"OK"}
            setting.proxy.fault = None
            wait_for_answers(loud, 20)
    finally:
        setting.proxy.fault = None
    setting.ledger.add(loud)
    setting.check()
