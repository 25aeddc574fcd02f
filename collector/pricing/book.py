"""Finds the price of a model at a provider, in whole millionths of a millionth of a dollar a token.

("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0") → 3,000,000 input, 15,000,000 output, …
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from agenttracer.collector.pricing.names import spellings
from agenttracer.collector.pricing.table import ModelPrices, PriceTable, Provider, Rates

Picos = tuple[int, int, int, int, int]
"""Of one token each: input, cache read, cache write, output, reasoning."""

NEVER = 2**63
ANY_MODEL = "*"
OTHER = "other"
_UNKNOWN = "unknown"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost: ``rates``, or ``long`` when more than ``above_tokens`` are read; and which counts
    include their parts."""

    rates: Picos
    long: Picos
    above_tokens: int = NEVER
    includes_cached: bool = True
    includes_reasoning: bool = True


class PriceBook:
    """A price table, ready to be asked."""

    def __init__(self, table: PriceTable) -> None:
        self.version = table.version
        own = {name.lower(): _prices(provider) for name, provider in table.providers.items()}
        self._providers: dict[str, dict[str, Price]] = {}
        self._canonical: dict[str, str] = {}
        for name, provider in table.providers.items():
            sold = [own[other.lower()] for other in reversed(provider.same_as)]
            prices = {model: price for part in (*sold, own[name.lower()]) for model, price in part.items()}
            counted = {model: _count_like(provider, price) for model, price in prices.items()}
            for alias in (name, *provider.aliases):
                self._providers[alias.lower()] = counted
                self._canonical[alias.lower()] = name
        self._everywhere = _agreed(own)
        self._listed = {model for prices in own.values() for model in prices} - {ANY_MODEL}
        # A sender chooses the names: only so many are remembered.
        self.find = lru_cache(_REMEMBERED)(self._find)

    def _find(self, provider: str | None, model: str) -> Price | None:
        prices = self._providers.get((provider or "").lower(), {})
        for name in spellings(model):
            if name != ANY_MODEL and name in prices:
                return prices[name]
        if ANY_MODEL in prices:
            return prices[ANY_MODEL]
        return next((price for name in spellings(model) if (price := self._everywhere.get(name))), None)

    def labels(self, provider: str | None, model: str | None) -> tuple[str, str]:
        """A provider and a model as metrics may show them: names of the table, never the sender's."""
        seller = self._canonical.get(provider.lower(), OTHER) if provider else _UNKNOWN
        if not model:
            return seller, _UNKNOWN
        return seller, next((name for name in spellings(model) if name in self._listed), OTHER)


def _prices(provider: Provider) -> dict[str, Price]:
    return dict(_listed(provider))


def _listed(provider: Provider) -> Iterator[tuple[str, Price]]:
    for model, prices in provider.models.items():
        if prices is not None:
            price = _count_like(provider, _price(prices))
            yield from ((name.lower(), price) for name in (model, *prices.aliases))


def _price(prices: ModelPrices) -> Price:
    rates = _picos(prices)
    if prices.above is None:
        return Price(rates, rates)
    return Price(rates, _picos(prices.above), prices.above.input_tokens)


def _picos(rates: Rates) -> Picos:
    def pico(usd: Decimal | None, instead: Decimal) -> int:
        return int((instead if usd is None else usd) * 1_000_000)

    return (
        pico(rates.input, rates.input),
        pico(rates.cache_read, rates.input),
        pico(rates.cache_write, rates.input),
        pico(rates.output, rates.output),
        pico(rates.reasoning, rates.output),
    )


def _count_like(provider: Provider, price: Price) -> Price:
    return replace(
        price,
        includes_cached=provider.input == "includes_cached",
        includes_reasoning=provider.output == "includes_reasoning",
    )


def _agreed(own: dict[str, dict[str, Price]]) -> dict[str, Price]:
    """The models whose price is the same wherever they are listed."""
    found: dict[str, set[Price]] = {}
    for prices in own.values():
        for model, price in prices.items():
            if model != ANY_MODEL:
                found.setdefault(model, set()).add(price)
    return {model: prices.pop() for model, prices in found.items() if len(prices) == 1}
