"""The price table: the file that is shipped, and the user's own merged over it.

    as_of: 2026-11-21
    providers:
      openai:
        models:
          gpt-4o: {input: 2.50, cache_read: 1.25, output: 10}

``schemas/prices.yaml`` says what each key means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agenttracer.collector.component import Options
from agenttracer.collector.config.options import Faults, read_options
from agenttracer.collector.config.read import read_yaml
from agenttracer.collector.errors import CollectorError, StartError

Usd = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=6, allow_inf_nan=False)]


class Rates(Options):
    """USD per million tokens; what is left out is said by ``schemas/prices.yaml``."""

    input: Usd = Field(description="Tokens read.")
    cache_read: Usd | None = Field(default=None, description="Tokens read from a cache; left out: as input.")
    cache_write: Usd | None = Field(default=None, description="Tokens put into a cache; left out: as input.")
    output: Usd = Field(default=Decimal(0), description="Tokens written.")
    reasoning: Usd | None = Field(default=None, description="Tokens spent on reasoning; left out: as output.")


class LongRates(Rates):
    """The whole call's prices when it reads more than so many tokens."""

    input_tokens: int = Field(
        ge=0, description="Tokens read, cached ones included, that are not yet too many."
    )


class ModelPrices(Rates):
    """One model's prices."""

    aliases: tuple[str, ...] = Field(default=(), description="Other names of the same model.")
    above: LongRates | None = Field(default=None, description="Prices of long calls.")


class Provider(Options):
    """One provider's models."""

    source: str = Field(default="", description="Where its prices were read.")
    aliases: tuple[str, ...] = Field(default=(), description="Other names of the same provider.")
    same_as: tuple[str, ...] = Field(
        default=(), description="Providers whose models it sells at their prices."
    )
    input: Literal["includes_cached", "excludes_cached"] = Field(
        default="includes_cached", description="Whether InputTokens includes those of a cache."
    )
    output: Literal["includes_reasoning", "excludes_reasoning"] = Field(
        default="includes_reasoning", description="Whether OutputTokens includes those of reasoning."
    )
    models: dict[str, ModelPrices | None] = Field(
        default_factory=dict, description="Prices by model; null takes one away."
    )


class PriceTable(Options):
    """A price file."""

    as_of: str = Field(default="", max_length=32, description="The day that the prices are from.")
    providers: dict[str, Provider] = Field(default_factory=dict, description="Providers by name.")

    @property
    def version(self) -> str:
        """The day and a hash of everything that decides a cost: ``2026-11-21+1a2b3c4d``."""
        text = json.dumps(self.model_dump(mode="json", exclude={"as_of"}), sort_keys=True)
        return f"{self.as_of}+{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def load_prices(path: Path | None = None) -> PriceTable:
    """The shipped table with the user's file, if any, over it; raises ``StartError``."""
    shipped = files("agenttracer.schemas").joinpath("prices.yaml").read_text("utf-8")
    table = _parse(shipped, "prices.yaml")
    if path is None:
        return table
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the price file {path} can't be read: {type(error).__name__}") from None
    return merge(table, _parse(text, str(path)))


def merge(base: PriceTable, over: PriceTable) -> PriceTable:
    """``base`` with every provider's given keys, and every model's line, of ``over`` in place of its own."""
    providers = dict(base.providers)
    for name, own in over.providers.items():
        before = providers.get(name, Provider())
        given = {key: getattr(own, key) for key in own.model_fields_set - {"models"}}
        models = {model: _named(prices, before.models.get(model)) for model, prices in own.models.items()}
        providers[name] = before.model_copy(update={**given, "models": {**before.models, **models}})
    table = PriceTable(as_of=over.as_of or base.as_of, providers=providers)
    _check(table, "the merged price table")
    return table


def _named(own: ModelPrices | None, before: ModelPrices | None) -> ModelPrices | None:
    """Other prices for a model don't take its other names away."""
    if own is None or before is None or "aliases" in own.model_fields_set:
        return own
    return own.model_copy(update={"aliases": before.aliases})


def _parse(text: str, source: str) -> PriceTable:
    try:
        table, _ = read_options(PriceTable, read_yaml(text, source).data)
    except Faults as faults:
        lines = (f"{'.'.join(fault.path)}: {fault.message}" for fault in faults.faults)
        raise StartError(f"the price file {source} can't be used: {'; '.join(lines)}") from None
    except CollectorError as error:
        raise StartError(f"the price file {source} can't be used: {error}") from None
    return table


def _check(table: PriceTable, source: str) -> None:
    known: Mapping[str, Provider] = table.providers
    lost = sorted({name for provider in known.values() for name in provider.same_as if name not in known})
    if lost:
        raise StartError(f"{source} can't be used: same_as names {', '.join(lost)}, which it lacks")
