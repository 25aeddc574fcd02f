"""The clickhouse exporter over HTTP, against a real engine behind ClickHouse's HTTP interface."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.exporters.clickhouse import insertion
from agenttracer.schemas.batch import Batch, Place
from tests.batches import make_batch
from tests.clickhouse_server import ClickHouseServer, clickhouse_server
from tests.clickhouse_store import Store, exporting

NOW = time.time_ns()
COUNTS = (
    "SELECT (SELECT count() FROM otel_traces), (SELECT count() FROM otel_traces_trace_id_ts), "
    "(SELECT sum(Steps) FROM agent_runs), (SELECT count() FROM otel_logs), "
    "(SELECT count() FROM otel_metrics_sum), (SELECT count() FROM agent_artifacts)"
)
WRITER: dict[str, Any] = {"username": "writer", "password": "let-me-write"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server of its own for this module."""
    with clickhouse_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def store(server: ClickHouseServer, request: pytest.FixtureRequest) -> Iterator[Store]:
    """An exporter on a database of its own."""
    with exporting(server.endpoint, database=request.node.name, **WRITER) as store:
        yield store


def batches() -> list[Batch]:
    """One of each signal."""
    row = {"Timestamp": NOW, "TraceId": "a" * 32, "RunId": "r"}
    return [
        make_batch(
            "traces",
            [
                {**row, "SpanId": digit * 16, "StepType": "tool", "SpanName": "search", "InputTokens": 3}
                for digit in "123"
            ],
            resources=[{"ServiceName": "shop"}],
            attributes=[(Place.ROW, 1, "k", "v"), (Place.RESOURCE, 0, "service.name", "shop")],
            events=[{"Owner": 2, "Name": "e", "Timestamp": NOW}],
        ),
        make_batch("logs", [{**row, "EventName": "agent.artifact"}]),
        make_batch("metrics", [{"Metric": 0, "TimeUnix": NOW}], metrics=[{"MetricType": "sum"}]),
    ]


def test_rows_of_every_signal_are_stored_once(store: Store) -> None:
    """At the same time, and again under the same tokens."""
    store.export(*batches())
    store.export(*batches())
    assert [(3, 1, 3, 1, 1, 1)] == store.rows(COUNTS)
    assert [({"k": "v"}, {"service.name": "shop"}, [])] == store.rows(
        "SELECT SpanAttributes, ResourceAttributes, Events.Name FROM otel_traces WHERE notEmpty(SpanAttributes)"
    )


@pytest.mark.parametrize("compress", ["none", "lz4", "zstd"])
def test_every_compression_is_understood(server: ClickHouseServer, compress: str) -> None:
    """What goes over the wire is what is stored."""
    with exporting(server.endpoint, database=compress, compress=compress, **WRITER) as store:
        store.export(*batches())
        assert [(3, 1, 3, 1, 1, 1)] == store.rows(COUNTS)


def test_a_large_batch_is_several_inserts_and_still_stored_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on the embedded engine."""
    monkeypatch.setattr(insertion, "MAX_INSERT_BYTES", 1000)
    store.export(*batches())
    store.export(*batches())
    assert [(3, 2, 3, 1, 1, 1)] == store.rows(COUNTS)


def test_rows_that_the_table_can_not_take_are_rejected(store: Store) -> None:
    """With ClickHouse's number for it."""
    store.client.command("DROP TABLE otel_logs")
    with pytest.raises(Rejected, match="60") as raised:
        store.export(batches()[1])
    assert "clickhouse_60" == raised.value.reason


def test_settings_reach_the_server_and_its_refusal_is_unavailable(server: ClickHouseServer) -> None:
    """connection_params are settings of every statement; too little memory passes."""
    with exporting(server.endpoint, database="settings", **WRITER):
        pass
    few = {"max_memory_usage": "1000000"}
    many = make_batch("traces", [{"Timestamp": NOW, "TraceId": "a" * 32}] * 20_000)
    with (
        exporting(server.endpoint, database="settings", connection_params=few, **WRITER) as store,
        pytest.raises(Unavailable, match=r"error 241 \(MEMORY_LIMIT_EXCEEDED\) for 20000 rows") as raised,
    ):
        store.export(many)
    assert 1 == raised.value.retry_after_seconds


def test_a_server_that_was_killed_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    """Nothing is lost and nothing doubled: what was acknowledged is there, the rest is tried again."""
    with clickhouse_server(tmp_path / "store") as server, exporting(server.endpoint, **WRITER) as store:
        store.export(*batches())
        server.kill()
        with pytest.raises(Unavailable, match="no answer"):
            store.export(*batches())
        server.restart()
        store.export(*batches())
        assert [(3, 1, 3, 1, 1, 1)] == store.rows(COUNTS)
