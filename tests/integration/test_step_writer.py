"""Steps of runs whose spans come in parts: out of memory, out of the store, with others writing, after failures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from agenttracer.collector.errors import Unavailable
from agenttracer.collector.folding.runs import Run
from agenttracer.exporters.clickhouse.steps import writer
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns
from agenttracer.exporters.clickhouse.steps.spans import spans_of, told_of
from agenttracer.exporters.clickhouse.steps.store import ClickHouseSteps
from agenttracer.exporters.clickhouse.steps.writer import StepWriter
from agenttracer.schemas import migrate
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.clickhouse_tables import TRACES_TABLE
from agenttracer.schemas.flatten import flatten
from agenttracer.schemas.steps import RUNS_TABLE
from tests.accuracy.corpus import captures
from tests.batches import make_batch
from tests.clickhouse_store import Store, embedded_client, exporting
from tests.processing import classify, normalize, price, process

SECOND = 1_000_000_000
T0 = 1_790_000_000 * SECOND


class Troubled(ClickHouseSteps):
    """A store that fails, once, when rows of a table are written; and counts."""

    fails = ""
    rows_written = 0

    def insert(self, table: str, rows: pa.Table) -> None:
        if table == self.fails:
            self.fails = ""
            raise Unavailable("the disk is full")
        self.rows_written += rows.num_rows * (table != RUNS_TABLE)
        super().insert(table, rows)

    def rows_of(self, runs: Sequence[Run], most: int) -> pa.Table:
        self.asked = list(runs)
        return super().rows_of(runs, most)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An exporter on an empty store."""
    with exporting(f"chdb://{tmp_path}", ttl=0) as store:
        yield store


def span(span_id: str, parent: str, at: float, **columns: Any) -> dict[str, Any]:
    """A span of a run, a second long, that starts so many seconds after it."""
    ids = {"TraceId": "a" * 32, "RunId": "run", "SpanId": span_id, "ParentSpanId": parent}
    return {**ids, "Timestamp": T0 + int(at * SECOND), "Duration": SECOND, **columns}


ROOT = span("root", "", 0, StepType="agent", RunStatus="success", AgentName="support")
OUTER = span("outer", "root", 1, StepType="model", StepName="ask")
INNER = span("inner", "outer", 1.1, StepType="model", Model="gpt-4o", InputTokens=7)
TOOL = span("tool", "root", 3, StepType="tool", ToolName="search")
STEPS = [("outer", "gpt-4o", 7, 2), ("root", "", None, 1), ("tool", "", None, 3)]


def spans(*rows: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    """What the exporter hands over."""
    batch = make_batch("traces", rows, resources=[{"TenantId": "acme"}])
    flat = flatten(batch, 0)[TRACES_TABLE]
    found = spans_of(TRACES_TABLE, flat)
    assert found is not None
    return found, told_of(TRACES_TABLE, flat)


def steps(store: Store) -> list[tuple[Any, ...]]:
    """The steps as people see them."""
    return store.rows("SELECT SpanId, Model, InputTokens, StepSequence FROM agent_steps ORDER BY SpanId")


def writer_on(store: Store, *, is_shared: bool = False) -> tuple[StepWriter, Troubled]:
    """One that remembers nothing yet, and its store."""
    troubled, recent = Troubled(store.client, 60.0, embedded=True), RecentRuns()
    for numbers in troubled.known_runs():
        recent.know(numbers)
    return StepWriter(troubled, None if is_shared else recent), troubled


def test_only_what_changes_is_written_again(store: Store) -> None:
    """The client's call came first and was a step; of the run's other rows the fold says what it said."""
    one, rows = writer_on(store)
    one.write(*spans(ROOT, TOOL, INNER))
    one.write(*spans(OUTER))
    assert (STEPS, 5) == (steps(store), rows.rows_written)


def test_what_came_before_a_restart_is_found_in_the_store(store: Store) -> None:
    """Runs that the store has are looked for there, and no others are."""
    writer_on(store)[0].write(*spans(ROOT, TOOL, INNER))
    other, rows = writer_on(store)
    other.write(*spans(OUTER, span("new", "", 0, StepType="agent", RunId="another")))
    assert [("acme", "run")] == rows.asked
    assert STEPS == [row for row in steps(store) if row[0] != "new"]


@pytest.mark.parametrize("fails", ["agent_step_spans", "agent_runs_state"])
def test_a_write_that_failed_is_repeated(store: Store, fails: str) -> None:
    """Wherever it failed: steps and sums are those of one that went well."""
    one, rows = writer_on(store)
    one.write(*spans(ROOT, INNER))
    rows.fails = fails
    with pytest.raises(Unavailable):
        one.write(*spans(OUTER, TOOL))
    for _ in range(2):
        one.write(*spans(OUTER, TOOL))
    assert STEPS == steps(store)
    store.export(make_batch("traces", [ROOT], resources=[{"TenantId": "acme"}], token="t"))  # noqa: S106
    assert [(3, 1, 7)] == store.rows("SELECT Steps, ModelCalls, InputTokens FROM agent_runs")


def test_two_writers_see_each_others_spans(store: Store) -> None:
    """Parts of a run that come in by different collectors: each looks for the others' when its own are there."""
    (one, _), (other, _) = (writer_on(store, is_shared=True) for _ in range(2))
    one.write(*spans(INNER))
    other.write(*spans(ROOT, OUTER))
    one.write(*spans(TOOL))
    assert STEPS == steps(store)


def test_a_span_that_comes_twice_is_one_row(store: Store) -> None:
    """In one insert and in several, however it is counted."""
    one, _ = writer_on(store)
    one.write(*spans(ROOT, INNER, INNER))
    one.write(*spans(INNER, TOOL, ROOT))
    one.write(*spans(OUTER))
    assert STEPS == steps(store)
    assert [(4,)] == store.rows("SELECT count() FROM agent_step_spans FINAL")
    assert [(4,)] == store.rows("SELECT max(Spans) FROM agent_step_spans")


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_very_long_run_is_summed_up_by_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_shared: bool
) -> None:
    """So that what an insert costs has a limit: its new spans are folded by themselves, all are counted once."""
    monkeypatch.setattr(writer, "MAX_RUN_SPANS", 3)
    one, _ = writer_on(store, is_shared=is_shared)
    many = [span(f"tool-{number}", "root", number, StepType="tool", InputTokens=1) for number in range(9)]
    for first in range(0, 9, 2):
        one.write(*spans(*many[first : first + 2]))
    one.write(*spans(*many[7:9], OUTER))
    store.export(make_batch("traces", [ROOT], resources=[{"TenantId": "acme"}], token="t"))  # noqa: S106
    assert [(11,)] == store.rows("SELECT count() FROM agent_steps")
    one.write(*spans(ROOT))
    assert [(11, 9, 1, 9)] == store.rows("SELECT Steps, ToolCalls, ModelCalls, InputTokens FROM agent_runs")


def test_a_run_beside_a_long_one_is_folded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the very insert that makes the other one long."""
    monkeypatch.setattr(writer, "MAX_RUN_SPANS", 3)
    (one, _), (other, _) = (writer_on(store, is_shared=True) for _ in range(2))
    one.write(*spans(INNER))
    many = [span(f"tool-{number}", "", number, StepType="tool", RunId="long") for number in range(5)]
    other.write(*spans(OUTER, *many))
    assert [("outer", "gpt-4o", 7, 1)] == [row for row in steps(store) if not row[0].startswith("tool")]
    query = "SELECT RunId, max(s.Sums).3 FROM agent_runs_state AS s GROUP BY RunId ORDER BY RunId"
    assert [("long", 5), ("run", 1)] == store.rows(query)


def test_the_store_sums_up_as_the_fold_does(tmp_path: Path) -> None:
    """Runs of every framework come to the same, whoever adds them up."""
    with exporting(f"chdb://{tmp_path}", ttl=0) as store:
        for number, capture in enumerate(captures()[::4]):
            for signal in (Signal.TRACES, Signal.LOGS):
                if capture.path(signal).exists():
                    batch = process(capture.decoded(signal), normalize(), classify(), price())
                    store.export(replace(batch, token=f"{number} {signal}"))
        query = (
            "SELECT TenantId, RunId, max(s.Sums) AS Sums FROM agent_runs_state AS s GROUP BY TenantId, RunId"
        )
        sums = {(tenant, run): of for tenant, run, of in store.rows(query)}
        assert len(sums) > 50
        store.client.command("ALTER TABLE agent_runs_state DELETE WHERE 1 SETTINGS mutations_sync = 2")
        ClickHouseSteps(store.client, 60.0, embedded=True).sum_up(sums)
        assert sums == {(tenant, run): of for tenant, run, of in store.rows(query)}


def test_what_was_stored_before_there_were_steps_is_folded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An upgrade: once, a part after the other, and what the views read before is gone."""
    with embedded_client(tmp_path) as client:
        migrate.apply(client, steps=[s for s in migrate.migrations() if s.number == 0 or "otel" in s.name])
        client.command("CREATE TABLE agent_spans (A Int8) ENGINE = MergeTree ORDER BY A")
        client.command(
            "INSERT INTO otel_traces (RunId, TraceId, SpanId, ParentSpanId, Timestamp, StepType, FailureCode, "
            "ExpiresAt) VALUES ('r', 'r', 'root', '', now64(9), 'agent', '', 4294967295), "
            "('r', 'r', 'outer', 'root', now64(9), 'model', '', 4294967295), "
            "('r', 'r', 'inner', 'outer', now64(9), 'model', '', 4294967295)"
        )
        client.command(
            "INSERT INTO otel_logs (RunId, TraceId, SpanId, Timestamp, FailureCode, ExpiresAt) "
            "VALUES ('r', 'r', 'inner', now64(9), 'timeout', 4294967295)"
        )
    caplog.set_level(logging.INFO, "agenttracer")
    for times in (1, 1):
        with exporting(f"chdb://{tmp_path}", ttl=0) as store:
            found = store.rows(
                "SELECT SpanId, StepType, FailureCode FROM agent_steps ORDER BY StepSequence, SpanId"
            )
            assert [("root", "agent", ""), ("outer", "model", "timeout")] == found
            assert [("timeout", "model")] == store.rows("SELECT FailureCode, FailureType FROM agent_failures")
            assert [(0,)] == store.rows("SELECT count() FROM system.tables WHERE name = 'agent_spans'")
        assert times == caplog.text.count("folded into steps")
