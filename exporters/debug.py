"""Tells the log what arrived, and does nothing else with it.

    exporters:
      debug:
        verbosity: basic       # a line of counts a batch
                  # normal     # and the sums of its measures
                  # detailed   # and its rows, as they would be stored: behind redaction

With the log level above INFO it does nothing at all, so benchmarks use it as the end of a pipeline.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from agenttracer.collector.component import Context, Exporter, ExporterOptions
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.tables import STORED

_log = logging.getLogger("agenttracer.exporters.debug")


class DebugOptions(ExporterOptions):
    """The Collector's keys and defaults."""

    verbosity: Literal["basic", "normal", "detailed"] = Field(
        default="basic", description="Counts; counts and sums; or all of that and the stored rows."
    )
    sampling_initial: int = Field(
        default=2, ge=0, description="Batches a second that are told of in any case."
    )
    sampling_thereafter: int = Field(
        default=1, ge=0, description="Of the second's further batches, every n-th is told of; 0: none."
    )


class Debug(Exporter[DebugOptions]):
    """One log message a batch, at INFO."""

    options_type = DebugOptions
    clock = staticmethod(time.monotonic)

    def __init__(self, options: DebugOptions, context: Context) -> None:
        super().__init__(options, context)
        self._second = -1
        self._batches_this_second = 0

    async def export(self, batch: Batch) -> None:
        """Never fails; columns are read only at ``normal`` and ``detailed``."""
        if not _log.isEnabledFor(logging.INFO) or not self._is_sampled():
            return
        if self.options.verbosity == "basic":
            _log.info("%s: %s", self.context.id, _counts(batch))
        else:
            await asyncio.to_thread(self._tell_more, batch)

    def _tell_more(self, batch: Batch) -> None:
        parts = [f"{self.context.id}: {_counts(batch)}", *_sums(batch)]
        message = ", ".join(parts)
        if self.options.verbosity == "detailed":
            message += "".join(_rows(batch))
        _log.info("%s", message)

    def _is_sampled(self) -> bool:
        second = int(self.clock())
        if second != self._second:
            self._second, self._batches_this_second = second, 0
        self._batches_this_second += 1
        further = self._batches_this_second - self.options.sampling_initial
        every = self.options.sampling_thereafter
        return further <= 0 or (every > 0 and further % every == 0)


_UNCOUNTED = ("rows", "contents", "ledger")


def _counts(batch: Batch) -> str:
    others = (f"{table.num_rows} {name}" for name, table in batch.tables.items() if name not in _UNCOUNTED)
    return ", ".join([f"{batch.signal}: {batch.num_rows} {batch.signal.items}", *others])


def _sums(batch: Batch) -> list[str]:
    """Of the columns whose declaration has a unit: durations, tokens, costs, bytes."""
    units = {
        field.name: (field.metadata or {}).get(b"unit", b"").decode()
        for field in STORED[batch.signal]["rows"]
    }
    return [
        f"{name} {total} {units[name]}"
        for name, column in zip(batch.rows.schema.names, batch.rows.columns, strict=True)
        if units.get(name) and (total := pc.sum(column).as_py()) is not None
    ]


def _rows(batch: Batch) -> list[str]:
    # Row by row, as someone reads them; nobody runs this verbosity under load. Bodies are not for a log: what
    # redaction lets pass there is content on its way to the artifact store.
    attributes = batch.attributes.filter(pc.not_equal(batch.attributes["place"], int(Place.BODY)))
    shown = {name: table for name, table in batch.tables.items() if name != "contents"}
    shown["attributes"] = attributes
    return [f"\n  {name}[{i}] {row}" for name, table in shown.items() for i, row in _present(table)]


def _present(table: pa.RecordBatch) -> list[tuple[int, dict[str, object]]]:
    rows = enumerate(table.to_pylist())
    return [(i, {key: value for key, value in row.items() if value is not None}) for i, row in rows]
