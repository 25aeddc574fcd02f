"""What calls cost, exactly: whole numbers from the price to the sum, rounded once to a billionth of a dollar.

A token's price is a whole number of millionths of a millionth of a dollar. At most 2^31-1 tokens of each of
five kinds at 1000 USD a million are below 2^64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agenttracer.collector.pricing.book import Price

Counts = npt.NDArray[np.uint64]
MAX_TOKENS = 2**31 - 1
COST = pa.decimal128(18, 9)
_PICOS_IN_NANO = 1000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of each kind, a call an element, 0 where nobody counted; none above ``MAX_TOKENS``."""

    input: Counts
    cache_read: Counts
    cache_write: Counts
    output: Counts
    reasoning: Counts


def cost_nano_usd(tokens: Tokens, prices: Sequence[Price], which: npt.NDArray[np.int64]) -> Counts:
    """Each call's cost in billionths of a dollar; ``which`` is its price's place in ``prices``."""
    cached = tokens.cache_read + tokens.cache_write
    # Parts larger than their whole can't be in it, whatever the provider usually does.
    inside = np.array([price.includes_cached for price in prices])[which] & (cached <= tokens.input)
    fresh = tokens.input - np.where(inside, cached, 0)
    within = np.array([price.includes_reasoning for price in prices])[which] & (
        tokens.reasoning <= tokens.output
    )
    said = tokens.output - np.where(within, tokens.reasoning, 0)
    above = np.array([price.above_tokens for price in prices], np.uint64)[which]
    is_long = fresh + cached > above
    rates = np.array([price.rates for price in prices], np.uint64)[which]
    if is_long.any():
        long = np.array([price.long for price in prices], np.uint64)[which]
        rates = np.where(is_long[:, None], long, rates)
    counts = np.stack([fresh, tokens.cache_read, tokens.cache_write, said, tokens.reasoning], axis=1)
    picos: Counts = (counts * rates).sum(axis=1, dtype=np.uint64)
    return (picos + _PICOS_IN_NANO // 2) // _PICOS_IN_NANO


def as_decimals(nano_usd: Counts, known: npt.NDArray[np.bool_]) -> pa.Decimal128Array:
    """Billionths of a dollar as the column ``CostUsd`` holds them, null where not ``known``."""
    words = np.zeros((len(nano_usd), 2), np.uint64)
    words[:, 0] = nano_usd
    validity = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(COST, len(nano_usd), [validity, pa.py_buffer(words)])
