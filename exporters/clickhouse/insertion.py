"""One insert: the rows of a batch for one table, known by a token that is the same on every try.

The embedded engine reads the columns where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from agenttracer.schemas.literal import literal

Settings = Mapping[str, str | int | float]

# ClickHouse keeps an insert in memory several times over; the parts of a larger one are inserts of their own.
MAX_INSERT_BYTES = 64 << 20

# What is read from columns counts as selected: only in one stream, and with a token, is it the same on every try.
_ONE_BLOCK: Settings = {"max_threads": 1, "deduplicate_insert_select": "force_enable"}


def settings(timeout_seconds: float, token: str) -> Settings:
    """What makes an insert durable on return and harmless to repeat: one with the same ``token`` is not done again."""
    return {
        "insert_deduplication_token": token,
        "async_insert": 0,
        "insert_deduplicate": 1,
        "optimize_on_insert": 0,  # no key is twice in an insert
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        # Partitions are days, so their number is the sender's; the limit is for mistakes in the partition key.
        "max_partitions_per_insert_block": 0,
        "max_execution_time": timeout_seconds,
    }


def pieces(rows: pa.Table, token: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows in as many inserts as their size asks for, each with its token: the same for the same rows."""
    count = -(-rows.nbytes // MAX_INSERT_BYTES)
    size = -(-rows.num_rows // max(count, 1))
    for number, start in enumerate(range(0, rows.num_rows, size)):
        yield f"{token}-{number}" if number else token, rows.slice(start, size)


def insert(client: Client, table: str, rows: pa.Table, settings: Settings, *, embedded: bool) -> None:
    """Durable on return; raises what clickhouse-connect raises."""
    if embedded:
        _insert_from_memory(client, table, rows, settings)
    else:
        # The answer comes after the last row, and tells of rows: a 200 alone, from something in between or
        # with an error in its body, stored nothing.
        done = client.insert_arrow(table, rows, settings={**settings, "wait_end_of_query": 1})
        if not done.written_rows:
            raise OperationalError("the answer to an insert tells of no rows")


def _insert_from_memory(client: Client, table: str, rows_to_insert: pa.Table, settings: Settings) -> None:
    columns = ", ".join(f"`{name}`" for name in rows_to_insert.schema.names)
    changed = ", ".join(f"{name} = {literal(value)}" for name, value in {**settings, **_ONE_BLOCK}.items())
    # The engine finds the table by the name that it has here.
    client.command(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM Python(rows_to_insert) SETTINGS {changed}"
    )
