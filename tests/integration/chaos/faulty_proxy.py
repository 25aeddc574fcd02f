"""A way to ClickHouse on which inserts meet what networks and servers do to them.

with faulty_proxy(server.port) as proxy:
    proxy.fault = Fault.CUT_IN_THE_MIDDLE       # from now on, for every insert
    proxy.met                                   # how many inserts met a fault
    proxy.fault = None
"""

from __future__ import annotations

import enum
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SLOW_SECONDS = 1.0


class Fault(enum.Enum):
    """What becomes of an insert; the comments say what the store has."""

    REFUSED = "the connection is closed before the request is read"  # nothing
    ERROR_PAGE = "a balancer answers 502 with a page of its own"  # nothing
    ERROR_IN_A_200 = "ClickHouse's error comes in the body of a 200"  # nothing
    ERROR_IN_A_200_AFTERWARDS = "the same, though the rows are in"  # everything
    CUT_IN_THE_MIDDLE = "both connections are cut halfway through the rows"  # nothing
    CUT_BEFORE_THE_ANSWER = "the answer is lost"  # everything
    SLOW = "every answer takes its time"  # everything


class FaultyProxy:
    """``port`` leads to the server's, through the fault that is set."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.fault: Fault | None = None
        self.met = 0
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for_faults(self, count: int, timeout_seconds: float = 20) -> None:
        """Until so many more inserts have met the fault."""
        wanted, deadline = self.met + count, time.monotonic() + timeout_seconds
        while self.met < wanted:
            assert time.monotonic() < deadline, f"only {self.met} inserts met {self.fault}"
            time.sleep(0.02)


@contextmanager
def faulty_proxy(server_port: int) -> Iterator[FaultyProxy]:
    """Open until the end of the ``with``."""
    proxy = FaultyProxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(*self._forward(b""))

    def do_POST(self) -> None:
        # The statement of an insert with rows behind it is in the URL or before the rows.
        proxy, body = self.owner, None
        fault = proxy.fault
        if fault is not None:
            body = self._body()
            if b"INSERT INTO" not in body[:200] and "INSERT" not in self.path:
                fault = None
        if fault is not None:
            proxy.met += 1
        if fault is Fault.REFUSED:
            self._hang_up()
            return
        if fault is Fault.ERROR_PAGE:
            self._answer(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")
            return
        if fault is Fault.ERROR_IN_A_200:
            self._answer_error_in_a_200()
            return
        body = self._body() if body is None else body
        if fault is Fault.CUT_IN_THE_MIDDLE:
            self._send_half(body)
            self._hang_up()
            return
        status, headers, answer = self._forward(body)
        if fault is Fault.CUT_BEFORE_THE_ANSWER:
            self._hang_up()
        elif fault is Fault.ERROR_IN_A_200_AFTERWARDS:
            self._answer_error_in_a_200()
        else:
            if fault is Fault.SLOW:
                time.sleep(_SLOW_SECONDS)
            self._answer(status, headers, answer)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _forwarded_headers(self) -> dict[str, str]:
        dropped = ("host", "transfer-encoding", "content-length", "connection")
        return {name: value for name, value in self.headers.items() if name.lower() not in dropped}

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.server_port, timeout=30)
        try:
            connection.request(self.command, self.path, body or None, self._forwarded_headers())
            response = connection.getresponse()
            return response.status, dict(response.headers.items()), response.read()
        except (OSError, http.client.HTTPException):
            return 503, {}, b"the server is away"
        finally:
            connection.close()

    def _send_half(self, body: bytes) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.owner.server_port)) as server:
            lines = [f"POST {self.path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in self._forwarded_headers().items()]
            server.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
            time.sleep(0.05)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _answer_error_in_a_200(self) -> None:
        text = b"Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED) (version 26.1)\n"
        self._answer(200, {"Content-Type": "text/plain; charset=UTF-8"}, text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test's output is its own."""
