"""``make demo``'s program: it shows what it promises, and leaves no process and no folder behind."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import ModuleType

import pytest

from tests.running_collector import ROOT

DEMO = ROOT / "examples" / "demo.py"
USUAL_PORTS = (4317, 4318, 8889, 13133, 8123)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The program as a module; the signal handlers that it sets are put back."""
    monkeypatch.syspath_prepend(DEMO.parent)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    spec.loader.exec_module(module)
    yield module
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def launch(*arguments: str) -> subprocess.Popen[str]:
    """The demo with its output in a pipe."""
    return subprocess.Popen(
        [sys.executable, str(DEMO), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def health_endpoint(shown: str) -> str:
    """Where the demo's collector says how it is."""
    (endpoint,) = re.findall(r"^  health +curl (\S+)$", shown, re.MULTILINE)
    return str(endpoint)


def answers(endpoint: str) -> bool:
    """Whether a collector is there."""
    try:
        with urllib.request.urlopen(endpoint, timeout=2):
            return True
    except urllib.error.URLError:
        return False


def test_it_shows_runs_a_waterfall_and_where_the_rest_is(folder: Path) -> None:
    """With every usual port taken: it takes others and says so, and ends by itself with status 0."""
    with ExitStack() as held:
        for port in USUAL_PORTS:
            with suppress(OSError):  # somebody else has it, which is as good
                held.enter_context(closing(socket.create_server(("127.0.0.1", port))))
        with launch("--exit") as process:
            shown, errors = process.communicate(timeout=120)

    assert (0, "") == (process.returncode, errors)
    assert [f"port {port} is taken" in shown for port in USUAL_PORTS] == [True] * 5
    table, _, waterfall = shown.partition("agenttracer runs show ")
    for words in (
        "customer-support  success",
        "langgraph  ",
        "triage_agent",
        "support_agent",
        "tool/timeout",
    ):
        assert words in table
    assert re.search(r"^ +tool +order_service +3 +█.* tool/timeout", waterfall, re.MULTILINE)
    (seconds,) = re.findall(r"All runs were visible (\d+\.\d) s after", waterfall)
    assert float(seconds) < 60
    for words in (
        "runs tail --endpoint http://localhost:",
        "/metrics | grep",
        "OTEL_EXPORTER_OTLP_ENDPOINT=",
    ):
        assert words in waterfall
    assert not answers(health_endpoint(waterfall))
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals, folder: Path) -> None:
    """Ctrl-C, or a supervisor's signal: the collector is stopped, the folder removed, the status 0."""
    lines = []
    with launch() as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "It serves until Ctrl-C" in line:
                break
        health = health_endpoint("".join(lines))
        assert answers(health)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)

    assert (0, "", "stopped") == (process.returncode, errors, rest.strip())
    assert not answers(health)
    assert [] == list(folder.iterdir())


def test_a_killed_demo_takes_its_collector_along() -> None:
    """Even when it has no time to stop it."""
    lines = []
    with launch() as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "It serves until Ctrl-C" in line:
                break
        health = health_endpoint("".join(lines))
        process.kill()
    deadline = time.monotonic() + 30
    while answers(health):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_collector_that_does_not_start_is_one_sentence(
    demo: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The collector's own, with status 1 and nothing left."""
    chosen = {**demo.choose_endpoints(), "AGENTTRACER_GRPC_ENDPOINT": "nowhere"}
    capsys.readouterr()
    monkeypatch.setattr(demo, "choose_endpoints", lambda: chosen)
    monkeypatch.setattr(sys, "argv", ["demo.py", "--exit"])

    assert 1 == demo.main()

    out, err = capsys.readouterr()
    assert "" == out
    assert err.startswith("demo: the collector did not start: agenttracer: invalid configuration: ")
    assert [] == list(folder.iterdir())


def test_a_part_that_fails_is_one_sentence(
    demo: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command that failed and its status; the collector is stopped all the same."""
    monkeypatch.setattr(demo, "EXAMPLES", folder / "none")
    monkeypatch.setattr(demo, "CONFIGS", (ROOT / "otel-config.yaml", DEMO.with_suffix(".yaml")))
    monkeypatch.setattr(sys, "argv", ["demo.py", "--exit"])

    assert 1 == demo.main()

    last = capfd.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"demo: this command ended with status 2: .*customer_support_agent\.py .*", last)
    assert [] == list(folder.iterdir())


def test_its_environment_leads_nowhere_else(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another collector's settings, and OpenTelemetry's, are not passed on; a proxy is not used."""
    for name in ("AGENTTRACER_CLICKHOUSE_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.setenv(name, "https://production.example.com")
    environment = demo.make_environment({"AGENTTRACER_GRPC_ENDPOINT": "localhost:1"}, Path("/demo"))

    assert "https://production.example.com" not in environment.values()
    assert ("localhost:1", "/demo") == (
        environment["AGENTTRACER_GRPC_ENDPOINT"],
        environment["AGENTTRACER_DATA_DIR"],
    )
    assert "localhost" in environment["no_proxy"]
    assert os.environ["PATH"] == environment["PATH"]
