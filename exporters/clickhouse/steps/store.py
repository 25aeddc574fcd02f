"""The rows of steps in ClickHouse: written, and read again to be folded with what came later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.folding.reading import AS_ARROW, rows_of
from agenttracer.collector.folding.runs import Run
from agenttracer.exporters.clickhouse.failures import failure
from agenttracer.exporters.clickhouse.insertion import insert, settings
from agenttracer.exporters.clickhouse.steps.long_runs import SUMS_OF_RUN
from agenttracer.schemas.literal import literal
from agenttracer.schemas.steps import RUNS_TABLE, STEPS_TABLE


class ClickHouseSteps:
    """One a client; its errors are ``Unavailable`` and ``Rejected``."""

    def __init__(self, client: Client, timeout_seconds: float, *, embedded: bool) -> None:
        self._client = client
        self._embedded = embedded
        self._timeout_seconds = timeout_seconds

    def insert(self, table: str, rows: pa.Table) -> None:
        """Durable on return."""
        if not rows.num_rows:
            return
        # Known by nothing: a row that comes again replaces the other, and known by its contents one that had been
        # erased, or changed and changed back, would not come at all.
        anew = settings(self._timeout_seconds, uuid4().hex)
        try:
            insert(self._client, table, rows, anew, embedded=self._embedded)
        except (ClickHouseError, OSError) as error:
            # Without its cause: ClickHouse's messages quote rows.
            raise failure(error, table, rows.num_rows) from None

    def rows_of(self, runs: Sequence[Run], most: int) -> pa.Table:
        """The rows of these runs, the newest version of each, so many a run and day at most."""
        return rows_of(self._arrow, runs, most)

    def sum_up(self, runs: Iterable[Run]) -> None:
        """Write what each of these runs comes to, from all its rows that are stored; durable on return."""
        for tenant, run in runs:
            try:
                self._client.command(SUMS_OF_RUN.format(tenant=literal(tenant), run=literal(run)))
            except (ClickHouseError, OSError) as error:
                raise failure(error, RUNS_TABLE, 1) from None

    def known_runs(self) -> Iterator[list[int]]:
        """The numbers of all runs, some at a time; see ``number_of``."""
        try:
            with self._client.query_arrow_stream(f"SELECT CRC32(RunId) FROM {RUNS_TABLE}") as blocks:
                for block in blocks:
                    yield block.column(0).to_pylist()
        except (ClickHouseError, OSError) as error:
            raise failure(error, RUNS_TABLE, 0) from None

    def _arrow(self, sql: str) -> pa.Table:
        try:
            rows: pa.Table = self._client.query_arrow(sql, settings=AS_ARROW)
        except (ClickHouseError, OSError) as error:
            raise failure(error, STEPS_TABLE, 0) from None
        return rows
