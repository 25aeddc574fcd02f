"""The clickhouse exporter on the embedded engine: what it stores, once, and for how long."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.exporters.clickhouse import insertion
from agenttracer.schemas.batch import Batch, Place
from tests.batches import make_batch
from tests.clickhouse_store import Store, exporting

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOW = time.time_ns()
EXPIRED = NOW - 40 * DAY
COUNTS = (
    "SELECT (SELECT count() FROM otel_traces), (SELECT count() FROM otel_traces_trace_id_ts), "
    "(SELECT count() FROM agent_runs), (SELECT sum(Steps) FROM agent_runs), "
    "(SELECT count() FROM otel_logs), (SELECT count() FROM agent_artifacts)"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An exporter on an embedded store of its own."""
    with exporting(f"chdb://{tmp_path}/store") as store:
        yield store


def trace(
    token: str = "t",  # noqa: S107 - names the rows
    *,
    spans: int = 3,
    start: int = NOW,
    trace_id: str = "a" * 32,
) -> Batch:
    """One run: a root and its tool calls."""
    root = {"RunStatus": "success", "AgentName": "support", "StepType": "agent"}
    row = {"TraceId": trace_id, "RunId": trace_id, "Timestamp": start, "Duration": SECOND}
    rows = [{**row, "StepType": "tool", "SpanId": f"{number:016x}"} for number in range(1, spans)]
    return make_batch("traces", [{**row, **root}, *rows], token=token)


def logs(token: str = "t") -> Batch:  # noqa: S107 - names the rows
    """An artifact, with its bytes still in the body."""
    name = [(Place.ROW, 0, f"agent.artifact.{key}", value) for key, value in ARTIFACT.items()]
    return make_batch(
        "logs",
        [{"Timestamp": NOW, "EventName": "agent.artifact", "RunId": "r", "AgentName": "support"}],
        attributes=[(Place.BODY, 0, "", b"%PDF"), *name],
        token=token,
    )


ARTIFACT: dict[str, Any] = {
    "name": "report.pdf",
    "key": "default/support/r/1/report.pdf",
    "sha256": "0" * 64,
    "size_bytes": 4,
    "content_type": "application/pdf",
    "meta": '{"pages":1}',
}


def test_spans_are_stored_as_the_collector_stores_them(store: Store) -> None:
    """The Collector's columns have the Collector's values, and the typed ones stand beside them."""
    store.export(
        make_batch(
            "traces",
            [
                {
                    "Timestamp": NOW,
                    "TraceId": "ab" * 16,
                    "SpanId": "cd" * 8,
                    "SpanName": "chat m",
                    "SpanKind": "Client",
                    "Duration": 7,
                    "StatusCode": "Error",
                    "InputTokens": 0,
                    "CostUsd": None,
                    "StepType": "model",
                }
            ],
            resources=[{"ServiceName": "support", "TenantId": "acme"}],
            scopes=[{"ScopeName": "openinference"}],
            events=[{"Owner": 0, "Name": "exception", "Timestamp": NOW}],
            links=[{"Owner": 0, "TraceId": "ef" * 16}],
            attributes=[
                (Place.RESOURCE, 0, "service.name", "support"),
                (Place.ROW, 0, "gen_ai.request.model", "m"),
                (Place.ROW, 0, "gen_ai.request.stream", True),
                (Place.EVENT, 0, "exception.type", "TimeoutError"),
            ],
        )
    )
    row = store.row("SELECT *, toUnixTimestamp64Nano(Timestamp) AS ns FROM otel_traces")
    expected = {
        "ns": NOW,
        "TraceId": "ab" * 16,
        "ServiceName": "support",
        "ResourceAttributes": {"service.name": "support"},
        "ScopeName": "openinference",
        "SpanAttributes": {"gen_ai.request.model": "m", "gen_ai.request.stream": "true"},
        "Duration": 7,
        "StatusCode": "Error",
        "Events.Name": ["exception"],
        "Events.Attributes": [{"exception.type": "TimeoutError"}],
        "Links.TraceId": ["ef" * 16],
        "TenantId": "acme",
        "InputTokens": 0,
        "OutputTokens": None,
        "CostUsd": None,
        "StepType": "model",
    }
    assert expected == {name: row[name] for name in expected}


def test_artifacts_are_listed_and_their_bytes_are_not_stored(store: Store) -> None:
    """The event's facts become a row of agent_artifacts; no table has the body."""
    store.export(logs())
    row = store.row("SELECT * FROM agent_artifacts")
    expected = ("r", "support", *ARTIFACT.values())
    assert expected == tuple(
        row[name] for name in "RunId AgentName Name Key Sha256 SizeBytes ContentType Meta".split()
    )
    assert [("", {f"agent.artifact.{key}": str(value) for key, value in ARTIFACT.items()})] == store.rows(
        "SELECT Body, LogAttributes FROM otel_logs"
    )


def test_every_type_of_metric_is_stored(store: Store) -> None:
    """Each point is in the table of its type."""
    kinds = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    store.export(
        make_batch(
            "metrics",
            [
                {"Metric": number, "TimeUnix": NOW, "Value": 1.5, "Count": 2, "BucketCounts": [2]}
                for number in range(len(kinds))
            ],
            metrics=[{"MetricType": kind, "MetricName": "m", "IsMonotonic": kind == "sum"} for kind in kinds],
            exemplars=[{"Owner": 0, "TimeUnix": NOW, "Value": 0.5}],
        )
    )
    assert [(1,)] * len(kinds) == [
        store.rows(f"SELECT count() FROM otel_metrics_{kind}")[0] for kind in kinds
    ]
    assert [(1.5, [0.5])] == store.rows("SELECT Value, Exemplars.Value FROM otel_metrics_gauge")
    assert [(True,)] == store.rows("SELECT IsMonotonic FROM otel_metrics_sum")
    assert [(2, [2])] == store.rows("SELECT Count, BucketCounts FROM otel_metrics_histogram")


def test_a_repeated_export_changes_no_table_and_no_view(tmp_path: Path) -> None:
    """The same token again, at once or after the store was closed and opened, stores nothing."""
    endpoint = f"chdb://{tmp_path}/store"
    with exporting(endpoint) as store:
        store.export(trace(), logs())
        counts = store.rows(COUNTS)
        assert [(3, 1, 1, 3, 1, 1)] == counts
        store.export(trace(), logs())
        assert counts == store.rows(COUNTS)
    with exporting(endpoint) as store:
        store.export(trace(), logs())
        assert counts == store.rows(COUNTS)


def test_a_repetition_is_known_after_many_other_exports(store: Store) -> None:
    """What came in between doesn't make ClickHouse forget."""
    store.export(trace("first"))
    for number in range(20):
        store.export(trace(f"{number}", trace_id=f"{number:032x}"))
    counts = store.rows(COUNTS)
    store.export(trace("first"))
    assert counts == store.rows(COUNTS)


def test_a_repetition_completes_what_a_crash_cut_off(store: Store) -> None:
    """Rows that reached the table but not yet the views behind it reach them when the export is repeated."""
    store.client.command("DETACH TABLE otel_traces_trace_id_ts_mv")
    store.export(trace())
    assert [(3, 0, 1, 3, 0, 0)] == store.rows(COUNTS)
    store.client.command("ATTACH TABLE otel_traces_trace_id_ts_mv")
    store.export(trace())
    assert [(3, 1, 1, 3, 0, 0)] == store.rows(COUNTS)


def test_equal_rows_of_different_batches_are_both_stored(store: Store) -> None:
    """Rows are known by their batch, not by looking alike; a step that is told twice is one."""
    store.export(trace("one"))
    store.export(trace("two"))
    assert [(6, 2, 1, 3, 0, 0)] == store.rows(COUNTS)


def test_rows_are_deleted_when_their_own_time_is_over(store: Store) -> None:
    """Of the rows of one day, those that expired go and the others stay, in tables and behind views."""
    past, future = f"toDateTime({EXPIRED // SECOND})", "now() + 1000"
    store.export(trace("old", start=EXPIRED), trace("new", trace_id="b" * 32))
    store.client.command(
        "INSERT INTO otel_logs (Timestamp, Body, ExpiresAt) "
        f"SELECT now64(9), toString(number), if(number % 2 = 0, {past}, {future}) FROM numbers(10)"
    )
    for table in ("otel_traces", "otel_traces_trace_id_ts", "agent_runs_state", "otel_logs"):
        store.client.command(f"OPTIMIZE TABLE {table} FINAL")
    assert [(3, 1, 1, 3, 5, 0)] == store.rows(COUNTS)


def test_a_ttl_of_zero_keeps_rows_for_ever(tmp_path: Path) -> None:
    """Even the oldest row stays."""
    with exporting(f"chdb://{tmp_path}/store", ttl=0) as store:
        store.export(trace(start=0))
        store.client.command("OPTIMIZE TABLE otel_traces FINAL")
        assert [(3, 1, 1, 3, 0, 0)] == store.rows(COUNTS)


def test_rows_of_more_days_than_an_insert_may_touch_are_stored_once(tmp_path: Path) -> None:
    """A late or confused client's rows of 150 days go in with one export, and are known when repeated."""
    batch = make_batch("traces", [{"Timestamp": NOW - day * DAY, "TraceId": "a"} for day in range(150)])
    with exporting(f"chdb://{tmp_path}/store", ttl=0) as store:
        store.export(batch)
        store.export(batch)
        assert [(150, 150)] == store.rows("SELECT count(), uniq(toDate(Timestamp)) FROM otel_traces")


def test_a_large_batch_is_several_inserts_and_still_stored_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece has a token of its own, the same on every try."""
    batch = trace(spans=100)
    monkeypatch.setattr(insertion, "MAX_INSERT_BYTES", 10_000)
    store.export(batch)
    parts = store.rows("SELECT uniq(_part) > 2 FROM otel_traces")
    store.export(batch)
    assert [(True,)] == parts
    assert [(100, 100)] == store.rows("SELECT count(), (SELECT sum(Steps) FROM agent_runs) FROM otel_traces")


def test_pipelines_export_at_the_same_time(store: Store) -> None:
    """Spans, logs and metrics don't wait for each other's turn and don't mix."""
    metrics = make_batch("metrics", [{"Metric": 0}], metrics=[{"MetricType": "sum"}])
    store.export(trace(), logs(), metrics)
    assert [(3, 1, 1, 3, 1, 1)] == store.rows(COUNTS)


def test_names_that_were_merged_into_one_are_stored(store: Store) -> None:
    """A dictionary with the same value twice, as renaming leaves it, is not refused."""
    batch = make_batch("traces", [{"Timestamp": NOW, "SpanKind": kind} for kind in "ab"])
    kinds = batch.rows.column("SpanKind")
    merged = type(kinds).from_arrays(kinds.indices, ["Client", "Client"])
    store.export(batch.with_columns(SpanKind=merged))
    assert [("Client", 2)] == store.rows("SELECT SpanKind, count() FROM otel_traces GROUP BY SpanKind")


def test_rows_pass_no_file_on_their_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be left behind in a folder for temporary files."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    store.export(trace())
    assert [(3, 1, 1, 3, 0, 0)] == store.rows(COUNTS)


def test_what_was_exported_outlives_a_kill(tmp_path: Path) -> None:
    """An export that returned is on the disk; repeated after a SIGKILL it is known."""
    script = (
        "import os, signal\n"
        "from tests.clickhouse_store import exporting\n"
        "from tests.integration.test_clickhouse_exporter import trace\n"
        f"with exporting('chdb://{tmp_path}/store') as store:\n"
        f"    store.export(trace(start={NOW}))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    killed = subprocess.run([sys.executable, "-c", script], cwd=root, env=environment, check=False)
    assert -signal.SIGKILL == killed.returncode
    with exporting(f"chdb://{tmp_path}/store") as store:
        assert [(3, 1, 1, 3, 0, 0)] == store.rows(COUNTS)
        store.export(trace())
        assert [(3, 1, 1, 3, 0, 0)] == store.rows(COUNTS)


def test_rows_that_the_table_can_not_take_are_rejected_without_their_content(store: Store) -> None:
    """A table that is gone is an error that no repetition mends; the message has its number and no values."""
    store.client.command("DROP TABLE otel_logs")
    with pytest.raises(Rejected, match=r"error 60 \(UNKNOWN_TABLE\) for 1 rows of otel_logs") as raised:
        store.export(logs())
    assert "clickhouse_60" == raised.value.reason
    assert "report.pdf" not in str(raised.value)


def test_a_store_that_is_not_open_is_unavailable(store: Store) -> None:
    """Before the start and after the stop, rows wait."""
    asyncio.run(store.exporter.stop())
    with pytest.raises(Unavailable):
        store.export(trace())
