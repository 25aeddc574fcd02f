"""Rotel, a collector in Rust, its ClickHouse exporter into a sink.

It neither redacts nor keeps anything on disk.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.environment import environment, install
from tests.benchmarks.sink import Sink
from tests.benchmarks.target import Target, free_port, run_server


class Rotel(Target):
    """Rotel with its defaults."""

    name = "rotel"

    def __init__(self, transport: str) -> None:
        self._transport = transport

    def _start(self, ends: ExitStack) -> None:
        self._sink = ends.enter_context(Sink())
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="agenttracer-bench-")))
        ports = {name: free_port() for name in ("grpc", "http")}
        endpoints = [f"--otlp-{name}-endpoint=127.0.0.1:{port}" for name, port in ports.items()]
        sink = f"--clickhouse-exporter-endpoint=http://127.0.0.1:{self._sink.port}"
        self.pid = run_server(
            [_binary(), "start", *endpoints, "--exporter=clickhouse", sink],
            ports["grpc"],
            folder / "log",
            ends,
        )
        self.address = f"127.0.0.1:{ports[self._transport]}"

    def delivered(self, spans: int) -> bool:
        return self._sink.spans >= spans


def install_rotel() -> str:
    """Its version, after installing it if it is missing; raises ``RuntimeError`` if that fails."""
    return install("rotel", "--pre")


def _binary() -> Path:
    found = sorted(environment("rotel").glob("lib/python*/site-packages/rotel/rotel-agent"))
    if not found:
        raise RuntimeError("Rotel's package has no program in it")
    return found[-1]
