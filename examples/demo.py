"""Everything once: a collector, agents that report to it, and their runs in the terminal.

    python examples/demo.py            serves until Ctrl-C
    python examples/demo.py --exit     stops by itself

The collector is the shipped one, ``otel-config.yaml`` with ``examples/demo.yaml`` for SQL over HTTP. Its data
lie in a temporary folder, which is removed at the end; a port that is taken is replaced by a free one.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from replay_captures import CAPTURES

from agenttracer.collector.endpoint import bind
from agenttracer.collector.errors import StartError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CONFIGS = (ROOT / "otel-config.yaml", EXAMPLES / "demo.yaml")
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
LOG = "collector.log"
FAILED_RUN = """
SELECT RunId FROM agent_runs
WHERE AgentName = 'customer-support' AND Status = 'failure'
ORDER BY FailureType = 'tool' DESC LIMIT 1
"""
EXAMPLE_SQL = (
    "SELECT FailureType, FailureCode, StepName, count() FROM agent_failures GROUP BY ALL FORMAT PrettyCompact"
)


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
    command = [AGENTTRACER, "collector", *(f"--config={config}" for config in CONFIGS)]
    log = data / LOG
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
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with directly.open(url, body, timeout=10) as response:
        return str(response.read().decode())


def run(environment: Mapping[str, str], *command: str | Path) -> None:
    """Show a command and run it; raises ``DemoError`` if it fails."""
    say(f"\n$ {show(*command)}")
    ended = subprocess.run(command, env=environment, start_new_session=True, check=False)
    if ended.returncode != 0:
        raise DemoError(f"this command ended with status {ended.returncode}: {show(*command)}")


def show(*command: str | Path) -> str:
    """A command as it can be pasted into a shell at the root of the repository."""
    here = f"{ROOT}{os.sep}"
    return " ".join(shlex.quote(str(word).removeprefix(here)) for word in command)


def ask(sql_endpoint: str, sql: str) -> str:
    """The answer of the embedded store, over ClickHouse's HTTP interface."""
    return fetch(f"http://{sql_endpoint}", sql.encode()).strip()


def wait_until_visible(sql_endpoint: str, prometheus_endpoint: str, runs: int) -> None:
    """Return when so many runs have ended in the store and there are metrics; raises ``DemoError`` after a while."""
    deadline = time.monotonic() + VISIBLE_SECONDS
    ended = 0
    while time.monotonic() < deadline:
        ended = int(ask(sql_endpoint, "SELECT count() FROM agent_runs WHERE EndTime IS NOT NULL"))
        if ended >= runs and "agent_runs_total{" in fetch(f"http://{prometheus_endpoint}/metrics"):
            return
        time.sleep(0.2)
    raise DemoError(f"after {VISIBLE_SECONDS:.0f} s {ended} of {runs} runs were in the store, or no metrics")


def tour(environment: Mapping[str, str], started: float) -> None:
    """Make runs, and look at them."""
    grpc, http, prometheus, health, sql = (environment[variable] for variable in ENDPOINTS)
    python = Path(sys.executable)
    agent = EXAMPLES / "customer_support_agent.py"
    run(environment, python, agent, "--endpoint", f"http://{grpc}", "--runs", str(RUNS))
    run(
        environment, python, EXAMPLES / "replay_captures.py", "--grpc-endpoint", grpc, "--http-endpoint", http
    )
    wait_until_visible(sql, prometheus, RUNS + len(CAPTURES))
    seconds = time.monotonic() - started
    run(environment, AGENTTRACER, "runs", "list", "--endpoint", f"http://{sql}")
    failed = ask(sql, FAILED_RUN)
    if not failed:
        raise DemoError("no run of the example agent failed, though some are made to")
    run(environment, AGENTTRACER, "runs", "show", failed, "--endpoint", f"http://{sql}")
    say(f"\nAll runs were visible {seconds:.1f} s after the start of the collector. In another terminal:\n")
    for what, command in (
        ("runs as they come", show(AGENTTRACER, "runs", "tail", "--endpoint", f"http://{sql}")),
        ("more runs", show(python, agent, "--endpoint", f"http://{grpc}")),
        ("SQL", f"curl http://{sql} -d {shlex.quote(EXAMPLE_SQL)}"),
        ("Prometheus metrics", f"curl -s http://{prometheus}/metrics | grep ^agent_"),
        ("health", f"curl http://{health}"),
        ("your own agent", f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{grpc} python your_agent.py"),
    ):
        say(f"  {what:<20}{command}")


def main() -> int:
    """0 when all of it worked."""
    parser = argparse.ArgumentParser(description="Start a collector, run example agents, show their runs.")
    parser.add_argument("--exit", action="store_true", help="stop when the runs were shown")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_demo)
    data = Path(tempfile.mkdtemp(prefix="agenttracer-demo-"))
    try:
        started = time.monotonic()
        environment = make_environment(choose_endpoints(), data)
        with collector(environment, data) as process:
            say(f"the collector is ready; its data are in {data} until the demo ends")
            tour(environment, started)
            if not options.exit:
                say("\nIt serves until Ctrl-C.")
                process.wait()
                raise DemoError(f"the collector ended by itself: {last_line(data / LOG)}")
    except KeyboardInterrupt:
        with suppress(BrokenPipeError):  # Ctrl-C also ended what reads this
            say("\nstopped")
    except (DemoError, StartError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return 0


def stop_demo(number: int, _: object) -> NoReturn:
    """A signal handler: leave as if Ctrl-C had been pressed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
