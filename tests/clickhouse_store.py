"""A clickhouse exporter that has started, and a client of its own that looks at what it stored.

with exporting(f"chdb://{tmp_path}/store", ttl="24h") as store:
    store.export(make_batch("traces", [...]))
    assert [(1,)] == store.rows("SELECT count() FROM otel_traces")
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from agenttracer.collector.component import Context
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.clickhouse import ClickHouse, ClickHouseOptions
from agenttracer.schemas.batch import Batch


class Store:
    """The exporter and the client."""

    def __init__(self, exporter: ClickHouse, client: Client) -> None:
        self.exporter = exporter
        self.client = client

    def export(self, *batches: Batch) -> None:
        """Export at the same time, as pipelines do."""

        async def export() -> None:
            await asyncio.gather(*(self.exporter.export(batch) for batch in batches))

        asyncio.run(export())

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Rows of a table as they are, the way that the exporter writes them."""
        self.exporter.write(table, rows, token)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return [tuple(row) for row in self.client.query(sql).result_rows]

    def row(self, sql: str) -> dict[str, Any]:
        """The only row of a query, by column."""
        (row,) = self.client.query(sql).named_results()
        return dict(row)


def make_exporter(endpoint: str, **options: Any) -> ClickHouse:
    """An exporter that has not started."""
    checked = ClickHouseOptions.model_validate({"endpoint": endpoint, **options})
    return ClickHouse(checked, Context("clickhouse", Telemetry()))


@contextmanager
def exporting(endpoint: str, **options: Any) -> Iterator[Store]:
    """Start, and stop at the end."""
    exporter = make_exporter(endpoint, **options)
    asyncio.run(exporter.start())
    try:
        with closing(_client(exporter.options)) as client:
            yield Store(exporter, client)
    finally:
        asyncio.run(exporter.stop())


def embedded_client(folder: Path | str, database: str = "default") -> Client:
    """A client of a store in a folder, which is made if it isn't there."""
    return clickhouse_connect.get_client(interface="chdb", path=str(folder), database=database)


def _client(options: ClickHouseOptions) -> Client:
    if options.folder is not None:
        return embedded_client(options.folder, options.database)
    return clickhouse_connect.get_client(
        host=options.url.hostname,
        port=options.url.port or 0,
        username=options.username,
        password=options.password.get_secret_value(),
        database=options.database,
    )
