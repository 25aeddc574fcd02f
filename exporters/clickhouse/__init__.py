"""Stores spans, log records and metrics in ClickHouse: inside this process, on a server or on a cluster.

    exporters:
      clickhouse:
        endpoint: chdb://./data/clickhouse       # or https://clickhouse.example.com:8443
        username: agenttracer
        password: ${env:CLICKHOUSE_PASSWORD}
        ttl: 720h                                # 0 keeps rows for ever
      clickhouse/cluster:
        endpoint: http://clickhouse:8123
        cluster_name: production
        table_engine:
          name: ReplicatedMergeTree

    batch → flatten → one insert a table, under the batch's token → otel_* → views → agent_*

Tables are the Collector's, with our columns behind them; they are made and migrated at the start.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.component import Context, Erasable, Erasure, Exporter
from agenttracer.collector.errors import Unavailable
from agenttracer.exporters.clickhouse.connection import open_store
from agenttracer.exporters.clickhouse.erasure import ClickHouseErasure
from agenttracer.exporters.clickhouse.failures import failure
from agenttracer.exporters.clickhouse.insertion import insert, pieces, settings
from agenttracer.exporters.clickhouse.options import ClickHouseOptions
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.flatten import flatten

__all__ = ["ClickHouse", "ClickHouseOptions"]


class ClickHouse(Exporter[ClickHouseOptions], Erasable):
    """Durable on return: the parts are on the disk; a repeated insert changes neither tables nor views."""

    options_type = ClickHouseOptions

    def __init__(self, options: ClickHouseOptions, context: Context) -> None:
        super().__init__(options, context)
        self._client: Client | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Opens the store and brings its tables up to date; raises ``StartError`` if it can't."""
        if self.options.folder is not None:
            # Not in a thread: loading the engine changes the working folder of the process for a moment.
            import_module("chdb")
        self._client = await asyncio.to_thread(open_store, self.options, f"exporters::{self.context.id}")
        self._threads = ThreadPoolExecutor(len(Signal), thread_name_prefix=self.context.id)

    async def stop(self) -> None:
        """Waits for inserts under way and closes the store."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def export(self, batch: Batch) -> None:
        """Inserts the rows of every table; raises ``Unavailable`` or ``Rejected`` at the first that fails."""
        if self._threads is None:
            raise Unavailable("the store is not open")
        await asyncio.get_running_loop().run_in_executor(self._threads, self._insert, batch)

    def _insert(self, batch: Batch) -> None:
        assert self._client is not None
        embedded = self.options.folder is not None
        for table, rows in flatten(batch, self.options.ttl).items():
            for token, piece in pieces(rows, f"{batch.token}-{table}"):
                known_by = {**settings(self.options.timeout), "insert_deduplication_token": token}
                try:
                    insert(self._client, table, piece, known_by, embedded=embedded)
                except (ClickHouseError, OSError) as error:
                    # Without its cause: ClickHouse's messages quote rows.
                    raise failure(error, table, piece.num_rows) from None

    def erasure(self) -> Erasure:
        """All tables of the database."""
        assert self._client is not None, "started"
        options = self.options
        return ClickHouseErasure(
            self._client, cluster_name=options.cluster_name, is_embedded=options.folder is not None
        )
