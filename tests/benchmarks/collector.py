"""The collector as a user starts it: the command, the shipped configuration, one exporter.

agenttracer collector --config otel-config.yaml --set service.pipelines.traces.exporters=[debug] …

Its journal says, read-only and from outside, what is delivered and how large the groups were.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from urllib.request import urlopen

import clickhouse_connect

from tests.benchmarks.target import Target, free_port, run_server

_CONFIG = Path(__file__).parents[2] / "otel-config.yaml"
_COMMAND = Path(sys.executable).with_name("agenttracer")
_START_SECONDS = 60.0
_SIGNALS = ("traces", "logs", "metrics")


class Collector(Target):
    """Redaction and journal on; ``exporter`` is an id of the configuration, alone at every pipeline's end.

    ``cores`` of the machine's are all that its processes may use, None any; ``workers`` is the service's."""

    def __init__(
        self, name: str, exporter: str, transport: str, *, cores: int | None = None, workers: int = 1
    ) -> None:
        self.name = name
        self._exporter = exporter
        self._transport = transport
        self._cores = cores
        self._workers = workers
        self._groups = self._rows = self._payload_bytes = 0
        self._store_bytes: float | None = None

    def _start(self, ends: ExitStack) -> None:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="agenttracer-bench-")))
        ends.callback(self._look_at_store, folder / "clickhouse")
        ports = {name: free_port() for name in ("grpc", "http", "prometheus", "health")}
        endpoints = {
            f"AGENTTRACER_{name.upper()}_ENDPOINT": f"localhost:{port}" for name, port in ports.items()
        }
        overrides = [
            "service.telemetry.logs.level=WARN",
            f"exporters.{self._exporter}={{}}",  # declares it where the file doesn't
            *(f"service.pipelines.{signal}.exporters=[{self._exporter}]" for signal in _SIGNALS),
            f"service.workers={self._workers}",
        ]
        self.pid = run_server(
            [_COMMAND, "collector", "--config", _CONFIG, *(f"--set={override}" for override in overrides)],
            ports["grpc"],
            folder / "log",
            ends,
            cores=self._cores,
            AGENTTRACER_DATA_DIR=str(folder),
            AGENTTRACER_CLICKHOUSE_ENDPOINT=f"chdb://{folder / 'clickhouse'}",
            **endpoints,
        )
        self.address = f"localhost:{ports[self._transport]}"
        _wait_until_healthy(ports["health"])  # the first worker listens before the others do
        folders = [
            folder / "journal",
            *(folder / "journal" / f"worker-{n}" for n in range(2, self._workers + 1)),
        ]
        journals = [f"file:{each / 'journal.sqlite'}?mode=ro" for each in folders]
        self._journals = [
            ends.enter_context(closing(sqlite3.connect(journal, uri=True, isolation_level=None)))
            for journal in journals
        ]
        self._last_groups = [0] * len(journals)

    def delivered(self, spans: int) -> bool:
        stored = 0
        for number, journal in enumerate(self._journals):
            (own,) = journal.execute(
                "SELECT coalesce(sum(rows), 0) FROM books WHERE state = 'stored'"
            ).fetchone()
            stored += own
            self._look_at_groups(number)
        return bool(stored >= spans)

    def _look_at_groups(self, number: int) -> None:
        # Groups stay until they are delivered: a look now and then sees nearly all of them.
        last, groups, rows, payload_bytes = (
            self._journals[number]
            .execute(
                "SELECT max(id), count(*), sum(rows), sum(length(payload)) FROM groups WHERE id > ?",
                (self._last_groups[number],),
            )
            .fetchone()
        )
        if groups:
            self._last_groups[number] = last
            self._groups += groups
            self._rows += rows
            self._payload_bytes += payload_bytes

    def _look_at_store(self, folder: Path) -> None:
        if self._rows and folder.is_dir():
            with get_context("spawn").Pool(1) as pool:  # a process can open one embedded store in its life
                self._store_bytes = pool.apply(_bytes_a_span, (str(folder),))

    def figures(self) -> Mapping[str, float]:
        seen = {}
        if self._groups:
            seen = {
                "group_spans": self._rows / self._groups,
                "journal_bytes_a_span": self._payload_bytes / self._rows,
            }
        return seen if self._store_bytes is None else {**seen, "store_bytes_a_span": self._store_bytes}


def _wait_until_healthy(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urlopen(f"http://localhost:{port}/"):
                return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def _bytes_a_span(store: str) -> float:
    """Of all active parts, views included."""
    with closing(clickhouse_connect.get_client(dsn=f"chdb://{store}")) as client:
        size = client.command(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'default'"
        )
        spans = client.command("SELECT count() FROM otel_traces")
    return float(size) / int(spans)
