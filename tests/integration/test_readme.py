"""The README is true: its commands parse, what it names exists, and its snippets run on a real collector."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from agenttracer.collector import components
from agenttracer.collector.cli.main import make_parser
from agenttracer.collector.component import Context
from agenttracer.collector.config.fields import follow
from agenttracer.collector.config.load import load_config
from agenttracer.collector.telemetry import Telemetry
from tests.batches import make_batch
from tests.running_collector import ROOT, RunningCollector, running_collector

README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs" / "adr").glob("*.md")
)
CONFIGS = [str(ROOT / "otel-config.yaml"), str(ROOT / "examples" / "demo.yaml")]


def blocks(language: str) -> list[str]:
    """The code blocks of a language, without the indentation of the list that they stand in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", README, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


def commands() -> list[str]:
    """Every ``agenttracer …`` in a shell block or between backticks."""
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    inline = re.findall(r"`(agenttracer [^`]+)`", README)
    return [line for line in (*lines, *inline) if line.startswith("agenttracer ")]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """A collector as the README starts it, with the runs of the example agent in its store."""
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        sql = f"localhost:{held.getsockname()[1]}"
    arguments = [word for config in CONFIGS for word in ("--config", config)]
    environment = {"AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT": sql}
    folder = tmp_path_factory.mktemp("readme")
    with running_collector(folder, *arguments, environment=environment) as running:
        run_python(ROOT / "examples" / "customer_support_agent.py", "--endpoint", grpc_url(running))
        running.wait_until_stored()
        yield running


@pytest.fixture
def store(collector: RunningCollector) -> Iterator[Client]:
    """The collector's store over HTTP."""
    host, _, port = collector.environment["AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT"].partition(":")
    with closing(clickhouse_connect.get_client(host=host, port=int(port))) as client:
        yield client


def grpc_url(collector: RunningCollector) -> str:
    """Where it takes OTLP."""
    return f"http://localhost:{collector.ports['grpc']}"


def run_python(*arguments: str | Path) -> None:
    """Run a program; it must end well and complain about nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)


def wait_for_runs(store: Client, agent: str) -> list[Any]:
    """The runs of an agent, once there are any that ended: that they started is stored before."""
    query = "SELECT Status, Steps FROM agent_runs WHERE AgentName = {agent:String} AND Status != 'running'"
    deadline = time.monotonic() + 30
    while not (rows := store.query(query, parameters={"agent": agent}).result_rows):
        assert time.monotonic() < deadline, f"no run of {agent} came"
        time.sleep(0.1)
    return list(rows)


@pytest.mark.parametrize("command", commands())
def test_its_commands_exist(command: str) -> None:
    """Subcommands and flags are those of the parser."""
    make_parser().parse_args(shlex.split(command)[1:])


def test_its_commands_are_all_of_them() -> None:
    """Every command that the parser has is in it."""
    actions = make_parser()._subparsers._group_actions  # type: ignore[union-attr]
    known = {f"agenttracer {name}" for name in actions[0].choices}  # type: ignore[union-attr]
    assert known == {name for name in known if any(command.startswith(name) for command in commands())}


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(blocks("sh")) + README)))
)
def test_its_make_targets_exist(target: str) -> None:
    """``make X`` is a target of the Makefile, or a verb of English."""
    makefile = (ROOT / "Makefile").read_text()
    assert target in ("sure", "the", "their", "a") or re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(?:AGENTTRACER|CLICKHOUSE)_[A-Z_]+\b", README))))
def test_its_environment_variables_are_read(name: str) -> None:
    """By the shipped configuration, the demo's, or a command."""
    readers = [*map(Path, CONFIGS), *(ROOT / "collector" / "cli").glob("*.py")]
    assert any(re.search(rf"\b{name}\b", reader.read_text()) for reader in readers)


def test_its_variables_are_all_of_the_configurations() -> None:
    """What the shipped configuration reads is in the table, with its default."""
    read = dict(
        re.findall(
            r"\$\{env:(AGENTTRACER_\w+):-([^$}]+)\}", "".join(Path(config).read_text() for config in CONFIGS)
        )
    )
    shown = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", README, re.MULTILINE))
    del shown["AGENTTRACER_CLICKHOUSE_ENDPOINT"]  # its default contains another variable
    assert read == shown


@pytest.mark.parametrize(
    "option",
    re.findall(r"^\| `((?:receivers|processors|exporters|extensions)\.[\w.]+)`", README, re.MULTILINE),
)
def test_its_options_exist(option: str) -> None:
    """In the model of their component."""
    section, name, *path = option.split(".")
    field, _ = follow(components.load(section, name).options_type, tuple(path))
    assert field is not None


def test_its_components_exist() -> None:
    """The processors, exporters and extensions that it names between backticks are built in."""
    built_in = {name for section in components.BUILT_IN.values() for name in section}
    named = {"redaction", "normalize", "clickhouse_http", "bearer_token_auth"}
    assert named <= built_in
    assert named == {name for name in named if f"`{name}`" in README}


def test_its_metrics_are_served(collector: RunningCollector) -> None:
    """Every metric that it names is on the metrics page; of labelled ones at least the description."""
    served = collector.metrics_text()
    named = set(
        re.findall(r"\b(?:otelcol|agenttracer|agent)_\w*(?:_total|_seconds|_waiting|_rss|_spans)\b", README)
    )
    assert 12 <= len(named)
    assert [] == [name for name in sorted(named) if f"# HELP {name}" not in served]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """In every document, each relative link names a file that is there."""
    prose = re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", prose)
    assert [] == [target for target in targets if not (document.parent / target).exists()]


@pytest.mark.parametrize("sql", blocks("sql"), ids=lambda sql: sql.split(",")[0])
def test_its_queries_find_something(sql: str, store: Client) -> None:
    """Each on the runs of the example agent."""
    assert store.query(sql).result_rows


def test_its_sdk_snippet_is_a_run(collector: RunningCollector, store: Client, tmp_path: Path) -> None:
    """Copied and pasted, it ends in the store as a success of four steps, the run itself among them."""
    snippet = tmp_path / "snippet.py"
    snippet.write_text(blocks("python")[0].replace("http://localhost:4317", grpc_url(collector)))
    run_python(snippet)

    assert [("success", 4)] == wait_for_runs(store, "support")


def test_its_curl_is_a_run(collector: RunningCollector, store: Client) -> None:
    """The body, as the shell makes it, is a run of the agent that it names."""
    (block,) = (block for block in blocks("sh") if "curl http" in block)
    command = block.partition("curl ")[2].strip()
    echo = f"NOW=$(date +%s); set -- {command}; printf '%s' \"$5\""
    body = subprocess.run(["bash", "-c", echo], capture_output=True, check=True).stdout
    assert (200, b"{}") == collector.post("/v1/traces", body, {"Content-Type": "application/json"})

    assert [("success", 1)] == wait_for_runs(store, "hello")


def test_its_health_and_sql_addresses_answer(collector: RunningCollector) -> None:
    """As curl asks."""
    assert collector.healthy()
    sql = collector.environment["AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT"]
    with urllib.request.urlopen(f"http://{sql}", b"SELECT count() FROM agent_runs") as answer:
        assert 20 <= int(answer.read())


def test_its_processor_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example of a new processor, put where it says, is loaded by its name and does what it says."""
    source = tmp_path / "fold_case.py"
    source.write_text(blocks("python")[1])
    spec = importlib.util.spec_from_file_location("agenttracer.collector.processors.fold_case", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    (line,) = re.findall(r'`"fold_case": "([\w.:]+)",`', README)
    built_in = {**components.BUILT_IN["processors"], "fold_case": line}
    monkeypatch.setattr(components, "BUILT_IN", {**components.BUILT_IN, "processors": built_in})
    pipeline = "[memory_limiter, normalize, fold_case, redaction]"
    config = load_config(
        CONFIGS[:1], ["processors.fold_case={case: upper}", f"service.pipelines.traces.processors={pipeline}"]
    )
    configured = config.processors["fold_case"]
    processor: Any = configured.cls(configured.options, Context("fold_case", Telemetry()))
    batch = make_batch("traces", [{"AgentName": "Support"}, {}])

    assert ["SUPPORT", None] == processor.process(batch).rows["AgentName"].to_pylist()
    assert ["Support", None] == batch.rows["AgentName"].to_pylist()
    unnamed = batch.with_tables(rows=batch.rows.drop_columns(["AgentName"]))
    assert unnamed is processor.process(unnamed)
