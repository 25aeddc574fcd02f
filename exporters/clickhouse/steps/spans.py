"""From the rows of an insert to what a fold takes: spans of runs, log records that say something about one, and what
spans tell of their runs by themselves."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import flags, is_said
from agenttracer.collector.folding.told import TOLD, told
from agenttracer.schemas.clickhouse_tables import LOGS_TABLE, TRACES_TABLE
from agenttracer.schemas.columns import STRINGS
from agenttracer.schemas.flatten import nothing
from agenttracer.schemas.steps import SPANS

_TELLING = ("FailureCode", "Model", "FinishReason", "ResponseId")


def spans_of(table: str, rows: pa.Table) -> pa.Table | None:
    """The columns ``SPANS`` of the rows for a ClickHouse table; None if none of them is any step's business."""
    if table not in (TRACES_TABLE, LOGS_TABLE):
        return None
    telling = is_said(rows.column("RunId"))
    if table == LOGS_TABLE:
        says = flags(pc.is_valid(rows.column("InputTokens")))
        for name in _TELLING:
            says = says | is_said(rows.column(name))
        telling = telling & is_said(rows.column("SpanId")) & says
    if not telling.any():
        return None
    if not telling.all():
        rows = rows.filter(pa.array(telling))
    return pa.table([_column(rows, table, field) for field in SPANS], schema=SPANS)


def told_of(table: str, rows: pa.Table) -> pa.Table:
    """The columns ``TOLD`` of the runs of the rows for a ClickHouse table; of log records a view makes them."""
    return told(rows) if table == TRACES_TABLE else TOLD.empty_table()


def _column(rows: pa.Table, table: str, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if field.name == "IsLog":
        return pa.repeat(pa.scalar(table == LOGS_TABLE), rows.num_rows)
    if field.name not in rows.schema.names:
        return nothing(field, rows.num_rows)
    column = rows.column(field.name)
    if field.type == STRINGS and not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column if column.type == field.type else column.cast(field.type)
