"""Pipelines whose redaction forgets one thing, to see that the canary check notices.

forget_attributes(monkeypatch, lambda table: table.column("place").to_numpy() == Place.LINK)
forget_column(monkeypatch, Signal.TRACES, "links", "TraceState")
restore_column(monkeypatch, Signal.TRACES, "rows", "SpanName")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from agenttracer.collector.decode.nested import render_nested
from agenttracer.collector.processors.redaction import Redaction
from agenttracer.schemas.batch import ATTRIBUTES, Batch, Signal
from agenttracer.schemas.columns import ID, SAFE, content_class
from agenttracer.schemas.tables import DECODED, STORED

Mask = npt.NDArray[np.bool_]


def guarded_columns() -> list[tuple[Signal, str, str]]:
    """Every column of every signal that may not simply be kept: (signal, table, column)."""
    return [
        (signal, table, field.name)
        for signal, schemas in STORED.items()
        for table, schema in schemas.items()
        for field in schema
        # Tables that decoding doesn't make are redaction's own.
        if table in DECODED[signal] and table != "attributes" and content_class(field) not in (SAFE, ID)
    ]


def forget_column(monkeypatch: pytest.MonkeyPatch, signal: Signal, table: str, column: str) -> None:
    """Declare a column safe, whatever it holds."""
    schema = STORED[signal][table]
    index = schema.get_field_index(column)
    metadata = {**schema.field(index).metadata, b"content": SAFE.encode()}
    schemas = {
        **STORED[signal],
        table: schema.set(index, schema.field(index).with_metadata(metadata)),
    }
    monkeypatch.setitem(STORED, signal, schemas)


def restore_column(monkeypatch: pytest.MonkeyPatch, signal: Signal, table: str, column: str) -> None:
    """Leave a column as it came, though redaction makes it anew."""

    def put_back(before: Batch, after: Batch) -> Batch:
        if before.signal is not signal:
            return after
        return after.with_columns(table, **{column: before.tables[table].column(column)})

    _after_redaction(monkeypatch, put_back)


def forget_attributes(monkeypatch: pytest.MonkeyPatch, forgotten: Callable[[pa.RecordBatch], Mask]) -> None:
    """Leave some attributes as they came."""

    def put_back(before: Batch, after: Batch) -> Batch:
        rows = before.attributes.filter(pa.array(forgotten(before.attributes)))
        text = pc.coalesce(rows.column("string"), render_nested(rows.column("kind"), rows.column("nested")))
        columns = {name: rows.column(name) for name in ATTRIBUTES.names} | {"string": text}
        kept = pa.RecordBatch.from_arrays(list(columns.values()), schema=ATTRIBUTES)
        both = pa.Table.from_batches([after.attributes.select(ATTRIBUTES.names).cast(ATTRIBUTES), kept])
        both = both.unify_dictionaries().combine_chunks()
        order = pc.sort_indices(both, [("place", "ascending"), ("owner", "ascending")])
        return after.with_tables(attributes=both.take(order).combine_chunks().to_batches()[0])

    _after_redaction(monkeypatch, put_back)


def _after_redaction(monkeypatch: pytest.MonkeyPatch, change: Callable[[Batch, Batch], Batch]) -> None:
    process: Any = Redaction.process

    def forgetful(self: Redaction, batch: Batch) -> Batch:
        return change(batch, process(self, batch))

    monkeypatch.setattr(Redaction, "process", forgetful)
