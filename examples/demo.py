"""Everything once: a collector, agents that report to it, and their runs in the terminal.

    python examples/demo.py            serves until Ctrl-C
    python examples/demo.py --exit     stops by itself

The collector is the shipped one, ``otel-config.yaml`` with ``examples/demo.yaml`` for SQL over HTTP. Its data
lie in a temporary folder, which is removed at the end; a port that is taken is replaced by a free one.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NoReturn

from agenttracer.collector.endpoint import bind
from agenttracer.collector.errors import StartError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
AGENTTRACER = Path(sys.executable).with_name("agenttracer")
ENDPOINTS = {
    "AGENTTRACER_GRPC_ENDPOINT": ("OTLP/gRPC", 4317),
    "AGENTTRACER_HTTP_ENDPOINT": ("OTLP/HTTP", 4318),
    "AGENTTRACER_PROMETHEUS_ENDPOINT": ("Prometheus", 8889),
    "AGENTTRACER_HEALTH_ENDPOINT": ("health", 13133),
    "AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT": ("SQL", 8123),
}
START_SECONDS = 60.0
VISIBLE_SECONDS = 45.0
STOP_SECONDS = 35.0
RUNS = 12


class DemoError(Exception):
    """What went wrong, in one sentence."""


def say(text: str = "") -> None:
    """Print at once, so that the lines of the processes it starts come in between."""
    print(text, flush=True)


def choose_endpoints() -> dict[str, str]:
    """host:port by environment variable, the usual ports where they are free."""
    chosen = {}
    with ExitStack() as held:
        for variable, (what, port) in ENDPOINTS.items():
            try:
                sockets = bind(f"localhost:{port}", what)
            except StartError:
                sockets = bind("localhost:0", what)
                say(f"port {port} is taken: {what} is at port {sockets[0].getsockname()[1]}")
            for socket in sockets:
                held.enter_context(closing(socket))  # until all are chosen, so that none is chosen twice
            chosen[variable] = f"localhost:{sockets[0].getsockname()[1]}"
    return chosen


def make_environment(endpoints: Mapping[str, str], data: Path) -> dict[str, str]:
    """The demo's own settings, and none that would lead its telemetry elsewhere."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTTRACER_"))
    }
    stays_here = dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
    return {**inherited, **stays_here, **endpoints, "AGENTTRACER_DATA_DIR": str(data)}


@contextmanager
def collector(environment: Mapping[str, str], data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A collector that is ready; stopped on the way out, whatever happens."""
    command = [AGENTTRACER, "collector", "--config", ROOT / "otel-config.yaml", "--config", EXAMPLES / "demo.yaml"]
    log = data / "collector.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is the demo's to handle
            preexec_fn=end_with_parent,
        )
    try:
        wait_until_ready(process, environment["AGENTTRACER_HEALTH_ENDPOINT"], log)
        yield process
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop(process)
    if process.returncode != 0:
        raise DemoError(f"the collector ended with status {process.returncode}: {last_line(log)}")


def end_with_parent() -> None:
    """On Linux, have this process stopped when the one that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_until_ready(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Raises ``DemoError`` if the health check does not answer 200 in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"the collector did not start: {last_line(log)}")
        try:
            fetch(f"http://{endpoint}")
            return
        except OSError:
            time.sleep(0.1)
    raise DemoError(f"the collector was not ready after {START_SECONDS:.0f} s: {last_line(log)}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL if that is not enough."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(log: Path) -> str:
    """The last thing a collector said."""
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def fetch(url: str, body: bytes | None = None) -> str:
    """What an HTTP GET, or a POST of the body, is answered; raises ``OSError``."""
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
        return str(response.read().decode())


def run(command: Sequence[str | Path], environment: Mapping[str, str], shown: str = "") -> list[str]:
    """Run a command and pass its lines on as they come; returns them. Raises ``DemoError`` if it fails."""
    say(f"\n$ {shown or shlex.join(map(str, command))}")
    lines = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                say(line.rstrip("\n"))
                lines.append(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise DemoError(f"{Path(command[1]).name} ended with status {process.returncode}")
    return lines
