"""The real collector in a process of its own, from the shipped configuration, on free ports.

with running_collector(tmp_path) as collector:
    collector.export(Signal.TRACES, body)
    collector.stop()
    collector.store()  # a clickhouse-connect client of the store it left behind
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from prometheus_client.parser import text_string_to_metric_families

from agenttracer.schemas.batch import Signal

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "otel-config.yaml"
METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_START_SECONDS = 40
_PORTS = {"GRPC": "grpc", "HTTP": "http", "PROMETHEUS": "prometheus", "HEALTH": "health"}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, nor on the ones behind them, which a second worker may take. Connections are
    given higher ones by the system."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            port = random.randrange(10_000, 32_000, 2)
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            with contextlib.suppress(OSError):
                for each, number in zip(sockets, (port, port + 1), strict=True):
                    each.bind(("127.0.0.1", number))
                found.append(port)
    return found


class RunningCollector:
    """A collector's process, its ports, and what it left in its folder."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_path = folder / "collector.log"
        self.ports = dict(zip(_PORTS.values(), free_ports(len(_PORTS)), strict=True))
        self.command = [sys.executable, "-m", "agenttracer"]
        self.arguments = arguments or ("--config", str(CONFIG))
        self.environment = {
            **os.environ,
            "AGENTTRACER_DATA_DIR": str(self.data),
            **{
                f"AGENTTRACER_{name}_ENDPOINT": f"localhost:{self.ports[key]}" for name, key in _PORTS.items()
            },
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, preexec_fn: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Start the process without waiting until it is ready; ``preexec_fn`` as subprocess has it."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "collector", *self.arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=preexec_fn,
            )
        return self.process

    def start(self) -> None:
        """Start the process and wait until it says that it is ready."""
        self.launch()
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until the process that was launched says that it is ready."""
        process = self.process
        assert process is not None
        deadline = time.monotonic() + _START_SECONDS
        while not self.healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the collector did not start: {self.log()}")
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Whether the health check answers 200."""
        try:
            with urllib.request.urlopen(f"http://localhost:{self.ports['health']}/", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def export(self, kind: Signal, body: bytes, timeout_seconds: float = 30) -> bytes:
        """Send an OTLP request over gRPC; returns the answer's bytes or raises ``grpc.RpcError``."""
        with grpc.insecure_channel(f"localhost:{self.ports['grpc']}") as channel:
            return channel.unary_unary(METHODS[kind])(body, timeout=timeout_seconds)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Send an OTLP request over HTTP, protobuf unless a header says otherwise; returns status and body."""
        request = urllib.request.Request(
            f"http://localhost:{self.ports['http']}{path}",
            body,
            {"Content-Type": "application/x-protobuf", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def metrics_text(self) -> str:
        """What Prometheus would scrape."""
        with urllib.request.urlopen(
            f"http://localhost:{self.ports['prometheus']}/metrics", timeout=10
        ) as answer:
            return answer.read().decode()

    def books(self, kind: Signal = Signal.TRACES, exporter: str = "clickhouse") -> dict[str, float]:
        """The books of a signal as the metrics show them, behind the journal those of one exporter."""
        lines: dict[str, float] = {}
        for family in text_string_to_metric_families(self.metrics_text()):
            for sample in family.samples:
                labels = sample.labels
                if labels.get("signal") != kind or labels.get("exporter") not in ("", exporter):
                    continue
                if sample.name == "agenttracer_items_waiting":
                    lines["waiting"] = lines.get("waiting", 0) + sample.value
                elif sample.name == "agenttracer_items_total":
                    lines[labels["state"]] = lines.get(labels["state"], 0) + sample.value
        return lines

    def waiting(self) -> float:
        """How many rows exporters have still to take."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics_text())
            for sample in family.samples
            if sample.name == "agenttracer_items_waiting"
        )

    def wait_until_stored(self, timeout_seconds: float = 30) -> None:
        """Wait until no exporter has anything left to take."""
        deadline = time.monotonic() + timeout_seconds
        while self.waiting():
            assert time.monotonic() < deadline, "the exporters did not take everything in time"
            time.sleep(0.1)

    def wait_until_noted(self, state: str, rows: int, timeout_seconds: float = 30) -> None:
        """Wait until the books say it of so many rows; duplicates are noted when the collector has nothing to do."""
        deadline = time.monotonic() + timeout_seconds
        while self.books().get(state, 0) < rows:
            assert time.monotonic() < deadline, f"the books do not show {rows} {state} in time"
            time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_seconds: float = 40) -> int:
        """Wait for the process's end; returns its exit status."""
        assert self.process is not None
        return self.process.wait(timeout_seconds)

    def stop(self) -> int:
        """Stop as an operator would; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.wait() if self.process else 0
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End the process as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """Everything that it printed."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def query(self, *queries: str) -> list[list[Any]]:
        """Each query's rows from the store that a stopped collector left, asked in a process of its own:
        an embedded engine is bound to one folder for its process's life."""
        script = (
            "import clickhouse_connect, json, sys\n"
            f"client = clickhouse_connect.get_client(dsn={f'chdb://{self.data}/clickhouse'!r})\n"
            "print(json.dumps([client.query(q).result_rows for q in json.loads(sys.argv[1])], default=str))\n"
            "client.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, json.dumps(queries)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextlib.contextmanager
def running_collector(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[RunningCollector]:
    """A collector that is ready; whatever happens, no process is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    collector = RunningCollector(folder, *arguments, environment=environment)
    try:
        collector.start()
        yield collector
    finally:
        collector.kill()


def captures(signals: Sequence[Signal] = tuple(Signal)) -> list[tuple[Signal, str, bytes]]:
    """(signal, name, body) of the payloads captured from real frameworks."""
    endings = {".logs": Signal.LOGS, ".metrics": Signal.METRICS}
    found = []
    for path in sorted((ROOT / "tests" / "golden" / "captures").glob("*.pb")):
        kind = endings.get(Path(path.stem).suffix, Signal.TRACES)
        if kind in signals:
            found.append((kind, path.stem, path.read_bytes()))
    return found
