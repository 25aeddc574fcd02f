"""A running collector with every exporter on, what it answers kept, and the search through all that it has.

    with searched_collector(folder) as searched:
        searched.send(Signal.TRACES, body)          gRPC, HTTP and JSON in turn; every answer is kept
        searched.wait_until_stored()
        searched.tables_with_markers()              every table of the store, the system's included
        searched.payloads()                         what waits in the journal, and its dead letters, unpacked

``debug/later`` never takes anything, so that the journal keeps what it holds; ``clickhouse/refusing`` loses its
tables after the start, so that it refuses everything and dead letters are written.
"""

from __future__ import annotations

import contextlib
import http.client
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
from prometheus_client.parser import text_string_to_metric_families

from agenttracer.collector.codec import unpack
from agenttracer.schemas.batch import Signal
from tests.privacy.corpus import as_json
from tests.privacy.markers import CAPTURED, CONSTANTS, leaks_in
from tests.privacy.storing import written
from tests.running_collector import CONFIG, METHODS, RunningCollector, free_ports, running_collector

TOKEN = "let-me-send"  # noqa: S105 - made up
_PASSWORD = "let-me-write"  # noqa: S105 - made up
_STORED = ("clickhouse", "prometheus", "artifacts", "debug")
_GENERATED = ("numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "unicode")
_CONFIG = """\
receivers:
  otlp/guarded:
    protocols:
      grpc: {{endpoint: "localhost:{guarded_grpc}", auth: {{authenticator: bearer_token_auth}}}}
      http: {{endpoint: "localhost:{guarded_http}", auth: {{authenticator: bearer_token_auth}}}}
exporters:
  clickhouse: {{ttl: 0}}
  clickhouse/refusing:
    endpoint: chdb://{data}/clickhouse
    database: refusing
  debug: {{verbosity: detailed, sampling_initial: 1000000}}
  debug/later:
    sending_queue: {{batch: {{flush_timeout: 1h, min_size: 1000000000, max_size: 1000000000}}}}
extensions:
  bearer_token_auth: {{token: {token}}}
  clickhouse_http:
    endpoint: localhost:{clickhouse}
    path: {data}/clickhouse
    users: {{default: {{}}, writer: {{password: {password}, readonly: false}}}}
service:
  extensions: [health_check, file_storage, bearer_token_auth, clickhouse_http]
  pipelines:
    traces:
      receivers: [otlp, otlp/guarded]
      exporters: [clickhouse, prometheus, debug, debug/later, clickhouse/refusing]
    logs:
      receivers: [otlp, otlp/guarded]
      exporters: [clickhouse, prometheus, artifacts, debug, debug/later, clickhouse/refusing]
    metrics:
      receivers: [otlp, otlp/guarded]
      exporters: [clickhouse, prometheus, debug, debug/later, clickhouse/refusing]
  telemetry: {{logs: {{level: DEBUG}}}}
"""


class SearchedCollector:
    """The collector, and everything that it said to its clients."""

    def __init__(self, collector: RunningCollector, ports: dict[str, int]) -> None:
        self.collector = collector
        self.ports = ports
        self.answers: list[bytes] = []
        self._turn = 0

    def send(self, signal: Signal, body: bytes) -> None:
        """A good request, over each transport in turn; anything but success is an error."""
        transport = self._turn = (self._turn + 1) % 3
        if transport == 0:
            self.answers.append(self.collector.export(signal, body))
            return
        headers = {"Content-Type": "application/json"} if transport == 2 else None
        sent = as_json(signal, body) if transport == 2 else body
        status, answer = self.collector.post(f"/v1/{signal}", sent, headers)
        self.answers.append(answer)
        assert status == 200, f"{status} for {len(sent)} bytes of {signal}"

    def request(
        self, port: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        """Any HTTP request; keeps status line, headers and body of the answer."""
        connection = http.client.HTTPConnection("localhost", self._port(port), timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            said = f"{answer.reason}\n{answer.headers}".encode()
            self.answers.append(said + answer.read())
            return answer.status

    def call(
        self, port: str, method: str, body: bytes, metadata: tuple[tuple[str, str], ...] = ()
    ) -> grpc.StatusCode:
        """Any gRPC call; keeps answer, details and trailing metadata."""
        with grpc.insecure_channel(f"localhost:{self._port(port)}") as channel:
            try:
                self.answers.append(channel.unary_unary(method)(body, metadata=metadata, timeout=30))
            except grpc.RpcError as error:
                self.answers.append(f"{error.details()} {error.trailing_metadata()}".encode())
                return error.code()
        return grpc.StatusCode.OK

    def export(self, port: str, signal: Signal, body: bytes, **metadata: str) -> grpc.StatusCode:
        """A gRPC export that may fail."""
        return self.call(port, METHODS[signal], body, tuple(metadata.items()))

    def _port(self, name: str) -> int:
        return self.ports.get(name) or self.collector.ports[name]

    def query(self, sql: str, user: str = "default", password: str = "") -> str:
        """The store's answer, over ClickHouse's HTTP interface; raises ``LookupError`` with the code of an error."""
        connection = http.client.HTTPConnection("localhost", self.ports["clickhouse"], timeout=60)
        with contextlib.closing(connection):
            connection.request(
                "POST",
                "/?max_block_size=500",
                sql.encode(),
                {"X-ClickHouse-User": user, "X-ClickHouse-Key": password},
            )
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise LookupError(int(answer.headers["X-ClickHouse-Exception-Code"]))
            return text

    def refuse(self) -> None:
        """Take the tables away from the exporter that is to refuse."""
        for table in self.query("SELECT name FROM system.tables WHERE database = 'refusing'").split():
            self.query(f"DROP TABLE refusing.`{table}`", "writer", _PASSWORD)

    def wait_until_stored(self) -> None:
        """Until the exporters that store have everything, and the one that refuses has refused it."""
        deadline = time.monotonic() + 60
        while self.waiting():
            assert time.monotonic() < deadline, f"not stored in time: {self.waiting()}"
            time.sleep(0.1)

    def waiting(self) -> dict[tuple[str, str], float]:
        """What waits, by exporter and signal."""
        return {
            (sample.labels["exporter"], sample.labels["signal"]): sample.value
            for family in text_string_to_metric_families(self.collector.metrics_text())
            for sample in family.samples
            if sample.name == "agenttracer_items_waiting"
            and sample.value
            and sample.labels["exporter"] in (*_STORED, "clickhouse/refusing")
        }

    def counters(self) -> Counter[str]:
        """What Prometheus scrapes, each metric summed over its labels."""
        totals: Counter[str] = Counter()
        for family in text_string_to_metric_families(self.collector.metrics_text()):
            for sample in family.samples:
                totals[sample.name] += int(sample.value)
        return totals

    def tables(self) -> list[str]:
        """Every table that holds anything; some the engine makes up, without an end or too large."""
        found = self.query(
            "SELECT concat(database, '.`', name, '`') FROM system.tables WHERE engine NOT LIKE '%View' "
            f"AND database != 'INFORMATION_SCHEMA' AND name NOT IN {_GENERATED} FORMAT TSVRaw"
        )
        return found.split("\n")[:-1]

    def tables_with_markers(self, *constants: str) -> tuple[dict[str, int], dict[str, int]]:
        """Rows with a marker, or with these constants, by table; and why a table can't be read."""
        counts, refused = {}, {}
        for table in self.tables():
            # The engine knows the Canary Islands.
            captured = () if table.startswith("system.") else (CAPTURED,)
            # Written backwards: the query itself is a row of system.processes.
            needles = ", ".join(
                f"reverse('{each.lower()[::-1]}')" for each in constants or (*CONSTANTS, *captured)
            )
            sql = f"SELECT count() FROM {table} WHERE multiSearchAny(lower(toJSONString(tuple(*))), [{needles}])"
            try:
                if count := int(self.query(sql)):
                    counts[table] = count
            except LookupError as error:
                refused[table] = error.args[0]
        return counts, refused

    def payloads(self, table: str) -> list[bytes]:
        """What the journal's groups or dead letters hold, unpacked."""
        path = self.collector.data / "journal" / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            held = [row[0] for row in connection.execute(f"SELECT payload FROM {table}")]
        return [written(unpack([payload])) for payload in held]

    def files_with_markers(self) -> dict[str, list[str]]:
        """What stands in the bytes of every file that the collector left."""
        files = [path for path in self.collector.folder.rglob("*") if path.is_file()]
        found = {str(path.relative_to(self.collector.folder)): leaks_in(path.read_bytes()) for path in files}
        return {name: leaks for name, leaks in found.items() if leaks}


@contextlib.contextmanager
def searched_collector(folder: Path) -> Iterator[SearchedCollector]:
    """The shipped configuration with everything in addition that can write, ready."""
    ports = dict(zip(("guarded_grpc", "guarded_http", "clickhouse"), free_ports(3), strict=True))
    config = folder / "everything.yaml"
    config.write_text(_CONFIG.format(data=folder / "data", token=TOKEN, password=_PASSWORD, **ports))
    with running_collector(folder, "--config", str(CONFIG), "--config", str(config)) as collector:
        searched = SearchedCollector(collector, ports)
        searched.refuse()
        yield searched
