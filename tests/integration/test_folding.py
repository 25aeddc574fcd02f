"""Every capture through a real store: its steps, failures and runs, however its rows are dealt out to inserts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from agenttracer.exporters.clickhouse.steps import recent
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.flatten import flatten
from tests.accuracy.corpus import captures
from tests.accuracy.folding import fold, kind
from tests.clickhouse_store import exporting
from tests.processing import classify, normalize, process

CAPTURES = captures()
INSERTS = 7
WHOLE, DEALT_OUT, FORGOTTEN = "whole", "dealt out", "dealt out and forgotten"
STEPS = (
    "TenantId, RunId, TraceId, SpanId, ParentSpanId, StepSequence, StepType, StepName, AgentName, Provider, Model, "
    "ToolName, Attempt, StartTime, DurationMs, Status, FailureType, FailureCode, InputTokens, OutputTokens, CostUsd"
)


@pytest.fixture(scope="module")
def flattened() -> Mapping[str, pa.Table]:
    """The rows of all captures, each capture's in a tenant of its name."""
    found: dict[str, list[pa.Table]] = {}
    for capture in CAPTURES:
        for signal in (Signal.TRACES, Signal.LOGS):
            if capture.path(signal).exists():
                batch = process(capture.decoded(signal), normalize(), classify())
                for table, rows in flatten(batch, 0).items():
                    found.setdefault(table, []).append(_of_tenant(rows, capture.name))
    return {table: pa.concat_tables(rows) for table, rows in found.items()}


def _of_tenant(rows: pa.Table, tenant: str) -> pa.Table:
    at = rows.schema.get_field_index("TenantId")
    names = pa.array([tenant] * rows.num_rows, pa.string())
    plain = pa.schema([field.with_type(_plain(field.type)) for field in rows.schema])
    return rows.cast(plain).set_column(at, plain.field(at), names)


def _plain(of: Any) -> pa.DataType:
    """Without dictionaries, so that tables of several captures are one."""
    if pa.types.is_dictionary(of):
        return of.value_type
    if pa.types.is_map(of):
        return pa.map_(_plain(of.key_type), _plain(of.item_type))
    return pa.list_(_plain(of.value_type)) if pa.types.is_list(of) else of


@pytest.fixture(scope="module")
def views(
    flattened: Mapping[str, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
    """What the views say when everything comes at once, and when rows come in any order, logs before or after: with
    earlier rows in memory, and in the store alone."""
    found = {}
    for how in (WHOLE, DEALT_OUT, FORGOTTEN):
        held = 0 if how == FORGOTTEN else recent.MAX_ROWS
        with (
            pytest.MonkeyPatch.context() as patch,
            exporting(f"chdb://{tmp_path_factory.mktemp('store')}", ttl=0) as store,
        ):
            patch.setattr(recent, "MAX_ROWS", held)
            for number, (table, rows) in enumerate(_inserts(flattened, how)):
                store.insert(table, rows, f"{number}")
            found[how] = {
                "steps": store.rows(f"SELECT {STEPS} FROM agent_steps"),
                "failures": store.rows("SELECT * FROM agent_failures"),
                "runs": store.rows("SELECT * FROM agent_runs"),
            }
    return found


def _inserts(flattened: Mapping[str, pa.Table], how: str) -> Iterator[tuple[str, pa.Table]]:
    if how == WHOLE:
        yield from flattened.items()
        return
    chance = random.Random(4)
    dealt = []
    for table, rows in flattened.items():
        places = list(range(rows.num_rows))
        chance.shuffle(places)
        dealt += [(table, rows.take(pa.array(places[first::INSERTS]))) for first in range(INSERTS)]
    chance.shuffle(dealt)
    yield from dealt


@pytest.mark.parametrize("view", ["steps", "failures", "runs"])
@pytest.mark.parametrize("how", [DEALT_OUT, FORGOTTEN])
def test_how_rows_are_dealt_out_to_inserts_changes_nothing(
    views: dict[str, dict[str, list[tuple[Any, ...]]]], how: str, view: str
) -> None:
    """One row less, or told otherwise, and this fails."""
    whole, dealt_out = (Counter(map(repr, views[each][view])) for each in (WHOLE, how))
    assert [] == sorted((whole - dealt_out) + (dealt_out - whole))


def test_steps_are_the_references(views: dict[str, dict[str, list[tuple[Any, ...]]]]) -> None:
    """As many model, tool and retrieve steps in every capture as the rules of the labelled corpus count."""
    expected = Counter((capture.name, call.kind) for capture in CAPTURES for call in fold(capture.rows()))
    names = STEPS.split(", ")
    rows = [dict(zip(names, row, strict=True)) for row in views[WHOLE]["steps"]]
    actual = Counter(
        (row["TenantId"], kind(row)) for row in rows if kind(row) in ("model", "tool", "retrieve")
    )
    assert expected == actual


def test_run_statuses_are_those_of_whole_batches(views: dict[str, dict[str, list[tuple[Any, ...]]]]) -> None:
    """What classify concludes from a batch that holds the whole run, the view concludes from any pieces."""
    expected = {
        (capture.name, row["RunId"]): row["RunStatus"]
        for capture in CAPTURES
        for row in capture.rows()
        if row.get("RunStatus") and not row["ParentSpanId"]
    }
    actual = {(row[0], row[1]): row[6] for row in views[WHOLE]["runs"]}
    assert expected == {run: actual[run] for run in expected}
