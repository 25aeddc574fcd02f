"""The shipped configuration, running: what comes in rests in the store, and nothing private does anywhere."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttracer.collector.codec import unpack
from agenttracer.schemas.batch import Batch, Signal
from tests.otlp_traces import request, span
from tests.running_collector import CONFIG, RunningCollector, captures, running_collector

MARKERS = re.compile(rb"CANARY|alice\.canary|example\.com")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """A collector that took every captured payload, over gRPC and HTTP in turn, and was stopped."""
    # The captures keep the day they were made on; the store would expire them one day.
    arguments = ("--config", str(CONFIG), "--set", "exporters.clickhouse.ttl=0")
    with running_collector(tmp_path_factory.mktemp("captures"), *arguments) as collector:
        for number, (kind, _, body) in enumerate(captures()):
            if number % 2:
                assert collector.export(kind, body) == b""
            else:
                assert collector.post(f"/v1/{kind}", body)[0] == 200
        collector.post("/v1/traces", b"CANARY garbage \xff")
        collector.post("/v1/CANARY", b"")
        collector.wait_until_stored()
        collector.metrics = collector.metrics_text()  # type: ignore[attr-defined]
        collector.balance = {kind: collector.books(kind) for kind in Signal}  # type: ignore[attr-defined]
        assert collector.stop() == 0
        yield collector


def test_every_row_of_every_capture_is_stored(replayed: RunningCollector) -> None:
    """The tables hold as many rows as the payloads had, whatever the transport."""
    from tests.processing import decoded

    expected = dict.fromkeys(Signal, 0)
    for kind, _, body in captures():
        expected[kind] += decoded(body, kind).num_rows
    tables = ["otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram"]
    tables += ["otel_metrics_exponential_histogram", "otel_metrics_summary"]

    (traces,), (logs,), *metrics = (
        rows[0]
        for rows in replayed.query(
            "SELECT count() FROM otel_traces",
            "SELECT count() FROM otel_logs",
            *(f"SELECT count() FROM {table}" for table in tables),
        )
    )

    assert (traces, logs, sum(count for (count,) in metrics)) == tuple(expected.values())


def test_no_file_holds_a_marker(replayed: RunningCollector) -> None:
    """Journal, store, keys, artifacts and log: no byte of what the frameworks' content was marked with."""
    files = [path for path in replayed.folder.rglob("*") if path.is_file()]

    leaking = [str(path.relative_to(replayed.folder)) for path in files if MARKERS.search(path.read_bytes())]

    assert leaking == []
    assert {"journal.sqlite", "collector.log"} <= {path.name for path in files}


def test_no_table_holds_a_marker(replayed: RunningCollector) -> None:
    """The store's files are compressed, so every column of every table is asked as well."""
    (tables,) = replayed.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine NOT LIKE '%View'"
    )
    names = [name for (name,) in tables]
    counts = replayed.query(
        *(
            f"SELECT countIf(match(toJSONString(tuple(*)), 'CANARY|alice.canary|example.com')), count() FROM {name}"
            for name in names
        )
    )

    leaking = [name for name, [[hits, _]] in zip(names, counts, strict=True) if hits]
    assert leaking == []
    assert sum(rows for [[_, rows]] in counts) > 1000


def test_the_decoded_journal_holds_no_marker(tmp_path: Path) -> None:
    """What the journal holds is compressed; unpacked, it has no marker either."""
    waiting = "exporters.clickhouse.sending_queue.batch={flush_timeout: 1h, min_size: 50000}"
    with running_collector(tmp_path, "--config", str(CONFIG), "--set", waiting) as collector:
        for kind, _, body in captures()[:60]:
            collector.export(kind, body)
        collector.kill()
        with contextlib.closing(sqlite3.connect(collector.data / "journal" / "journal.sqlite")) as connection:
            payloads = [row[0] for row in connection.execute("SELECT payload FROM groups")]

    assert len(payloads) >= 3
    assert not any(MARKERS.search(_text(unpack([payload]))) for payload in payloads)


def _text(batch: Batch) -> bytes:
    return repr([table.to_pydict() for table in batch.tables.values()]).encode()


def test_metrics_and_answers_hold_no_marker(replayed: RunningCollector) -> None:
    """What Prometheus scrapes has no content in any label."""
    assert MARKERS.search(replayed.metrics.encode()) is None  # type: ignore[attr-defined]


def test_the_books_balance(replayed: RunningCollector) -> None:
    """received = stored + waiting + duplicate + rejected + filtered + dead_lettered, for every signal."""
    for books in replayed.balance.values():  # type: ignore[attr-defined]
        parts = ("stored", "waiting", "duplicate", "rejected", "filtered", "dead_lettered")
        assert books["received"] == sum(books.get(part, 0) for part in parts) > 0


def test_what_analysis_needs_is_in_the_store(replayed: RunningCollector) -> None:
    """Step types, models, tokens, failures and runs are there to be asked."""
    rows = replayed.query(
        "SELECT count() FROM agent_steps WHERE StepType IN ('model', 'respond') AND Model != ''",
        "SELECT sum(InputTokens) > 0, sum(OutputTokens) > 0 FROM agent_steps",
        "SELECT uniq(FailureCode) FROM agent_failures",
        "SELECT count() FROM agent_runs WHERE Status IN ('success', 'failure', 'partial')",
        "SELECT count() FROM agent_steps WHERE StepType = 'tool' AND ToolName = 'lookup_order'",
    )

    assert rows[1][0] == [True, True]
    assert rows[0][0][0] > 300
    assert rows[2][0][0] >= 10
    assert rows[3][0][0] > 200
    assert rows[4][0][0] > 50


def test_acknowledged_rows_survive_a_kill(tmp_path: Path) -> None:
    """Killed between the answer and the store, the collector has every acknowledged span after a restart, once."""
    with running_collector(tmp_path) as collector:
        for number in range(20):
            collector.export(Signal.TRACES, request(span(f"s{number}", trace=number + 1)).SerializeToString())
        collector.kill()
        collector.start()
        repeated = request(span("again", trace=1, identifier=7)).SerializeToString()
        collector.export(Signal.TRACES, repeated)
        collector.kill()
        collector.start()
        collector.export(Signal.TRACES, repeated)
        collector.wait_until_stored()
        assert collector.stop() == 0
        collector.start()
        books = collector.books()
        assert collector.stop() == 0

    assert collector.query("SELECT count(), uniq(TraceId, SpanId) FROM otel_traces") == [[[21, 21]]]
    assert books == {"received": 22, "stored": 21, "duplicate": 1}


def test_a_run_is_visible_within_seconds(tmp_path: Path) -> None:
    """What was acknowledged is stored without a stop, in a few seconds."""
    with running_collector(tmp_path) as collector:
        collector.export(Signal.TRACES, request(span("x")).SerializeToString())

        collector.wait_until_stored(timeout_seconds=10)

        assert collector.books() == {"received": 1, "stored": 1}
