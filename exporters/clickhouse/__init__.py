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

    batch → flatten ─┬─▶ steps of runs, folded → agent_step_spans, agent_runs_state → views agent_*
                     └─▶ one insert a table, under the batch's token → otel_*

Tables are the Collector's, with our columns behind them; they are made and migrated at the start.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.component import Context, Erasable, Erasure, Exporter
from agenttracer.collector.errors import Unavailable
from agenttracer.exporters.clickhouse.connection import open_store
from agenttracer.exporters.clickhouse.engine_memory import limit_kept_memory
from agenttracer.exporters.clickhouse.erasure import ClickHouseErasure
from agenttracer.exporters.clickhouse.failures import failure
from agenttracer.exporters.clickhouse.insertion import insert, pieces, settings
from agenttracer.exporters.clickhouse.options import ClickHouseOptions
from agenttracer.exporters.clickhouse.parts import MergeBacklog, merge_in_idle_time
from agenttracer.exporters.clickhouse.steps.opening import open_steps
from agenttracer.exporters.clickhouse.steps.spans import spans_of, told_of
from agenttracer.exporters.clickhouse.steps.writer import StepWriter
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
        self._steps: StepWriter | None = None
        self._backlog: MergeBacklog | None = None

    async def start(self) -> None:
        """Opens the store and brings its tables up to date; raises ``StartError`` if it can't."""
        embedded = self.options.folder is not None
        if embedded:
            limit_kept_memory()
            # Not in a thread: loading the engine changes the working folder of the process for a moment.
            import_module("chdb")
        self._threads = ThreadPoolExecutor(len(Signal), self.context.id)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
        if embedded:
            merge_in_idle_time()

    def _open(self) -> None:
        who = f"exporters::{self.context.id}"
        self._client = open_store(self.options, who)
        self._steps = open_steps(self._client, self.options, who)
        if self.options.folder is not None:
            self._backlog = MergeBacklog(self._client)

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
        if self._client is None or self._threads is None:
            raise Unavailable("the store is not open")
        await asyncio.get_running_loop().run_in_executor(self._threads, self._insert, batch)

    def _insert(self, batch: Batch) -> None:
        for table, rows in flatten(batch, self.options.ttl).items():
            self.write(table, rows, f"{batch.token}-{table}")
        if self._backlog is not None:
            self._backlog.inserted()

    def write(self, table: str, rows: pa.Table, token: str) -> None:
        """Rows of one table, and what they mean for steps and runs; ``token`` is the same on every try."""
        assert self._client is not None, "started"
        assert self._steps is not None, "started"
        # Before the rows, so that whoever sees them sees their steps.
        if (spans := spans_of(table, rows)) is not None:
            self._steps.write(spans, told_of(table, rows))
        for part, piece in pieces(rows, token):
            known_by = settings(self.options.timeout, part)
            try:
                insert(self._client, table, piece, known_by, embedded=self.options.folder is not None)
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
