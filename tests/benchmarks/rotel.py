"""Rotel, a collector in Rust: from PyPI into a folder of its own, its ClickHouse exporter into a sink.

~/.cache/agenttracer-bench/rotel     made at the first run; delete it to get a newer one

It neither redacts nor keeps anything on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.sink import Sink
from tests.benchmarks.target import Target, free_port, run_server

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agenttracer-bench"


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
    environment = _CACHE / "rotel"
    try:
        if not _binary().exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            subprocess.run(
                [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--pre", "rotel"],
                check=True,
            )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"rotel can't be installed: {error}") from error
    (installed,) = _binary().parents[1].glob("rotel-*.dist-info")
    return installed.stem.removeprefix("rotel-")


def _binary() -> Path:
    found = sorted((_CACHE / "rotel").glob("lib/python*/site-packages/rotel/rotel-agent"))
    return found[-1] if found else _CACHE / "rotel" / "rotel-agent"
