"""The numbered .sql files are applied once each, in order, and resumed after a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from agenttracer.schemas import migrate
from agenttracer.schemas.clickhouse_tables import FLATTENED
from agenttracer.schemas.migrate import Migration, Placement, SchemaError
from agenttracer.schemas.steps import RUNS_TABLE, STEPS_TABLE

STEPS = migrate.migrations()


class CrashingClient:
    """Passes statements on until so many have run."""

    def __init__(self, client: Client, statements: int) -> None:
        self._client = client
        self._left = statements

    def command(self, cmd: str) -> Any:
        if not self._left:
            raise ConnectionError
        self._left -= 1
        return self._client.command(cmd)

    def query(self, query: str) -> Any:
        return self._client.query(query)


class RecordingClient:
    """Runs nothing, and remembers the statements."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def command(self, cmd: str) -> None:
        self.statements.append(cmd)

    def query(self, query: str) -> Any:
        return type("Nothing", (), {"result_rows": []})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """An empty store."""
    with closing(clickhouse_connect.get_client(interface="chdb", path=str(tmp_path))) as client:
        yield client


def test_files_are_numbered_and_make_every_table_that_is_inserted() -> None:
    """A number is a place in the order; two files can't have the same, and none is given a second time."""
    numbers = [step.number for step in STEPS]
    assert sorted(set(numbers)) == numbers
    assert set(FLATTENED) | {STEPS_TABLE, RUNS_TABLE} <= {step.name for step in STEPS}


REPEATABLE = re.compile("IF NOT EXISTS|CREATE OR REPLACE VIEW|DROP TABLE IF EXISTS")


def test_every_file_is_one_statement_that_may_be_repeated() -> None:
    """So that a crash between a statement and its record is mended by running it again."""
    statements = [
        "\n".join(line for line in step.sql.splitlines() if not line.lstrip().startswith("--"))
        for step in STEPS
    ]
    assert [] == [
        sql
        for sql in statements
        if not REPEATABLE.search(sql) or ";" in sql or ("{on_cluster}" not in sql and "INSERT" not in sql)
    ]


def test_files_are_applied_once(client: Client) -> None:
    """The second time there is nothing to do, and nothing is missing."""
    assert [step.name for step in STEPS] == migrate.apply(client)
    assert [] == migrate.apply(client)
    migrate.check(client)
    recorded = client.query("SELECT Number, Sha256 FROM agenttracer_migrations ORDER BY Number").result_rows
    assert [(step.number, step.sha256) for step in STEPS] == [tuple(row) for row in recorded]


@pytest.mark.parametrize("statements", range(0, 2 * len(STEPS), 3))
def test_a_crash_between_statements_is_resumed(client: Client, statements: int) -> None:
    """Wherever it stopped, the next start completes it."""
    with pytest.raises(ConnectionError):
        migrate.apply(CrashingClient(client, statements))
    migrate.apply(client)
    migrate.check(client)
    assert client.query("SELECT count() = uniq(Number) FROM agenttracer_migrations").first_row[0]


def test_a_file_that_changed_after_it_was_applied_is_an_error(client: Client) -> None:
    """Nothing runs, and the message says what to do."""
    migrate.apply(client)
    changed = Migration(4, "otel_logs", STEPS[4].sql + "-- changed")
    added = Migration(
        99, "more", "CREATE TABLE IF NOT EXISTS more{on_cluster} (a Int8) ENGINE = {engine} ORDER BY a"
    )
    with pytest.raises(SchemaError, match=r"0004_otel_logs.sql was changed after .* put it into a new file"):
        migrate.apply(client, steps=[*STEPS[:4], changed, *STEPS[5:], added])
    assert [] == client.query("SHOW TABLES LIKE 'more'").result_rows


def test_a_new_file_is_applied_to_an_existing_store(client: Client) -> None:
    """An upgrade runs what is new."""
    migrate.apply(client)
    added = Migration(
        99, "more", "CREATE TABLE IF NOT EXISTS more{on_cluster} (a Int8) ENGINE = {engine} ORDER BY a"
    )
    assert ["more"] == migrate.apply(client, steps=[*STEPS, added])


def test_a_view_that_changed_is_replaced(client: Client) -> None:
    """Also one that feeds a table: the next insert goes through its new query."""
    table = Migration(
        97, "kept", "CREATE TABLE IF NOT EXISTS kept{on_cluster} (A Int8) ENGINE = {engine} ORDER BY A"
    )
    source = Migration(96, "came", table.sql.replace("kept", "came"))
    feed = "CREATE MATERIALIZED VIEW IF NOT EXISTS feed{on_cluster}\nTO kept\nAS SELECT toInt8(A * 2) AS A\nFROM came"
    view = "CREATE OR REPLACE VIEW seen{on_cluster}\nAS SELECT A FROM kept"
    older = [Migration(98, "feed", feed), Migration(99, "seen", view)]
    newer = [
        Migration(98, "feed", feed.replace("* 2", "* 3")),
        Migration(99, "seen", view.replace("SELECT A", "SELECT -A AS A")),
    ]
    assert [STEPS[0].name, "came", "kept", "feed", "seen"] == migrate.apply(
        client, steps=[STEPS[0], source, table, *older]
    )
    assert ["feed", "seen"] == migrate.apply(client, steps=[STEPS[0], source, table, *newer])
    assert [] == migrate.apply(client, steps=[STEPS[0], source, table, *newer])
    client.command("INSERT INTO came VALUES (1)")
    assert [(-3,)] == client.query("SELECT A FROM seen").result_rows


def test_a_table_that_another_program_made_is_named_with_what_it_lacks(client: Client) -> None:
    """Better than an error about a column in a view."""
    client.command("CREATE TABLE otel_logs (Timestamp DateTime64(9)) ENGINE = MergeTree ORDER BY Timestamp")
    with pytest.raises(SchemaError, match=r"the table otel_logs lacks TraceId, .*ExpiresAt: another program"):
        migrate.apply(client)


def test_what_is_missing_is_named(client: Client) -> None:
    """Without create_schema, the operator learns which tables and views to make."""
    migrate.apply(client)
    client.command("DROP VIEW agent_runs")
    client.command("DROP TABLE otel_metrics_sum")
    with pytest.raises(SchemaError, match=r"^missing: otel_metrics_sum, agent_runs$"):
        migrate.check(client)


def test_clusters_have_their_tables_on_every_server() -> None:
    """Names, engines and their parameters are filled in; the aggregating and replacing tables take the same variant."""
    client = RecordingClient()
    placement = Placement("prod", "ReplicatedMergeTree", "'/tables/{shard}/{table}', '{replica}'")
    migrate.apply(client, placement)
    made = [sql for sql in client.statements if not re.search("^INSERT", sql, re.MULTILINE)]
    assert all(" ON CLUSTER `prod`" in sql for sql in made)
    engines = [line for sql in made for line in sql.splitlines() if line.startswith("ENGINE")]
    parameters = "('/tables/{shard}/{table}', '{replica}')"
    assert {
        f"ENGINE = ReplicatedMergeTree{parameters}",
        f"ENGINE = ReplicatedAggregatingMergeTree{parameters}",
        "ENGINE = ReplicatedReplacingMergeTree('/tables/{shard}/{table}', '{replica}', Spans)",
    } == set(engines)
