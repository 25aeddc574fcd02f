"""What a selection means in ClickHouse: rows, nobody else's, and no byte of them on the disk afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.selection import Selection
from tests.batches import make_batch
from tests.clickhouse_store import Store, exporting

NOW = time.time_ns()
RUN = "run-5d0c7e19a4b8f263"
TOKEN = "h1:0123456789abcdef01234567"  # noqa: S105
TRACES = {name: letter * 32 for name, letter in (("run", "a"), ("other", "b"), ("shared", "c"))}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An embedded store with the rows of two tenants."""
    with exporting(f"chdb://{tmp_path}/store") as store:
        store.export(*(batch for tenant in ("acme", "globex") for batch in batches(tenant)))
        yield store


def batches(tenant: str) -> list[Batch]:
    """A run, a user's run, another one, and one that shares a trace with the first; a tenant's alike."""
    span = {"Timestamp": NOW, "StepType": "tool", "RunStatus": "success", "Resource": 0}
    prefix = tenant[0]
    trace = {name: prefix + of[1:] for name, of in TRACES.items()}
    resources = [{"TenantId": tenant, "ServiceName": "shop"}]
    return [
        make_batch(
            "traces",
            [
                {**span, "TraceId": trace["run"], "RunId": RUN},
                {**span, "TraceId": trace["shared"], "RunId": RUN},
                {**span, "TraceId": trace["shared"], "RunId": "run-shared"},
                {**span, "TraceId": trace["other"], "RunId": "run-other", "UserHash": TOKEN},
            ],
            resources=resources,
            events=[{"Owner": 2, "Name": "e", "Timestamp": NOW}],
            attributes=[(Place.EVENT, 0, "note", "stays")],
            token=f"t-{tenant}",
        ),
        make_batch(
            "logs",
            [
                {"Timestamp": NOW, "EventName": "agent.artifact", "RunId": RUN},
                {"Timestamp": NOW, "TraceId": trace["run"], "RunId": trace["run"]},
                {"Timestamp": NOW, "TraceId": trace["shared"], "RunId": "run-shared"},
                {"Timestamp": NOW, "EventName": "agent.artifact"},
                {"Timestamp": NOW},
            ],
            resources=resources,
            attributes=[
                (Place.ROW, 3, "agent.artifact.key", f"{tenant}/_/_/1/report.pdf"),
                (Place.ROW, 3, "enduser.id", TOKEN),
                (
                    Place.ROW,
                    1,
                    "gen_ai.output.messages_ref",
                    f"{tenant}/_/{trace['run']}/2/content-output.json",
                ),
                (Place.ROW, 2, "gen_ai.output.messages_ref", f"{tenant}/_/run-shared/3/content-output.json"),
            ],
            token=f"l-{tenant}",
        ),
        make_batch(
            "metrics",
            [{"Metric": 0, "TimeUnix": NOW}] * 4,
            metrics=[{"MetricType": "sum", "MetricName": "m"}],
            resources=resources,
            exemplars=[{"Owner": 2, "TimeUnix": NOW}],
            attributes=[
                (Place.ROW, 0, "user.id", TOKEN),
                (Place.ROW, 1, "agent.run.id", RUN),
                (Place.EXEMPLAR, 0, "user.id", TOKEN),
            ],
            token=f"m-{tenant}",
        ),
    ]


def closed(store: Store, selection: Selection) -> Selection:
    """The selection with what belongs to it."""
    erasure = store.exporter.erasure()
    while (wider := selection | erasure.related(selection)) != selection:
        selection = wider
    return selection


def erase(store: Store, selection: Selection) -> dict[str, int]:
    """What was found, by table; nothing of it may be left."""
    erased = store.exporter.erasure().erase(selection)
    assert not [part for part, result in erased.items() if result.left]
    return {part: result.found for part, result in erased.items() if result.found and part != "old parts"}


def counts(store: Store, tenant: str) -> dict[str, int]:
    """A tenant's rows by table."""
    tables = ("otel_traces", "otel_logs", "otel_metrics_sum", "agent_artifacts", "agent_runs")
    return {
        table: store.rows(f"SELECT count() FROM {table} WHERE TenantId = '{tenant}'")[0][0]
        for table in tables
    } | {
        "index": store.rows(
            f"SELECT uniqExact(TraceId) FROM otel_traces_trace_id_ts WHERE startsWith(TraceId, '{tenant[0]}')"
        )[0][0]
    }


ALL = {
    "otel_traces": 4,
    "otel_logs": 5,
    "otel_metrics_sum": 4,
    "agent_artifacts": 2,
    "agent_runs": 3,
    "index": 3,
}


def test_a_run_goes_from_every_table(store: Store) -> None:
    """With the rows of its traces that name no run; another run of a shared trace stays, and so does the trace."""
    assert (ALL, ALL) == (counts(store, "acme"), counts(store, "globex"))
    store.client.command("OPTIMIZE TABLE agent_runs_state FINAL")
    selection = closed(store, Selection("acme", runs=frozenset({RUN})))
    assert {f"acme/_/a{'a' * 31}/2/content-output.json"} == set(selection.artifact_keys)
    expected = {
        "agent_artifacts": 1,
        "agent_runs_state": 1,
        "agent_step_spans": 2,
        "otel_logs": 2,
        "otel_metrics_sum": 1,
        "otel_traces": 2,
        "otel_traces_trace_id_ts": 1,
    }
    assert expected == {
        table: rows for table, rows in store.exporter.erasure().count(selection).items() if rows
    }
    assert expected == erase(store, selection)
    left = {
        "otel_traces": 2,
        "otel_logs": 3,
        "otel_metrics_sum": 3,
        "agent_artifacts": 1,
        "agent_runs": 2,
        "index": 2,
    }
    assert (left, ALL) == (counts(store, "acme"), counts(store, "globex"))


def test_a_user_goes_with_runs_and_data_points(store: Store) -> None:
    """Found in columns, in attributes and in exemplars."""
    selection = closed(store, Selection("acme", tokens=frozenset({TOKEN})))
    assert ({"run-other"}, {"acme/_/_/1/report.pdf"}) == (set(selection.runs), set(selection.artifact_keys))
    erase(store, selection)
    left = {
        "otel_traces": 3,
        "otel_logs": 4,
        "otel_metrics_sum": 2,
        "agent_artifacts": 1,
        "agent_runs": 2,
        "index": 2,
    }
    assert (left, ALL) == (counts(store, "acme"), counts(store, "globex"))


def test_a_tenant_goes_whole(store: Store) -> None:
    """And the other tenant keeps every row."""
    erase(store, Selection("acme", whole_tenant=True))
    assert (dict.fromkeys(ALL, 0), ALL) == (counts(store, "acme"), counts(store, "globex"))
    assert {"globex"} == store.exporter.erasure().tenants()


def test_erasing_nobody_erases_nothing(store: Store) -> None:
    """A user or a run without rows takes nobody else's."""
    nobody = (
        closed(store, Selection("acme", runs=frozenset({"no-such-run"}))),
        closed(store, Selection("acme", tokens=frozenset({"h1:ffffffffffffffffffffffff"}))),
        Selection("acme"),
        Selection("nobody", whole_tenant=True),
    )
    assert [{}] * len(nobody) == [erase(store, selection) for selection in nobody]
    assert (ALL, ALL) == (counts(store, "acme"), counts(store, "globex"))


def test_later_tables_are_covered(store: Store) -> None:
    """A table that a later release adds needs no line here: its columns say whose its rows are."""
    store.client.command(
        "CREATE TABLE later (TenantId LowCardinality(String), RunId String, Attributes Map(String, String)) "
        "ENGINE = MergeTree ORDER BY RunId"
    )
    store.client.command(
        "INSERT INTO later VALUES "
        f"('acme', '{RUN}', {{}}), ('acme', 'x', {{'k': '{TOKEN}'}}), ('globex', '{RUN}', {{}})"
    )
    erase(store, Selection("acme", runs=frozenset({RUN}), tokens=frozenset({TOKEN})))
    assert [("globex",)] == store.rows("SELECT TenantId FROM later")


def test_no_byte_stays_on_the_disk(store: Store, tmp_path: Path) -> None:
    """Neither in the parts from before, nor in the mutations' own text, and the settings are as they were."""
    before = store.rows(
        "SELECT name, engine_full FROM system.tables WHERE database = 'default' ORDER BY name"
    )
    sought = (RUN.encode(), TOKEN.encode())
    assert [True, True] == [found_in_files(tmp_path, text) for text in sought]
    for tenant in ("acme", "globex"):
        erase(store, closed(store, Selection(tenant, runs=frozenset({RUN}), tokens=frozenset({TOKEN}))))
    assert [False, False] == [found_in_files(tmp_path, text) for text in sought]
    after = store.rows("SELECT name, engine_full FROM system.tables WHERE database = 'default' ORDER BY name")
    assert before == after


def test_many_identifiers_go_in_chunks(store: Store) -> None:
    """More than a statement takes."""
    runs, tokens = (
        frozenset({one, *(f"{one[:4]}{number:032x}" for number in range(300))}) for one in (RUN, TOKEN)
    )
    erase(store, Selection("acme", runs=runs, tokens=tokens))
    assert 1 == counts(store, "acme")["otel_traces"]


def found_in_files(folder: Path, text: bytes) -> bool:
    """Whether any file below a folder holds the text."""
    return any(text in path.read_bytes() for path in folder.rglob("*") if path.is_file())
