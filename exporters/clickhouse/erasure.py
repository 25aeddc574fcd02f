"""Forgets rows of ClickHouse in every table that has them, and waits until their bytes have left the disk.

tables and columns, from the store itself, so that later tables are covered
  └─ a selection in chunks: count → ALTER TABLE … DELETE → count again
       └─ the parts that the rows were in, which ClickHouse would keep for minutes
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.component import Erased, Erasure
from agenttracer.collector.errors import Unavailable
from agenttracer.exporters.clickhouse.erasure_conditions import StoredTable, condition
from agenttracer.exporters.clickhouse.failures import code_of, describe
from agenttracer.schemas.artifact_key import key_part
from agenttracer.schemas.clickhouse_tables import TRACES_TABLE
from agenttracer.schemas.content import REFERENCES
from agenttracer.schemas.selection import Selection
from agenttracer.schemas.semconv import AGENT_ARTIFACT_KEY

_CHUNK = 200  # identifiers a statement: in a dozen places each, that is within max_query_size
_REFUSED = (164, 497)
_STEPS = (
    ("RunId", "runs", ("tokens", "whole_traces")),
    ("TraceId", "whole_traces", ("tokens",)),
    ("TraceId", "traces", ("runs",)),
)
_ARTIFACT_REFERENCES = (AGENT_ARTIFACT_KEY, *REFERENCES.values())
_WITH_REFERENCES = {"SpanAttributes", "LogAttributes"}
_DELETE_SETTINGS = "mutations_sync = 2, allow_nondeterministic_mutations = 1"
_OLD_PARTS = "old parts"
_OLD_PARTS_SECONDS = 120.0
_LOOK_SECONDS = 0.2
# The cleanup of a table sleeps up to 40 seconds before it sees these.
_CLEAN_AT_ONCE = {
    "old_parts_lifetime": 0,
    "cleanup_delay_period": 0,
    "cleanup_delay_period_random_add": 0,
    "max_cleanup_delay_period": 1,
}


class ClickHouseErasure(Erasure):
    """The tables of the client's database; embedded, when no other process can have them open."""

    def __init__(self, client: Client, *, cluster_name: str, is_embedded: bool) -> None:
        self._client = client
        self._cluster_name = cluster_name
        self._on_cluster = f" ON CLUSTER `{cluster_name}`" if cluster_name else ""
        self._is_embedded = is_embedded

    def tenants(self) -> frozenset[str]:
        """The tenants of all tables."""
        found: set[str] = set()
        for table in self._tables:
            if "TenantId" in table.columns:
                found |= self._strings(table, "TenantId", "1")
        return frozenset(found)

    def related(self, selection: Selection) -> Selection:
        """From tokens to runs and whole traces, from whole traces to runs, from runs to traces."""
        found: dict[str, set[str]] = defaultdict(set)
        for table in self._tables:
            if selection.whole_tenant or not {"TenantId", "RunId", "TraceId"} <= table.columns.keys():
                continue
            for column, name, causes in _STEPS:
                for rows in self._conditions(table, selection.only(*causes)):
                    found[name] |= self._strings(table, column, rows)
            # Others' keys are found by their run.
            for rows in self._conditions(table, selection.only("tokens", "whole_traces", "traces")):
                of_no_run = f"({rows}) AND RunId IN ('', TraceId)"
                for column in _WITH_REFERENCES & table.columns.keys():
                    listed = ", ".join(f"`{column}`['{key}']" for key in _ARTIFACT_REFERENCES)
                    found["artifact_keys"] |= self._strings(table, f"arrayJoin([{listed}])", of_no_run)
        runs = {key_part(run) for run in selection.runs}
        found["artifact_keys"] = {
            key for key in found["artifact_keys"] if not runs & set(key.split("/")[2:3])
        }
        lists: dict[str, Any] = {name: frozenset(values) for name, values in found.items()}
        return Selection(selection.tenant, **lists)

    def count(self, selection: Selection) -> dict[str, int]:
        """Rows by table; a row that several chunks of a large selection name counts in each."""
        return {
            table.name: sum(self._count(table, rows) for rows in self._conditions(table, selection))
            for table in self._tables
        }

    def erase(self, selection: Selection) -> dict[str, Erased]:
        """Rows by table, and the parts that held them."""
        found: Counter[str] = Counter()
        left: Counter[str] = Counter()
        with self._cleaning():
            for chunk in selection.chunks(_CHUNK):
                for table in self._tables:
                    for rows in self._conditions(table, chunk):
                        if count := self._count(table, rows):
                            found[table.name] += count
                            self._change(
                                f"ALTER TABLE `{table.name}`{self._on_cluster} DELETE WHERE {rows} "
                                f"SETTINGS {_DELETE_SETTINGS}"
                            )
                            left[table.name] += self._count(table, rows)
            parts = self._wait_for_cleanup()
        return {**{t.name: Erased(found[t.name], left[t.name]) for t in self._tables}, _OLD_PARTS: parts}

    def _conditions(self, table: StoredTable, selection: Selection) -> Iterator[str]:
        spans = next((each for each in self._tables if each.name == TRACES_TABLE), None)
        for chunk in selection.chunks(_CHUNK):
            if rows := condition(table, chunk, spans):
                yield rows

    @cached_property
    def _tables(self) -> list[StoredTable]:
        """Those that hold rows, views aside; an index of traces is judged by the spans, so it goes first."""
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, kind in self._rows(
            "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND table IN ("
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')"
        ):
            columns[table][column] = kind
        tables = [StoredTable(name, columns[name]) for name in sorted(columns)]
        return sorted(tables, key=lambda table: not table.is_index)

    def _strings(self, table: StoredTable, expression: str, rows: str) -> set[str]:
        sql = f"SELECT DISTINCT {expression} AS found FROM {self._source(table)} WHERE {rows}"
        return {str(found) for (found,) in self._rows(f"SELECT found FROM ({sql}) WHERE found != ''")}

    def _count(self, table: StoredTable, rows: str) -> int:
        ((count,),) = self._rows(f"SELECT count() FROM {self._source(table)} WHERE {rows}")
        return int(count)

    def _source(self, table: StoredTable) -> str:
        if self._cluster_name:
            return f"cluster('{self._cluster_name}', currentDatabase(), '{table.name}')"
        return f"`{table.name}`"

    # ---- what is left on the disk

    @contextmanager
    def _cleaning(self) -> Iterator[None]:
        """Tables remove the parts that they need no more at once; not so where the operator decided it."""
        engines: dict[str, str] = dict(
            self._rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
        )
        free = {
            table.name: [name for name in _CLEAN_AT_ONCE if f" {name} = " not in engines[table.name]]
            for table in self._tables
        }
        try:
            for table, names in free.items():
                changed = ", ".join(f"{name} = {_CLEAN_AT_ONCE[name]}" for name in names)
                self._change(
                    f"ALTER TABLE `{table}`{self._on_cluster} MODIFY SETTING {changed}" * bool(names)
                )
            yield
        finally:
            for table, names in free.items():
                listed = ", ".join(names)
                self._change(f"ALTER TABLE `{table}`{self._on_cluster} RESET SETTING {listed}" * bool(names))

    def _wait_for_cleanup(self) -> Erased:
        old = before = self._old_parts()
        if self._is_embedded:
            # Nobody else has the table, and its cleanup begins anew instead of sleeping on.
            for table in {table for table, _ in old}:
                self._change(f"DETACH TABLE `{table}` SYNC")
                self._change(f"ATTACH TABLE `{table}`")
        deadline = time.monotonic() + _OLD_PARTS_SECONDS
        while old and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            old = before & self._old_parts()  # merges go on, and leave others
        return Erased(len(before), len(old))

    def _old_parts(self) -> set[tuple[str, str]]:
        sql = "SELECT table, name FROM system.parts WHERE database = currentDatabase() AND NOT active"
        return {(table, name) for table, name in self._rows(sql)}

    # ---- statements

    def _rows(self, sql: str) -> list[Any]:
        try:
            return list(self._client.query(f"{sql} SETTINGS log_queries = 0").result_rows)
        except (ClickHouseError, OSError) as error:
            raise _failure(error) from None

    def _change(self, sql: str) -> None:
        if not sql:
            return
        try:
            self._client.command(sql)
        except (ClickHouseError, OSError) as error:
            raise _failure(error) from None


def _failure(error: Exception) -> Unavailable:
    # Without its cause: ClickHouse's messages quote statements.
    cause = "; its user needs SELECT, ALTER DELETE and ALTER SETTINGS" if code_of(error) in _REFUSED else ""
    return Unavailable(f"ClickHouse can't erase: {describe(error)}{cause}")
