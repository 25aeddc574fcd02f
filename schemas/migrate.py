"""Applies the numbered ``.sql`` files, each a single statement that may be repeated.

    sql/0001_otel_traces.sql ─┐             ┌─ not recorded: run it, then record its number and hash
    sql/0002_…               ─┼─ recorded? ─┼─ recorded, same hash: done
    sql/0003_…               ─┘             └─ recorded, another hash: a view is replaced; else SchemaError

Tables come first, then what feeds them, what fills them, the views, whatever their numbers. A table's file never
changes once it was released; a new file alters it. A crash between running and recording only runs a file again.
So do two collectors that start together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any, Protocol

from agenttracer.schemas.clickhouse_tables import FLATTENED

RECORDS = "agenttracer_migrations"


class SchemaError(Exception):
    """The tables are not what the collector needs: what is wrong, and what to do."""


class Client(Protocol):
    """What is used of a clickhouse-connect client, embedded or over HTTP."""

    def command(self, cmd: str) -> Any:
        """Run one statement."""

    def query(self, query: str) -> Any:
        """Run one query; the answer has ``result_rows``."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where tables are made: on one server, or on all of a cluster, and by which engine."""

    cluster: str = ""
    engine: str = "MergeTree"
    engine_params: str = ""

    def place(self, sql: str) -> str:
        """The statement with its placeholders filled."""
        parameters = f"({self.engine_params})" if self.engine_params else ""
        aggregating = self.engine.replace("MergeTree", "AggregatingMergeTree")
        replacing = self.engine.replace("MergeTree", "ReplacingMergeTree")
        with_version = ", ".join(filter(None, [self.engine_params, r"\1"]))
        sql = re.sub(r"\{replacing_engine:(\w+)\}", f"{replacing}({with_version})", sql)
        return (
            sql.replace("{on_cluster}", f" ON CLUSTER `{self.cluster}`" if self.cluster else "")
            .replace("{engine}", self.engine + parameters)
            .replace("{aggregating_engine}", aggregating + parameters)
        )


class Kind(IntEnum):
    """What a file does, in the order of their turns."""

    TABLE = 0  # makes or alters one: once
    FEED = 1  # a materialized view: its query is replaced, so that no insert passes it by
    FILL = 2  # puts what is stored already into a new table, and through what it feeds: once
    VIEW = 3  # is replaced


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: ``number`` is its order, ``name`` the table or view that it makes or changes."""

    number: int
    name: str
    sql: str

    @property
    def kind(self) -> Kind:
        """By its statement."""
        return next((kind for kind, start in _STARTS.items() if start.search(self.sql)), Kind.TABLE)

    @property
    def makes(self) -> bool:
        """Whether there is a table or view of its name afterwards."""
        return re.search("^CREATE", self.sql, re.MULTILINE) is not None

    @property
    def replacement(self) -> str:
        """The statement for a store that has an older version of it."""
        if self.kind is not Kind.FEED:
            return self.sql
        _, _, query = self.sql.partition("\nAS")
        return f"ALTER TABLE {self.name}{{on_cluster}} MODIFY QUERY{query}"

    @property
    def sha256(self) -> str:
        """Of the text as it is in the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


_STARTS = {
    Kind.FEED: re.compile("^CREATE MATERIALIZED VIEW", re.MULTILINE),
    Kind.FILL: re.compile("^INSERT INTO", re.MULTILINE),
    Kind.VIEW: re.compile("^CREATE OR REPLACE VIEW", re.MULTILINE),
}


def migrations() -> list[Migration]:
    """Every file, by number; the first makes the table that records the others."""
    found = []
    for file in files("agenttracer.schemas").joinpath("sql").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), name, file.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def apply(
    client: Client, placement: Placement | None = None, steps: Sequence[Migration] | None = None
) -> list[str]:
    """Run what was not run before, and views that have changed; the names of what was made, or changed.

    Raises ``SchemaError`` if an applied file of a table has changed or a table of the same name lacks columns.
    """
    place = (placement or Placement()).place
    steps = migrations() if steps is None else steps
    client.command(place(steps[0].sql))
    applied = _applied(client)
    due = [step for step in steps if applied.get(step.number) != step.sha256]
    for step in due:
        if step.number in applied and step.kind in (Kind.TABLE, Kind.FILL):
            raise SchemaError(
                f"{step.number:04d}_{step.name}.sql was changed after it had been applied; "
                "take the change back and put it into a new file"
            )
    for step in sorted(due, key=lambda step: (step.kind, step.number)):
        _run(client, place(step.replacement if step.number in applied else step.sql), pending=due)
        client.command(
            f"INSERT INTO {RECORDS} (Number, Name, Sha256) VALUES ({step.number}, '{step.name}', '{step.sha256}')"
        )
    return [step.name for step in due]


def check(client: Client) -> None:
    """Raise ``SchemaError`` naming the tables, views and columns that are missing."""
    names = {row[0] for row in client.query("SHOW TABLES").result_rows}
    missing = [step.name for step in migrations() if step.makes and step.name not in names | {RECORDS}]
    lacking = _lacking(client)
    if missing or lacking:
        raise SchemaError(
            "; ".join(filter(None, [f"missing: {', '.join(missing)}" if missing else "", *lacking]))
        )


def _applied(client: Client) -> dict[int, str]:
    return dict(client.query(f"SELECT Number, Sha256 FROM {RECORDS} ORDER BY AppliedAt").result_rows)


def _run(client: Client, sql: str, pending: Sequence[Migration]) -> None:
    try:
        client.command(sql)
    except Exception as error:
        # A view over a table that another exporter made fails for want of our columns: say that instead.
        if lacking := _lacking(client, pending):
            raise SchemaError("; ".join(lacking)) from error
        raise


def _lacking(client: Client, pending: Sequence[Migration] = ()) -> list[str]:
    """A sentence for each table that is there without all the columns that are inserted, or pending."""
    added = {name for step in pending for name in re.findall(r"ADD COLUMN IF NOT EXISTS (\w+)", step.sql)}
    rows = client.query(
        "SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
    ).result_rows
    columns = {table: set(names) for table, names in rows}
    wanted = {table: schema.names for table, schema in FLATTENED.items() if table in columns}
    lacking = {
        table: [name for name in names if name not in columns[table] | added]
        for table, names in wanted.items()
    }
    return [
        f"the table {table} lacks {', '.join(names)}: another program made it; use another database, or add them"
        for table, names in lacking.items()
        if names
    ]
