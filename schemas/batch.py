"""What flows: a few Arrow tables that together are one batch of one signal.

    traces   rows (spans) ─ events, links          every row points at its
    logs     rows (log records)                    ``resources`` and ``scopes``
    metrics  rows (data points) ─ exemplars, metrics

    attributes   ONE flat table for all of them: where it stood (place, owner), key, kind, value

So a rule about attributes is one vectorised call over one table, whatever carried them: there is no
place left to forget. Keys are dictionary-encoded: deny, allow and rename work on the few dozen keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pyarrow as pa


class Signal(StrEnum):
    """The OTLP signals that are stored."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"

    @property
    def items(self) -> str:
        """What the Collector calls a row of this signal in its metric names."""
        return {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}[self.value]


class Place(IntEnum):
    """Where an attribute stood; ``owner`` is the row of the table named beside it."""

    RESOURCE = 0  # resources
    SCOPE = 1  # scopes
    ROW = 2  # rows
    EVENT = 3  # events
    LINK = 4  # links
    EXEMPLAR = 5  # exemplars
    BODY = 6  # rows: a log record's body, with the empty key


class Kind(IntEnum):
    """An attribute value's kind: the number of its field in OTLP's AnyValue, 0 if none is set."""

    EMPTY = 0
    STRING = 1
    BOOL = 2
    INT = 3
    DOUBLE = 4
    ARRAY = 5
    KVLIST = 6
    BYTES = 7


_FEW_COLUMNS = 3
"""Up to as many are cheaper to set one by one than to make the table anew."""

ATTRIBUTES = pa.schema(
    [
        pa.field("place", pa.uint8(), nullable=False),
        pa.field("owner", pa.int32(), nullable=False),
        pa.field("key", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("string", pa.string()),  # STRING; ARRAY and KVLIST as JSON text once they are kept
        pa.field("int", pa.int64()),  # INT; BOOL as 0 or 1
        pa.field("double", pa.float64()),
        pa.field("bytes", pa.binary()),
    ]
)
"""Attributes as they are stored, sorted by (place, owner)."""

DECODED_ATTRIBUTES = ATTRIBUTES.append(pa.field("nested", pa.list_(pa.binary())))
"""Attributes as they were decoded: ``nested`` holds the undecoded elements of arrays and kvlists.
The redaction processor takes the column away, so that nothing undecoded is ever stored."""


@dataclass(frozen=True, slots=True)
class Batch:
    """An immutable set of Arrow tables; ``token`` names the rows, the same on every retry."""

    signal: Signal
    tables: Mapping[str, pa.RecordBatch] = field(repr=False)
    token: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))

    @property
    def rows(self) -> pa.RecordBatch:
        """The spans, log records or data points."""
        return self.tables["rows"]

    @property
    def attributes(self) -> pa.RecordBatch:
        """All attributes of all places."""
        return self.tables["attributes"]

    @property
    def num_rows(self) -> int:
        return self.rows.num_rows

    def with_tables(self, **tables: pa.RecordBatch) -> Batch:
        """The same batch with these tables in place of its own."""
        return replace(self, tables={**self.tables, **tables})

    def with_columns(self, table: str = "rows", **columns: pa.Array) -> Batch:
        """The same batch with these columns set, or added, in one of its tables."""
        return self.with_tables(**{table: set_columns(self.tables[table], columns)})


def set_columns(table: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """A record batch with these columns set or added."""
    if len(columns) <= _FEW_COLUMNS:
        for name, column in columns.items():
            at = table.schema.get_field_index(name)
            table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
        return table
    merged = dict(zip(table.schema.names, table.columns, strict=True)) | dict(columns)
    return pa.RecordBatch.from_arrays(list(merged.values()), names=list(merged))
