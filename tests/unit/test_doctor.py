"""``agenttracer doctor``: what it finds, what it says, and what it answers with."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import pytest

from agenttracer.collector.cli.main import main
from agenttracer.instrumentation.doctor import findings, probe
from agenttracer.instrumentation.libraries import choice
from agenttracer.schemas.batch import Signal
from tests.running_collector import METHODS

VERSIONS = {
    "langchain-core": "1.4.0",
    "langgraph": "1.2.0",
    "dspy": "3.4.1",
    "openai": "3.52.0",
    "crewai": "0.9.0",
    "mcp": "2.3.0",
    "opentelemetry-instrumentation-mcp": "0.62.4",
}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed; nothing at first, and no variable that says where to send."""
    found: dict[str, str] = {}
    for module in (findings, choice):
        monkeypatch.setattr(module, "version_of", found.get)
    monkeypatch.setattr(findings, "loaded_instrumentors", lambda framework: [])
    for name in [name for name in os.environ if name.startswith(("OTEL_EXPORTER", "CLICKHOUSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")  # put back what the probe sets
    return found


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """The exit status and the JSON."""
    status = main(["doctor", "--json", *arguments])
    return status, json.loads(capsys.readouterr().out)


class _Store(BaseHTTPRequestHandler):
    """ClickHouse's HTTP interface, as much as is asked of it: finds nothing at first, then one row."""

    found = 0
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("X-ClickHouse-User")))
        body = json.dumps({"found": str(_Store.found)}).encode()
        _Store.found += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def store() -> Iterator[str]:
    """Its address."""
    _Store.found = 0
    server = HTTPServer(("127.0.0.1", 0), _Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def receiver(code: grpc.StatusCode | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP/gRPC receiver that accepts, or refuses with a code; its address and what it got."""
    bodies: list[bytes] = []

    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        if code is not None:
            context.abort(code, "no")
        bodies.append(body)
        return b""

    name, method = METHODS[Signal.TRACES].removeprefix("/").split("/")
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.method_handlers_generic_handler(
        name, {method: grpc.unary_unary_rpc_method_handler(export)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"http://localhost:{port}", bodies
    finally:
        server.stop(0).wait()


def test_an_accepted_span_is_health(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing installed, one span accepted: status 0."""
    with receiver() as (url, bodies):
        status, said = answer(capsys, "--api-url", url)

    assert 0 == status
    assert said["healthy"]
    assert said["arrival"]["accepted"]
    assert said["arrival"]["stored"] is None
    assert 1 == len(bodies)
    assert bytes.fromhex(said["arrival"]["trace_id"]) in bodies[0]


def test_a_stored_span_is_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks until the row is there, as the user that the environment names."""
    monkeypatch.setenv("CLICKHOUSE_USER", "reader")
    with receiver() as (url, _), store() as query:
        status, said = answer(capsys, "--api-url", url, "--query-url", query)

    assert 0 == status
    assert said["arrival"]["stored"] is True
    assert said["arrival"]["stored_seconds"] > 0
    assert said["arrival"]["trace_id"] in _Store.asked[-1][0]
    assert "reader" == _Store.asked[-1][1]


def test_a_span_that_is_not_stored_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted, but the store can't be asked: status 1."""
    monkeypatch.setattr(probe, "_POLL_SECONDS", 0.01)
    with receiver() as (url, _):
        status, said = answer(
            capsys, "--api-url", url, "--query-url", "http://localhost:1", "--timeout", "0.1"
        )

    assert 1 == status
    assert said["arrival"]["stored"] is False
    assert ["data is accepted and not stored"] == [problem["what"] for problem in said["problems"]]


def test_nobody_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of the environment is tried, and the reason is said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    status, said = answer(capsys)

    assert 1 == status
    assert not said["arrival"]["accepted"]
    assert f"nothing answers at 127.0.0.1:{port} (ConnectionRefusedError)" == said["arrival"]["reason"]
    assert ["data does not arrive"] == [problem["what"] for problem in said["problems"]]


def test_a_refusal_says_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """What the exporter would only log."""
    with receiver(grpc.StatusCode.UNAUTHENTICATED) as (url, _):
        status, said = answer(capsys, "--api-url", url, "--header", "authorization=Bearer CANARY")

    assert 1 == status
    assert "UNAUTHENTICATED" in said["arrival"]["reason"]
    assert "CANARY" not in json.dumps(said)


def test_frameworks_are_found(capsys: pytest.CaptureFixture[str], installed: dict[str, str]) -> None:
    """With versions, what would see them, what to install, and what is broken."""
    installed.update(VERSIONS)
    status, said = answer(capsys, "--no-probe")
    frameworks = {each["framework"]: (each["state"], each["instrumentor"]) for each in said["frameworks"]}

    assert 1 == status
    assert said["arrival"] is None
    assert {
        "langchain": ("waiting", "agenttracer"),
        "langgraph": ("via", None),
        "crewai": ("unsupported", None),
        "mcp": ("waiting", "native"),
        "dspy": ("missing", None),
        "openai": ("missing", None),
    } == frameworks
    assert [
        "crewai 0.9.0 is not supported: supported are the versions >=1.10,<2",
        "dspy is not seen",
        "opentelemetry-instrumentation-mcp breaks programs with mcp 2.3.0",
    ] == [problem["what"] for problem in said["problems"]]
    assert "pip install 'openinference-instrumentation-dspy>=0.1.48'" == said["problems"][1]["remedy"]


def test_a_client_is_no_problem(capsys: pytest.CaptureFixture[str], installed: dict[str, str]) -> None:
    """Frameworks report their model calls: an instrumentor for a client is advice."""
    installed["openai"] = "3.52.0"
    status = main(["doctor", "--no-probe"])
    said = capsys.readouterr().out

    assert 0 == status
    assert (
        "for calls outside a framework: pip install 'opentelemetry-instrumentation-genai-openai>=1.3b0'"
        in said
    )


def test_two_families_are_a_problem(
    capsys: pytest.CaptureFixture[str], installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """opentelemetry-instrument would load both."""
    installed["openai"] = "3.52.0"
    monkeypatch.setattr(findings, "loaded_instrumentors", lambda framework: ["one.openai", "two.openai"])
    status, said = answer(capsys, "--no-probe")

    assert 1 == status
    assert ["opentelemetry-instrument records openai 2 times: one.openai, two.openai"] == [
        problem["what"] for problem in said["problems"]
    ]


def test_variables_that_ask_for_content_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not their values."""
    monkeypatch.setenv("TRACELOOP_TRACE_CONTENT", "CANARY")
    main(["doctor", "--no-probe"])
    said = capsys.readouterr().out

    assert "TRACELOOP_TRACE_CONTENT asks for it" in said
    assert "CANARY" not in said


def test_an_unusable_address_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the address, which may hold credentials."""
    status = main(["doctor", "--api-url", "ftp://user:CANARY@host"])
    said = capsys.readouterr()

    assert 1 == status
    assert "agenttracer: api_url must start with http://, https://, grpc:// or grpcs://\n" == said.err
    assert "" == said.out


def test_the_report_for_people(capsys: pytest.CaptureFixture[str], installed: dict[str, str]) -> None:
    """A mark a framework, and what became of the span."""
    installed.update({"langchain-core": "1.4.0", "langgraph": "1.2.0", "smolagents": "1.26.0"})
    with receiver() as (url, _):
        main(["doctor", "--api-url", url])
    said = capsys.readouterr().out

    assert "  ✓ langchain 1.4.0    by agenttracer\n" in said
    assert "  ✓ langgraph 1.2.0    through langchain\n" in said
    assert "  ✗ smolagents 1.26.0  pip install 'openinference-instrumentation-smolagents>=0.1.43'\n" in said
    assert f"  ✓ {url} (grpc) accepted a span in " in said
    assert "To do\n  smolagents is not seen\n" in said


def test_it_needs_the_base_install_only() -> None:
    """Neither the doctor nor the help loads anything of the collector's."""
    blocked = "aiohttp boto3 chdb clickhouse_connect numpy pyarrow pydantic yaml rich ptars prometheus_client".split()
    script = f"import sys\nsys.modules.update(dict.fromkeys({blocked!r}))\n"
    script += "from agenttracer.collector.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    for arguments in (["doctor", "--no-probe"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "doctor" in done.stdout or "Frameworks" in done.stdout
