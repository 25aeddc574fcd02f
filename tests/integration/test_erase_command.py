"""``agenttracer erase`` on what real collectors left: receipts of zero, others untouched, no byte on the disk."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.clickhouse_server import clickhouse_server
from tests.clickhouse_store import exporting
from tests.otlp_traces import attributes, request, span, value
from tests.running_collector import CONFIG, RunningCollector, running_collector

TENANTS = ("acme", "globex")
RUN, USERS_RUN, OTHER_RUN = "run-5d0c7e19a4b8f263", "run-91f2c6d80b7a4e35", "run-other"
USER = "user-77e0b1c2d3"
OVERLAY = {
    "receivers": {"otlp": {"protocols": {"http": {"auth": {"authenticator": "bearer_token_auth"}}}}},
    "extensions": {"bearer_token_auth": {"tenants": {tenant: f"token-{tenant}" for tenant in TENANTS}}},
    "service": {"extensions": ["health_check", "file_storage", "bearer_token_auth"]},
}
COUNTS = {
    "spans": "SELECT TenantId, count() FROM otel_traces GROUP BY TenantId ORDER BY TenantId",
    "logs": "SELECT TenantId, count() FROM otel_logs GROUP BY TenantId ORDER BY TenantId",
    "runs": "SELECT TenantId, count() FROM agent_runs GROUP BY TenantId ORDER BY TenantId",
    "artifacts": "SELECT TenantId, count() FROM agent_artifacts GROUP BY TenantId ORDER BY TenantId",
}


@contextmanager
def collecting(folder: Path, *settings: str, **environment: str) -> Iterator[RunningCollector]:
    """A collector that knows two tenants."""
    folder.mkdir(exist_ok=True)
    overlay = folder / "tenants.json"
    overlay.write_text(json.dumps(OVERLAY))
    arguments = ["--config", str(CONFIG), "--config", str(overlay)]
    for setting in settings:
        arguments += ["--set", setting]
    with running_collector(folder, *arguments, environment=environment) as collector:
        yield collector


def send(collector: RunningCollector) -> None:
    """Three runs a tenant, two spans and an artifact each; one run is a user's."""
    for number, tenant in enumerate(TENANTS):
        header = {"Authorization": f"Bearer token-{tenant}"}
        for trace, kind in enumerate((RUN, USERS_RUN, OTHER_RUN), 1 + 10 * number):
            run = f"{kind}-{tenant}"
            given = {
                "agent.run.id": run,
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "search",
            }
            user = {"user.id": USER} if kind == USERS_RUN else {}
            spans = request(span("a", {**given, **user}, trace=trace), span("b", given, trace=trace))
            for path, message in (("traces", spans), ("logs", artifact(run))):
                status, _ = collector.post(f"/v1/{path}", message.SerializeToString(), header)
                assert 200 == status


def artifact(run: str) -> ExportLogsServiceRequest:
    """A record with an artifact of a run."""
    message = ExportLogsServiceRequest()
    record = (
        message.resource_logs.add()
        .scope_logs.add()
        .log_records.add(event_name="agent.artifact", time_unix_nano=time.time_ns(), body=value(b"content"))
    )
    record.attributes.extend(attributes({"agent.artifact.name": "scene.glb", "agent.run.id": run}))
    return message


def erase(collector: RunningCollector, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with the collector's own configuration and environment."""
    return subprocess.run(
        [sys.executable, "-m", "agenttracer", "erase", *arguments, *collector.arguments],
        cwd=collector.folder,
        env=collector.environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def receipt_of(collector: RunningCollector, *arguments: str) -> dict[str, Any]:
    """The receipt of an erasure that must succeed."""
    done = erase(collector, *arguments, "--yes", "--json")
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    receipt: dict[str, Any] = json.loads(done.stdout)
    assert receipt["complete"]
    assert {0} == {line["left"] for line in receipt["places"]}
    return receipt


def found(receipt: dict[str, Any]) -> dict[str, int]:
    """What an erasure found, by part, without what is always cleaned. Rows of a run in agent_runs_state become one
    when the store likes."""
    return {
        f"{line['place']}: {line['part']}": 1 if line["part"] == "agent_runs_state" else line["found"]
        for line in receipt["places"]
        if line["found"] and line["part"] not in ("old parts", "free pages")
    }


def counts(collector: RunningCollector) -> dict[str, dict[str, int]]:
    """Rows by tenant, of a stopped collector's store."""
    return {
        name: {tenant: int(rows) for tenant, rows in answer}
        for name, answer in zip(COUNTS, collector.query(*COUNTS.values()), strict=True)
    }


def mentions(collector: RunningCollector, text: str) -> list[str]:
    """The stores' files whose name or content holds the text."""
    folders = [
        collector.folder / name for name in ("data/clickhouse", "data/journal", "data/artifacts", "server")
    ]
    paths = [path for folder in folders for path in folder.rglob("*")]
    return [
        str(path.relative_to(collector.folder))
        for path in paths
        if text in str(path) or (path.is_file() and text.encode() in path.read_bytes())
    ]


def test_runs_users_and_tenants_are_forgotten(tmp_path: Path) -> None:
    """One after the other from a stopped collector's stores, each with a receipt; nobody else loses a row."""
    with collecting(tmp_path) as collector:
        send(collector)
        collector.wait_until_stored()
        assert 0 == collector.stop()
    full = {"spans": 6, "logs": 3, "runs": 3, "artifacts": 3}
    assert {name: {"acme": n, "globex": n} for name, n in full.items()} == counts(collector)
    run, users_run = f"{RUN}-acme", f"{USERS_RUN}-acme"
    assert mentions(collector, run)

    dry = erase(collector, "--tenant", "acme", "--run", run, "--dry-run", "--json")
    assert (0, False) == (dry.returncode, json.loads(dry.stdout)["complete"])
    expected = {
        "clickhouse: otel_traces_trace_id_ts": 1,
        "clickhouse: agent_artifacts": 1,
        "clickhouse: agent_runs_state": 1,
        "clickhouse: agent_step_spans": 2,
        "clickhouse: otel_logs": 1,
        "clickhouse: otel_traces": 2,
        "artifacts: objects": 1,
    }
    assert expected == found(json.loads(dry.stdout))
    assert mentions(collector, run)

    assert expected == found(receipt_of(collector, "--tenant", "acme", "--run", run))
    assert [] == mentions(collector, run)

    receipt = receipt_of(collector, "--tenant", "acme", "--user", USER)
    assert expected == found(receipt)
    assert [[], []] == [mentions(collector, text) for text in (*receipt["asked"]["user_tokens"], users_run)]
    assert {name: {"acme": n // 3, "globex": n} for name, n in full.items()} == counts(collector)

    receipt_of(collector, "--tenant", "acme")
    assert {name: {"globex": n} for name, n in full.items()} == counts(collector)
    written = [path.read_text() for path in collector.data.glob("erasure-*.json")]
    assert (3, []) == (len(written), [text for text in written if USER in text])
    assert {0o600} == {path.stat().st_mode & 0o777 for path in collector.data.glob("erasure-*.json")}


def test_waiting_rows_are_forgotten_and_the_others_delivered(tmp_path: Path) -> None:
    """After a crash in which exporters had taken nothing yet; then the collector goes on, and its books balance."""
    slow = [
        f"exporters.{name}.sending_queue.batch.{key}"
        for name in ("clickhouse", "artifacts", "prometheus")
        for key in ("flush_timeout=1h", "min_size=1000000")
    ]
    with collecting(tmp_path, *slow) as collector:
        send(collector)
        collector.kill()
        receipt = receipt_of(collector, "--tenant", "acme", "--user", USER)
        assert {"journal: waiting rows": 3} == found(receipt)
        assert {"journal: waiting rows": 9} == found(receipt_of(collector, "--tenant", "globex"))
    with collecting(tmp_path) as collector:
        collector.wait_until_stored()
        books = collector.books()
        assert {"received": 12, "filtered": 8, "stored": 4} == {
            state: rows for state, rows in books.items() if rows
        }
        assert 0 == collector.stop()
    assert {
        "spans": {"acme": 4},
        "logs": {"acme": 2},
        "runs": {"acme": 2},
        "artifacts": {"acme": 2},
    } == counts(collector)
    assert [] == mentions(collector, USERS_RUN)  # both tenants'


def test_a_claimed_group_without_rows_passes_every_exporter(tmp_path: Path) -> None:
    """What exporters had claimed when the collector was killed is theirs again, with no rows in it."""
    with collecting(tmp_path) as collector:
        send(collector)
        collector.wait_until_stored()
        collector.kill()
        journal = collector.data / "journal" / "journal.sqlite"
        with closing(sqlite3.connect(journal)) as connection, connection:
            (newest,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'groups'").fetchone()
    with collecting(tmp_path, "exporters.clickhouse.sending_queue.batch.flush_timeout=1h") as collector:
        send_more(collector)
        collector.kill()
        with closing(sqlite3.connect(journal)) as connection, connection:
            connection.execute("UPDATE cursors SET claimed = (SELECT max(id) FROM groups)")
            assert connection.execute("SELECT max(id) > ? FROM groups", (newest,)).fetchone()[0]
        receipt_of(collector, "--tenant", "acme")
        with closing(sqlite3.connect(journal)) as connection:
            assert [(0,)] == connection.execute("SELECT DISTINCT rows FROM groups").fetchall()
    with collecting(tmp_path) as collector:
        send_more(collector)
        collector.wait_until_stored()
        assert 0 == collector.stop()
    assert "Traceback" not in collector.log()
    assert 2 == counts(collector)["spans"]["acme"]


def send_more(collector: RunningCollector) -> None:
    """Two spans and an artifact of a tenant's."""
    header = {"Authorization": "Bearer token-acme"}
    spans = request(span("a", {"agent.run.id": "run-more"}), span("b", {"agent.run.id": "run-more"}))
    for path, message in (("traces", spans), ("logs", artifact("run-more"))):
        assert 200 == collector.post(f"/v1/{path}", message.SerializeToString(), header)[0]


def test_a_server_forgets_beside_a_running_collector(tmp_path: Path) -> None:
    """Waiting rows are delivered first; what comes later is stored as ever."""
    access = {"username": "writer", "password": "let-me-write"}
    with clickhouse_server(tmp_path / "server") as server:
        settings = [f"exporters.clickhouse.{key}={text}" for key, text in access.items()]
        with collecting(tmp_path, *settings, AGENTTRACER_CLICKHOUSE_ENDPOINT=server.endpoint) as collector:
            send(collector)
            receipt = receipt_of(collector, "--tenant", "acme", "--user", USER)
            assert receipt["collector_running"]
            assert 2 == found(receipt)["clickhouse: otel_traces"]
            send_more(collector)
            collector.wait_until_stored()
            books = collector.books()
            assert books["received"] == books["stored"] == 14
            assert 0 == collector.stop()
        with exporting(server.endpoint, **access) as store:
            assert [("acme", 6), ("globex", 6)] == store.rows(COUNTS["spans"])
    assert [] == mentions(collector, f"{USERS_RUN}-acme")


def test_an_embedded_store_that_is_open_is_left_alone(tmp_path: Path) -> None:
    """One sentence says so, and neither rows nor receipts are written."""
    with collecting(tmp_path) as collector:
        send(collector)
        collector.wait_until_stored()
        done = erase(collector, "--tenant", "acme", "--yes")
        assert (1, "") == (done.returncode, done.stdout)
        assert "another process has it open; stop that process" in done.stderr.splitlines()[-1]
        assert 0 == collector.stop()
    assert ([], 6) == (list(collector.data.glob("erasure-*")), counts(collector)["spans"]["acme"])
