"""Which runs are remembered, for how long, and what is known of the others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from agenttracer.exporters.clickhouse.steps import recent
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns, number_of

A, B, C = ("acme", "a"), ("acme", "b"), ("other", "a")


def rows(*names: str) -> pa.Table:
    """As many rows, told apart by a name."""
    return pa.table({"SpanId": list(names)})


def put(runs: RecentRuns, written: pa.Table, **numbers: list[int]) -> None:
    """Written together, by run of acme."""
    names = [("acme", name) for name in numbers]
    runs.put(written, names, [np.array(own) for own in numbers.values()])
    runs.know(map(number_of, names))


def found(runs: RecentRuns, *wanted: tuple[str, str]) -> list[str]:
    """The names of the rows that are remembered of those runs."""
    return sorted(name for table in runs.find(wanted)[0] for name in table.column("SpanId").to_pylist())


def test_a_run_is_found_with_all_its_rows_and_no_others() -> None:
    """Wherever its rows were among those that were written."""
    runs = RecentRuns()
    put(runs, rows("a1", "b1", "a2"), a=[0, 2], b=[1])
    assert (["a1", "a2"], ["b1"], []) == (found(runs, A), found(runs, B), found(runs, C))


def test_what_is_written_again_replaces_what_was_there() -> None:
    """Also when the older rows are forgotten."""
    runs = RecentRuns()
    put(runs, rows("a1", "b1"), a=[0], b=[1])
    put(runs, rows("a2", "a3"), a=[0, 1])
    assert (["a2", "a3"], ["b1"]) == (found(runs, A), found(runs, B))


def test_a_run_that_was_never_seen_is_not_looked_for() -> None:
    """Neither here nor in the store; one that is in the store is, whatever its tenant."""
    runs = RecentRuns()
    assert ([], []) == runs.find([A, B])
    runs.know([number_of(A)])
    assert ([], [A, C]) == runs.find([A, B, C])


def test_few_new_runs_are_looked_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As full as four million runs make it: one bit a run would take 600 of these for known ones."""
    monkeypatch.setattr(recent, "_BITS", 1 << 17)
    runs = RecentRuns()
    known = [("acme", f"known {number}") for number in range(4_000)]
    runs.know(map(number_of, known))
    assert known == runs.find(known)[1]
    assert len(runs.find([("acme", f"new {number}") for number in range(20_000)])[1]) < 40


def test_the_oldest_rows_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows are held than may be; the runs stay known."""
    monkeypatch.setattr(recent, "MAX_ROWS", 3)
    runs = RecentRuns()
    put(runs, rows("a1", "b1"), a=[0], b=[1])
    put(runs, rows("a2"), a=[0])
    put(runs, rows("c1"), c=[0])
    assert (["a2"], ["c1"], ([], [B])) == (found(runs, A), found(runs, ("acme", "c")), runs.find([B]))


def test_more_rows_than_may_be_held_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the store."""
    monkeypatch.setattr(recent, "MAX_ROWS", 1)
    runs = RecentRuns()
    put(runs, rows("a1", "a2"), a=[0, 1])
    assert ([], [A]) == runs.find([A])


def test_rows_are_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what others change in the store is seen."""
    now = 1000.0
    monkeypatch.setattr(recent.time, "monotonic", lambda: now)
    runs = RecentRuns()
    put(runs, rows("a1"), a=[0])
    now += recent.MAX_AGE_SECONDS + 1
    put(runs, rows("b1"), b=[0])
    assert ([], ["b1"]) == (found(runs, A), found(runs, B))


def test_a_run_that_is_dropped_is_in_the_store_alone() -> None:
    """Others of the same table stay, and forgetting them later is no trouble."""
    runs = RecentRuns()
    put(runs, rows("a1", "b1"), a=[0], b=[1])
    runs.drop([A, C])
    assert ([], ["b1"], ([], [A])) == (found(runs, A), found(runs, B), runs.find([A]))
