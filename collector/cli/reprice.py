"""Prices stored model calls again, a day after the other.

    day → its providers and models → their prices → what would change → one mutation of the day's partition
          in otel_traces; then the steps and runs of these calls

Safe to repeat, and to break off: a call that has its cost already is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from agenttracer.collector.cli.repriced_runs import Runs, follow
from agenttracer.collector.errors import StartError
from agenttracer.collector.pricing.book import PriceBook
from agenttracer.collector.pricing.sql import Expressions
from agenttracer.collector.processors.price import EMBEDDINGS, PRICED, REPORTED

_MAX_NAME_BYTES = 8_000  # in hexadecimal, five times over, and some SQL: below ClickHouse's max_query_size
_CALLS = f"(StepType IN {PRICED!r} OR Operation = {EMBEDDINGS!r})"
_PENDING = """
SELECT count() AS Pending, countIf(latest_fail_reason != '') AS Failing FROM system.mutations
WHERE database = currentDatabase() AND table = 'otel_traces' AND NOT is_done
"""
_ENGINES = """
SELECT engine FROM system.tables WHERE database = currentDatabase() AND name IN ('otel_traces', 'agent_step_spans')
"""
_LOOK_SECONDS = 0.05
_SUMMARY = """
WITH {cost} AS Cost, {version} AS Version
SELECT Provider, Model, count() AS Calls, countIf({changed}) AS Changed, countIf(Cost IS NULL) AS Unknown,
    ifNull(sum(CostUsd), 0) AS OldUsd, ifNull(sum(Cost), 0) AS NewUsd
FROM otel_traces WHERE {rows} GROUP BY Provider, Model
"""


class Writes(Runs, Protocol):
    """What is used of a store."""

    def run(self, sql: str) -> None:
        """Run one statement to its end."""

    def rows(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a query, by column."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which calls: from ``since_ns`` to before ``until_ns``, Unix time, of one tenant or of all."""

    since_ns: int
    until_ns: int
    tenant: str = ""

    @property
    def sql(self) -> str:
        """A condition over the columns of otel_traces."""
        tenant = f" AND TenantId = unhex('{self.tenant.encode().hex()}')" if self.tenant else ""
        return (
            f"Timestamp >= fromUnixTimestamp64Nano(toInt64({self.since_ns})) "
            f"AND Timestamp < fromUnixTimestamp64Nano(toInt64({self.until_ns})){tenant} AND {_CALLS}"
        )


@dataclass(slots=True)
class Repriced:
    """What became of the calls of one model."""

    calls: int = 0
    changed: int = 0
    unknown: int = 0
    old_usd: Decimal = field(default_factory=Decimal)
    new_usd: Decimal = field(default_factory=Decimal)


Models = dict[tuple[str, str], Repriced]
"""By provider and model."""


def reprice(
    store: Writes,
    book: PriceBook,
    window: Window,
    *,
    write: bool = True,
    progress: Callable[[str, int, int], None] = lambda day, calls, changed: None,
) -> Models:
    """Give every call of the window the book's cost; with ``write`` false only say what would change.

    ``progress`` hears of each day: its date, its calls, how many of them change. Raises ``StartError``.
    """
    _check(store)
    models: Models = {}
    for day in _days(store, window):
        calls = changed = 0
        for expressions, rows in _pieces(store, book, window, day):
            for row in rows:
                total = models.setdefault((row["Provider"], row["Model"]), Repriced())
                total.calls += row["Calls"]
                total.changed += row["Changed"]
                total.unknown += row["Unknown"]
                total.old_usd += row["OldUsd"]
                total.new_usd += row["NewUsd"]
            calls += sum(row["Calls"] for row in rows)
            changed += sum(row["Changed"] for row in rows)
            if write:
                _write(store, _rows(window, day, expressions), day, expressions)
        if write:
            follow(store, day, f"{window.sql} AND {_of_day(day)}")
        progress(day, calls, changed)
    return models


def _days(store: Writes, window: Window) -> list[str]:
    days = store.rows(
        f"SELECT DISTINCT toString(toDate(Timestamp)) AS Day FROM otel_traces WHERE {window.sql} ORDER BY Day",
        {},
    )
    return [row["Day"] for row in days]


def _pieces(
    store: Writes, book: PriceBook, window: Window, day: str
) -> Iterator[tuple[Expressions, list[dict[str, Any]]]]:
    """The models of a day, so many at once as one statement can hold, and what changes for each."""
    rows = f"{window.sql} AND {_of_day(day)}"
    found = store.rows(f"SELECT DISTINCT Provider, Model FROM otel_traces WHERE {rows}", {})
    for pairs in _chunks([(row["Provider"], row["Model"]) for row in found]):
        expressions = Expressions.of(book, pairs, REPORTED)
        summary = _SUMMARY.format(
            cost=expressions.cost,
            version=expressions.version,
            changed=_changed("Cost", "Version"),
            rows=f"{rows} AND {expressions.is_of_pairs}",
        )
        yield expressions, store.rows(summary, {})


def _chunks(pairs: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    chunk: list[tuple[str, str]] = []
    size = 0
    for pair in pairs:
        own = sum(len(name.encode()) + 8 for name in pair)
        if chunk and size + own > _MAX_NAME_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(pair)
        size += own
    if chunk:
        yield chunk


def _rows(window: Window, day: str, expressions: Expressions) -> str:
    changed = _changed(expressions.cost, expressions.version)
    return f"{window.sql} AND {_of_day(day)} AND {expressions.is_of_pairs} AND {changed}"


def _write(store: Writes, rows: str, day: str, expressions: Expressions) -> None:
    """Change a day's rows, if any of them has to."""
    if not store.rows(f"SELECT 1 FROM otel_traces WHERE {rows} LIMIT 1", {}):
        return
    store.run(
        f"ALTER TABLE otel_traces UPDATE CostUsd = {expressions.cost}, PriceVersion = {expressions.version} "
        f"IN PARTITION '{day}' WHERE {rows}"
    )
    _wait(store)


def _wait(store: Writes) -> None:
    """Until the store has rewritten the rows: in the background, because a large day takes longer than a
    request may."""
    while (state := store.rows(_PENDING, {})[0])["Pending"]:
        if state["Failing"]:
            raise StartError(
                "the store fails to rewrite rows: see latest_fail_reason in its system.mutations"
            )
        time.sleep(_LOOK_SECONDS)


def _changed(cost: str, version: str) -> str:
    nothing = "toDecimal64(-1, 9)"
    return f"(ifNull(CostUsd, {nothing}) != ifNull({cost}, {nothing}) OR PriceVersion != {version})"


def _of_day(day: str) -> str:
    return f"toDate(Timestamp) = toDate('{day}')"


def _check(store: Writes) -> None:
    """Raise ``StartError`` if the rows can't be changed."""
    if any(row["engine"] == "Distributed" for row in store.rows(_ENGINES, {})):
        raise StartError(
            "its tables are Distributed ones, which can't be updated: give each shard's server as --endpoint"
        )
