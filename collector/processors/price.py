"""Gives every model call its cost in USD, and the version of the price table that it came from.

    processors:
      price:
        prices_file: prices.yaml      # optional: your own prices over the shipped ones

It comes after classify, which says what a model call is, and before redaction. Priced are embeddings and steps of the
types in ``PRICED``, if they name a model and count tokens; containers repeat what their children used and get no cost.
``schemas/prices.yaml`` holds the prices and says how tokens are counted. A model that it lacks takes the cost that
the agent itself reported, under the version ``reported``; without one the cost stays null and is counted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from agenttracer.collector.attributes import find, view
from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.pricing.arithmetic import MAX_TOKENS, Counts, Tokens, as_decimals, cost_nano_usd
from agenttracer.collector.pricing.book import Price as ModelPrice
from agenttracer.collector.pricing.book import PriceBook
from agenttracer.collector.pricing.table import load_prices
from agenttracer.collector.steps.tree import is_value
from agenttracer.schemas.batch import Batch, Place, Signal

Mask = npt.NDArray[np.bool_]
Pair = tuple[str | None, str | None]
"""A provider and a model."""

PRICED = ("model", "respond", "plan", "retrieve", "memory")
"""Step types in which a model is called."""

EMBEDDINGS = "embeddings"
"""The operation that is a call of a model in a step of any type."""

REPORTED = "reported"
REPORTED_COSTS = ("gen_ai.usage.cost", "gen_ai.cost.total_cost", "llm.cost.total", "operation.cost")
"""Where dialects put a call's cost: OpenLIT, LiteLLM, OpenInference, pydantic-ai."""

_TOKENS = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens", "ReasoningTokens")
_MAX_REPORTED_USD = 1_000_000


class PriceOptions(Options):
    """Options of ``price``."""

    prices_file: Path | None = Field(
        default=None, description="A file of your own prices, merged over the shipped prices.yaml."
    )


class Price(Processor[PriceOptions]):
    """One look-up for each provider and model of a batch, then arithmetic on columns."""

    options_type = PriceOptions

    def __init__(self, options: PriceOptions, context: Context) -> None:
        super().__init__(options, context)
        self._book: PriceBook | None = None

    async def start(self) -> None:
        self._book = PriceBook(await asyncio.to_thread(load_prices, self.options.prices_file))

    def process(self, batch: Batch) -> Batch:
        assert self._book is not None, "started"
        if batch.signal is not Signal.TRACES or "StepType" not in batch.rows.schema.names:
            return batch
        calls = np.flatnonzero(_is_call(batch.rows))
        if not len(calls):
            return batch
        tokens, counted = _tokens(batch.rows, calls)
        pairs, which = _pairs(batch.rows, calls)
        prices = [self._book.find(*pair) if pair[1] else None for pair in pairs]
        priced = counted & np.array([price is not None for price in prices])[which]
        free = ModelPrice((0,) * 5, (0,) * 5)
        nanos = cost_nano_usd(tokens, [price or free for price in prices], which)
        reported = np.zeros(len(calls), bool)
        if not priced.all():
            said, is_said = _reported(batch, calls)
            reported = is_said & ~priced
            nanos = np.where(reported, said, nanos)
            self._count(pairs, which[counted & ~priced & ~reported])
        return _with_costs(batch, calls, nanos, priced, reported, self._book.version)

    def _count(self, pairs: list[Pair], unpriced: npt.NDArray[np.int64]) -> None:
        assert self._book is not None
        for number, spans in zip(*np.unique(unpriced, return_counts=True), strict=True):
            provider, model = self._book.labels(*pairs[number])
            self.context.telemetry.add(
                "agenttracer_unpriced_spans_total", int(spans), provider=provider, model=model
            )


def _is_call(rows: pa.RecordBatch) -> Mask:
    calls = is_value(rows.column("StepType"), *PRICED)
    if "Operation" in rows.schema.names:
        calls |= is_value(rows.column("Operation").dictionary_encode(), EMBEDDINGS)
    return calls


def _tokens(rows: pa.RecordBatch, calls: npt.NDArray[np.int64]) -> tuple[Tokens, Mask]:
    """The calls' tokens, and which of them are counted at all, within what a call can use."""
    columns: list[Counts] = []
    counted = np.zeros(len(calls), bool)
    for name in _TOKENS:
        if name not in rows.schema.names:
            columns.append(np.zeros(len(calls), np.uint64))
            continue
        column = rows.column(name)
        counted |= column.is_valid().to_numpy(zero_copy_only=False)[calls]
        columns.append(pc.fill_null(column, 0).to_numpy()[calls])
    for column in columns:
        counted &= column <= MAX_TOKENS
    return Tokens(*(np.minimum(column, MAX_TOKENS) for column in columns)), counted


def _pairs(rows: pa.RecordBatch, calls: npt.NDArray[np.int64]) -> tuple[list[Pair], npt.NDArray[np.int64]]:
    """The distinct pairs of the calls, and which of them each call has."""
    (sellers, seller), (names, name) = (_distinct(rows, column, calls) for column in ("Provider", "Model"))
    distinct, which = np.unique(seller * len(names) + name, return_inverse=True)
    return [(sellers[code // len(names)], names[code % len(names)]) for code in distinct.tolist()], which


def _distinct(
    rows: pa.RecordBatch, column: str, calls: npt.NDArray[np.int64]
) -> tuple[list[str | None], npt.NDArray[np.int64]]:
    if column not in rows.schema.names:
        return [None], np.zeros(len(calls), np.int64)
    encoded = rows.column(column).take(pa.array(calls)).dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _reported(batch: Batch, calls: npt.NDArray[np.int64]) -> tuple[Counts, Mask]:
    """What agents say that their calls cost, in billionths of a dollar, and which of them do."""
    nothing = np.zeros(len(calls), np.uint64), np.zeros(len(calls), bool)
    if not set(REPORTED_COSTS).intersection(batch.attributes.column("key").dictionary.to_pylist()):
        return nothing
    attributes = view(batch)
    found = find(attributes, Place.ROW, batch.num_rows, {"cost": REPORTED_COSTS})
    if "cost" not in found:
        return nothing
    index = found["cost"][calls]
    at = pa.array(index, mask=index < 0)
    table = attributes.table
    costs = pc.coalesce(
        table.column("double").take(at), table.column("int").take(at).cast(pa.float64(), safe=False)
    )
    usd = pc.fill_null(costs, -1.0).to_numpy()
    said = (usd >= 0) & (usd <= _MAX_REPORTED_USD)
    return np.rint(np.where(said, usd, 0) * 1e9).astype(np.uint64), said


def _with_costs(
    batch: Batch, calls: npt.NDArray[np.int64], nanos: Counts, priced: Mask, reported: Mask, version: str
) -> Batch:
    every = np.zeros(batch.num_rows, np.uint64)
    known = np.zeros(batch.num_rows, bool)
    source = np.zeros(batch.num_rows, np.int32)
    every[calls] = nanos
    known[calls] = priced | reported
    source[calls] = reported
    versions = pa.DictionaryArray.from_arrays(
        pa.array(source, mask=~known), pa.array([version, REPORTED] if reported.any() else [version])
    )
    return batch.with_columns(CostUsd=as_decimals(every, known), PriceVersion=versions)
