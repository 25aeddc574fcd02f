"""Applies the numbered ``.sql`` files, each once, each a single statement that may be repeated.

    sql/0001_otel_traces.sql ─┐             ┌─ not recorded: run it, then record its number and hash
    sql/0002_…               ─┼─ recorded? ─┼─ recorded, same hash: done
    sql/0003_…               ─┘             └─ recorded, another hash: SchemaError, nothing is run

A crash between running and recording only runs a file again. So do two collectors that start together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
        return (
            sql.replace("{on_cluster}", f" ON CLUSTER `{self.cluster}`" if self.cluster else "")
            .replace("{engine}", self.engine + parameters)
            .replace("{aggregating_engine}", aggregating + parameters)
        )


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: ``number`` is its order, ``name`` the table or view that it makes."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the text as it is in the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Every file, in order; the first makes the table that records the others."""
    found = []
    for file in files("agenttracer.schemas").joinpath("sql").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), name, file.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def apply(
    client: Client, placement: Placement | None = None, steps: Sequence[Migration] | None = None
) -> list[str]:
    """Run what was not run before; the names of what was made, or changed.

    Raises ``SchemaError`` if an applied file has changed or a table of the same name lacks columns.
    """
    place = (placement or Placement()).place
    steps = migrations() if steps is None else steps
    client.command(place(steps[0].sql))
    applied = _applied(client)
    for step in steps:
        if applied.get(step.number, step.sha256) != step.sha256:
            raise SchemaError(
                f"{step.number:04d}_{step.name}.sql was changed after it had been applied; "
                "take the change back and put it into a new file"
            )
    made = [step for step in steps if step.number not in applied]
    for step in made:
        _run(client, place(step.sql))
        client.command(
            f"INSERT INTO {RECORDS} (Number, Name, Sha256) VALUES ({step.number}, '{step.name}', '{step.sha256}')"
        )
    return [step.name for step in made]


def check(client: Client) -> None:
    """Raise ``SchemaError`` naming the tables, views and columns that are missing."""
    names = {row[0] for row in client.query("SHOW TABLES").result_rows}
    made = [step.name for step in migrations() if "\nCREATE " in step.sql]  # others change what is there
    missing = [name for name in made if name not in names and name != RECORDS]
    lacking = _lacking(client)
    if missing or lacking:
        raise SchemaError(
            "; ".join(filter(None, [f"missing: {', '.join(missing)}" if missing else "", *lacking]))
        )


def _applied(client: Client) -> dict[int, str]:
    return dict(client.query(f"SELECT Number, Sha256 FROM {RECORDS}").result_rows)


def _run(client: Client, sql: str) -> None:
    try:
        client.command(sql)
    except Exception as error:
        # A view over a table that another exporter made fails for want of our columns: say that instead.
        if lacking := _lacking(client):
            raise SchemaError("; ".join(lacking)) from error
        raise


def _lacking(client: Client) -> list[str]:
    """A sentence for each table that is there without all the columns that are inserted."""
    rows = client.query(
        "SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
    ).result_rows
    columns = {table: set(names) for table, names in rows}
    wanted = {table: schema.names for table, schema in FLATTENED.items() if table in columns}
    lacking = {
        table: [name for name in names if name not in columns[table]] for table, names in wanted.items()
    }
    return [
        f"the table {table} lacks {', '.join(names)}: another program made it; use another database, or add them"
        for table, names in lacking.items()
        if names
    ]
