"""A ClickHouse server for tests: ``clickhouse_http`` in a process of its own, which can be killed.

with clickhouse_server(tmp_path / "store") as server:
    clickhouse_connect.get_client(**server.reader)
    clickhouse_connect.get_client(**server.writer).command("CREATE TABLE …")
    server.kill()            # SIGKILL: nothing is flushed
    server.restart()         # on the same folder and port
"""

from __future__ import annotations

import asyncio
import http.client
import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.clickhouse_http import ClickHouseHttp, ClickHouseHttpOptions
from agenttracer.collector.telemetry import Telemetry

USERS: Mapping[str, Any] = {"default": {}, "writer": {"password": "let-me-write", "readonly": False}}


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class ClickHouseServer:
    """The process, its port, how to log in, and requests as curl makes them."""

    def __init__(self, folder: Path, *, cwd: Path | None = None, **options: Any) -> None:
        self.folder = folder
        self._cwd = cwd
        self.port = 0
        self._options = {"endpoint": "localhost:0", "path": str(folder), "users": USERS, **options}
        self._process: subprocess.Popen[str] | None = None

    @property
    def reader(self) -> dict[str, Any]:
        """Arguments of ``clickhouse_connect.get_client`` for the user that needs no password."""
        return {"host": "localhost", "port": self.port}

    @property
    def writer(self) -> dict[str, Any]:
        """Arguments of ``clickhouse_connect.get_client`` for the user that may write."""
        return {**self.reader, "username": "writer", "password": "let-me-write"}

    @property
    def endpoint(self) -> str:
        """The URL without credentials."""
        return f"http://localhost:{self.port}"

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """GET a path."""
        return self._request("GET", path, None, headers)

    def post(self, body: str | bytes, headers: Mapping[str, str] | None = None, path: str = "/") -> Reply:
        """POST a query."""
        return self._request("POST", path, body.encode() if isinstance(body, str) else body, headers)

    def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def resident_bytes(self) -> int:
        """The memory that the process has at the moment."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def start(self) -> None:
        """Listen; raises ``RuntimeError`` with the server's own sentence."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(self._options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._cwd,
        )  # fmt: skip
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer.isdigit():
            self.stop()
            raise RuntimeError(answer)
        self.port = int(answer)
        self._options["endpoint"] = f"localhost:{self.port}"

    def stop(self) -> None:
        """As an operator stops it."""
        self._end()

    def kill(self) -> None:
        """As a power cut stops it."""
        if self._process is not None:
            self._process.kill()
        self._end()

    def restart(self) -> None:
        """Start again on the same port."""
        self.stop()
        self.start()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate()


@contextmanager
def clickhouse_server(folder: Path, *, cwd: Path | None = None, **options: Any) -> Iterator[ClickHouseServer]:
    """A server that has started."""
    server = ClickHouseServer(folder, cwd=cwd, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def _serve(options: dict[str, Any]) -> None:
    server = ClickHouseHttp(
        ClickHouseHttpOptions.model_validate(options), Context("clickhouse_http", Telemetry())
    )
    try:
        await server.start()
    except StartError as error:
        print(error, flush=True)
        return
    print(server.port, flush=True)
    # Whoever started this process holds the other end, so it never outlives a test run.
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
