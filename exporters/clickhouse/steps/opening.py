"""From an open store to one whose steps can be written: what was stored before there were steps is folded first.

otel_traces, otel_logs: a share of the runs at a time → fold → agent_step_spans       then it is noted

Broken off, it begins again with the first share; what was written is written again.
"""

from __future__ import annotations

import logging

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.errors import Rejected, StartError, Unavailable
from agenttracer.collector.folding.reading import AS_ARROW
from agenttracer.collector.folding.told import TOLD
from agenttracer.exporters.clickhouse.connection import on_cluster
from agenttracer.exporters.clickhouse.failures import describe
from agenttracer.exporters.clickhouse.options import ClickHouseOptions
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns
from agenttracer.exporters.clickhouse.steps.spans import spans_of
from agenttracer.exporters.clickhouse.steps.store import ClickHouseSteps
from agenttracer.exporters.clickhouse.steps.writer import StepWriter
from agenttracer.schemas.clickhouse_tables import FLATTENED, LOGS_TABLE, TRACES_TABLE
from agenttracer.schemas.migrate import RECORDS
from agenttracer.schemas.steps import SPANS

_log = logging.getLogger("agenttracer.exporters.clickhouse")
_SOURCES = (TRACES_TABLE, LOGS_TABLE)
_ROWS_A_SHARE = 200_000
_DONE_NUMBER = 1_000_000  # behind every file's
_DONE = "agent_step_spans: what was stored before is folded"
_BEFORE = "agent_spans"
"""What the views read in earlier versions."""


def open_steps(client: Client, options: ClickHouseOptions, who: str) -> StepWriter:
    """A writer that knows the runs of the store; ``who`` begins the ``StartError``'s sentence."""
    embedded = options.folder is not None
    store = ClickHouseSteps(client, options.timeout, embedded=embedded)
    recent = RecentRuns() if embedded else None
    writer = StepWriter(store, recent)
    try:
        if not client.command(f"SELECT count() FROM {RECORDS} WHERE Name = '{_DONE}'"):
            _fold_earlier(client, writer, who)
            if options.create_schema:
                client.command(f"DROP TABLE IF EXISTS {_BEFORE}{on_cluster(options)}")
            client.command(f"INSERT INTO {RECORDS} (Number, Name) VALUES ({_DONE_NUMBER}, '{_DONE}')")
        if recent is not None:
            for numbers in store.known_runs():
                recent.know(numbers)
    except (ClickHouseError, Unavailable, Rejected) as error:
        cause = describe(error) if isinstance(error, ClickHouseError) else str(error)
        raise StartError(f"{who} can't fold the steps that are stored: {cause}.") from None
    return writer


def _fold_earlier(client: Client, writer: StepWriter, who: str) -> None:
    rows = int(client.command(f"SELECT count() FROM {TRACES_TABLE} WHERE RunId != ''"))
    shares = -(-rows // _ROWS_A_SHARE)
    for share in range(shares):
        found = [
            _spans(client, table, f"cityHash64(TenantId, RunId) % {shares} = {share}") for table in _SOURCES
        ]
        if spans := [rows for rows in found if rows is not None]:
            # Whose those runs are is in the store.
            writer.write(pa.concat_tables(spans).unify_dictionaries(), TOLD.empty_table())
        _log.info(
            "%s: %d of %d parts of what was stored before are folded into steps", who, share + 1, shares
        )


def _spans(client: Client, table: str, runs: str) -> pa.Table | None:
    columns = ", ".join(name for name in SPANS.names if name in FLATTENED[table].names)
    rows = client.query_arrow(
        f"SELECT {columns} FROM {table} WHERE RunId != '' AND {runs}", settings=AS_ARROW
    )
    return spans_of(table, rows)
