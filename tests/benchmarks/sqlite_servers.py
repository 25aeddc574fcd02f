"""Phoenix and MLflow, the servers for agents' traces that people run on one machine, each with its SQLite file.

Both keep prompts and responses. Phoenix answers when spans are in a queue in memory, MLflow when they are stored.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar

from tests.benchmarks.environment import environment
from tests.benchmarks.target import Target, free_port, run_server


class _SqliteServer(Target):
    """Its spans are rows of the table ``spans``."""

    _file: Path

    def delivered(self, spans: int) -> bool:
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as store:
            try:
                (stored,) = store.execute("SELECT count(*) FROM spans").fetchone()
            except sqlite3.OperationalError:  # it is being written to
                return False
        return bool(stored >= spans)

    def _folder(self, ends: ExitStack) -> Path:
        return Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="agenttracer-bench-")))


class Phoenix(_SqliteServer):
    """Phoenix with its defaults, over gRPC."""

    name = "phoenix"
    package = "arize-phoenix"
    transport = "grpc"

    def _start(self, ends: ExitStack) -> None:
        folder = self._folder(ends)
        ports = {name: free_port() for name in ("grpc", "http")}
        self._file = folder / "phoenix.db"
        self.pid = run_server(
            [environment(self.package) / "bin" / "phoenix", "serve"],
            ports["grpc"],
            folder / "log",
            ends,
            PHOENIX_WORKING_DIR=str(folder),
            PHOENIX_HOST="127.0.0.1",
            PHOENIX_PORT=str(ports["http"]),
            PHOENIX_GRPC_PORT=str(ports["grpc"]),
            PHOENIX_TELEMETRY_ENABLED="false",
        )
        self.address = f"127.0.0.1:{ports['grpc']}"


class MLflow(_SqliteServer):
    """MLflow with its defaults, over HTTP."""

    name = "mlflow"
    package = "mlflow"
    transport = "http"
    headers: ClassVar[Mapping[str, str]] = {"x-mlflow-experiment-id": "0"}

    def _start(self, ends: ExitStack) -> None:
        folder = self._folder(ends)
        port = free_port()
        self._file = folder / "mlflow.db"
        places = [
            f"--backend-store-uri=sqlite:///{self._file}",
            f"--artifacts-destination={folder}/artifacts",
        ]
        self.pid = run_server(
            [environment(self.package) / "bin" / "mlflow", "server", *places, f"--port={port}"],
            port,
            folder / "log",
            ends,
            MLFLOW_DISABLE_TELEMETRY="true",
        )
        self.address = f"127.0.0.1:{port}"
