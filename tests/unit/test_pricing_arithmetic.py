"""Costs are exact: the same as decimals worked out one by one, rounded once."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agenttracer.collector.pricing.arithmetic import MAX_TOKENS, Tokens, as_decimals, cost_nano_usd
from agenttracer.collector.pricing.book import Price, PriceBook
from agenttracer.collector.pricing.table import PriceTable

NANO = Decimal("0.000000001")
usd = st.decimals(0, 1000, places=6)
counts = st.one_of(st.integers(0, 5000), st.integers(0, MAX_TOKENS))
models = st.fixed_dictionaries(
    {"input": usd, "output": usd},
    optional={
        "cache_read": usd,
        "cache_write": usd,
        "reasoning": usd,
        "above": st.fixed_dictionaries({"input_tokens": st.integers(0, 5000), "input": usd, "output": usd}),
    },
)
rules = st.fixed_dictionaries(
    {},
    optional={"input": st.just("excludes_cached"), "output": st.just("excludes_reasoning")},
)


def price(model: dict[str, Any], rule: dict[str, Any] | None = None) -> Price:
    """A model's price as a book has it."""
    table = PriceTable.model_validate({"providers": {"p": {**(rule or {}), "models": {"m": model}}}})
    found = PriceBook(table).find("p", "m")
    assert found is not None
    return found


def cost(found: Price, *tokens: int) -> Decimal:
    """The cost of one call: input, cache read, cache write, output, reasoning tokens."""
    nanos = cost_nano_usd(
        Tokens(*(np.array([count], np.uint64) for count in tokens)), [found], np.zeros(1, np.int64)
    )
    (amount,) = as_decimals(nanos, np.ones(1, bool)).to_pylist()
    assert isinstance(amount, Decimal)
    return amount


def reference(model: dict[str, Any], rule: dict[str, Any], *tokens: int) -> Decimal:
    """The rule of the price file's header, in decimals."""
    read_in, read, write, out, reasoning = map(Decimal, tokens)
    fresh = read_in if rule.get("input") or read + write > read_in else read_in - read - write
    said = out if rule.get("output") or reasoning > out else out - reasoning
    rates = (
        model["above"]
        if "above" in model and fresh + read + write > model["above"]["input_tokens"]
        else model
    )
    total = (
        fresh * rates["input"]
        + read * rates.get("cache_read", rates["input"])
        + write * rates.get("cache_write", rates["input"])
        + said * rates["output"]
        + reasoning * rates.get("reasoning", rates["output"])
    )
    return (total / 1_000_000).quantize(NANO, ROUND_HALF_UP)


@given(models, rules, st.tuples(counts, counts, counts, counts, counts))
def test_costs_are_exact(model: dict[str, Any], rule: dict[str, Any], tokens: tuple[int, ...]) -> None:
    """Any prices, any counts: not negative, and the decimal that the header's rule gives."""
    amount = cost(price(model, rule), *tokens)

    assert amount >= 0
    assert reference(model, rule, *tokens) == amount


def test_what_a_call_costs() -> None:
    """A call that read 1000 tokens, 600 of them cached, and wrote 200, 150 of them reasoning."""
    model = {"input": "2.5", "cache_read": "1.25", "output": "10"}

    assert Decimal("0.003750000") == cost(price(model), 1000, 600, 0, 200, 150)


def test_parts_larger_than_their_whole_are_besides_it() -> None:
    """Cached tokens that can't be in the input, and reasoning that can't be in the output, are charged on top."""
    model = {"input": 1, "cache_read": "0.1", "output": 2}

    assert Decimal("0.000002") == cost(price(model), 1, 10, 0, 0, 0)
    assert Decimal("0.000022") == cost(price(model), 0, 0, 0, 1, 10)


def test_a_long_call_costs_more_as_a_whole() -> None:
    """One token above the limit changes the price of all."""
    model = {"input": 1, "output": 1, "above": {"input_tokens": 100, "input": 2, "output": 3}}

    assert Decimal("0.000110") == cost(price(model), 100, 0, 0, 10, 0)
    assert Decimal("0.000232") == cost(price(model), 101, 0, 0, 10, 0)


def test_half_a_billionth_is_rounded_up() -> None:
    """Rounding happens once, at the end."""
    assert Decimal("0.000000001") == cost(price({"input": "0.0005"}), 1, 0, 0, 0, 0)
    assert Decimal(0) == cost(price({"input": "0.0004"}), 1, 0, 0, 0, 0)
    assert Decimal("0.000000001") == cost(price({"input": "0.0004", "output": "0.0004"}), 1, 0, 0, 1, 0)
