"""The arithmetic of ``arithmetic.py`` as ClickHouse does it, to price rows that are stored already.

    Expressions.of(book, [("openai", "gpt-4o"), …]).cost → an SQL expression over the columns of otel_traces

Provider and model names stand in the text in hexadecimal, so that a stored name is never read as SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agenttracer.collector.pricing.arithmetic import MAX_TOKENS
from agenttracer.collector.pricing.book import NEVER, Price, PriceBook

NO_PRICE = Price((0,) * 5, (0,) * 5)
_KEY = r"concat(Provider, '\0', Model)"
_COUNTED = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens", "ReasoningTokens")


@dataclass(frozen=True, slots=True)
class Expressions:
    """SQL over a row: whether it is one of the pairs, its cost (null: unknown), its price version."""

    is_of_pairs: str
    cost: str
    version: str

    @classmethod
    def of(cls, book: PriceBook, pairs: Sequence[tuple[str, str]], reported: str) -> Expressions:
        """For rows of these pairs; a row of the version ``reported`` that gets no price keeps its cost."""
        keys = _strings(f"{provider}\0{model}" for provider, model in pairs)
        found = [book.find(provider, model) if model else None for provider, model in pairs]
        prices = [NO_PRICE, *dict.fromkeys(price for price in found if price)]
        numbers = _numbers(1 + prices.index(price or NO_PRICE) for price in found)
        place = f"transform({_KEY}, {keys}, {numbers}, toUInt64(1))"
        counted = " OR ".join(f"{name} IS NOT NULL" for name in _COUNTED)
        possible = " AND ".join(f"ifNull({name}, 0) <= {MAX_TOKENS}" for name in _COUNTED)
        known = f"(at > 1 AND ({counted}) AND {possible})"
        cost = f"toDecimal64({_nano_usd(prices)}, 0) * toDecimal64('0.000000001', 9)"
        kept = f"PriceVersion = {_string(reported)}"
        return cls(
            f"has({keys}, {_KEY})",
            _let(place, f"multiIf({known}, {cost}, {kept}, CostUsd, NULL)"),
            _let(place, f"multiIf({known}, {_string(book.version)}, {kept}, PriceVersion, '')"),
        )


def _let(place: str, expression: str) -> str:
    """The expression with the place of the row's price as ``at``: worked out, and written, once."""
    return f"arrayElement(arrayMap(at -> {expression}, [{place}]), 1)"


def _nano_usd(prices: Sequence[Price]) -> str:
    """Billionths of a dollar; ``at`` is the place of the row's price, from 1."""

    def pick(values: Iterable[int]) -> str:
        return f"arrayElement({_numbers(values)}, at)"

    read_in, read, write, out, reasoning = (f"least(ifNull({name}, 0), {MAX_TOKENS})" for name in _COUNTED)
    cached = f"({read} + {write})"
    inside = f"({pick(price.includes_cached for price in prices)} AND {cached} <= {read_in})"
    fresh = f"toUInt64({read_in} - if({inside}, {cached}, 0))"
    within = f"({pick(price.includes_reasoning for price in prices)} AND {reasoning} <= {out})"
    said = f"toUInt64({out} - if({within}, {reasoning}, 0))"
    above = pick(min(price.above_tokens, NEVER) for price in prices)
    is_long = f"({fresh} + {cached} > {above})"
    terms = []
    for kind, count in enumerate((fresh, read, write, said, reasoning)):
        short, long = ([getattr(price, name)[kind] for price in prices] for name in ("rates", "long"))
        rate = pick(short) if short == long else f"if({is_long}, {pick(long)}, {pick(short)})"
        terms.append(f"{count} * {rate}")
    return f"intDiv({' + '.join(terms)} + 500, 1000)"


def _numbers(values: Iterable[int]) -> str:
    return f"[{', '.join(f'toUInt64({int(value)})' for value in values)}]"


def _strings(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, values))}]"


def _string(value: str) -> str:
    return f"unhex('{value.encode().hex()}')"
