"""One insert: the rows of a batch for one table, known by a token that is the same on every try.

The embedded engine takes rows from a file. The file is in memory, so that a killed process leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from agenttracer.schemas.literal import literal

Settings = Mapping[str, str | int | float]

# ClickHouse keeps an insert in memory several times over; the parts of a larger one are inserts of their own.
MAX_INSERT_BYTES = 64 << 20


def settings(timeout_seconds: float) -> dict[str, str | int | float]:
    """What makes an insert durable on return and harmless to repeat."""
    return {
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
    if embedded and hasattr(os, "memfd_create"):
        _insert_from_memory(client, table, rows, settings)
    else:
        # The answer comes after the last row, and tells of rows: a 200 alone, from something in between or
        # with an error in its body, stored nothing.
        done = client.insert_arrow(table, rows, settings={**settings, "wait_end_of_query": 1})
        if not done.written_rows:
            raise OperationalError("the answer to an insert tells of no rows")


def _insert_from_memory(client: Client, table: str, rows: pa.Table, settings: Settings) -> None:
    columns = ", ".join(f"`{name}`" for name in rows.schema.names)
    changed = ", ".join(f"{name} = {literal(value)}" for name, value in settings.items())
    descriptor = os.memfd_create(table)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)
        client.command(
            f"INSERT INTO {table} ({columns}) FROM INFILE '/proc/self/fd/{descriptor}' COMPRESSION 'none' "
            f"SETTINGS {changed} FORMAT Arrow"
        )
    finally:
        os.close(descriptor)
