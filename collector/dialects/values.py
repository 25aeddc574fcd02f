"""Values of any dialect → the conventions' own: providers, operations, finish reasons, token counts, attempts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import map_values
from agenttracer.collector.dialects.columns import EVIDENCE, Columns
from agenttracer.collector.dialects.scopes import rows_of_scopes
from agenttracer.collector.distinct_values import FirstWord, among, of_each, words
from agenttracer.schemas.batch import Batch
from agenttracer.schemas.dialect_values import (
    EXCLUSIVE_COUNTS,
    FINISH_REASONS,
    FRAMEWORKS,
    MODEL_PROVIDERS,
    OPERATIONS,
    PROVIDERS,
)
from agenttracer.schemas.semconv import RUN_STATUS_ALIASES, RunStatus

_OWNERS = FirstWord(MODEL_PROVIDERS)
_LONGEST_MODEL = 128
_STATUSES = {**{status.value: status.value for status in RunStatus}, **RUN_STATUS_ALIASES}


def translate(columns: Columns, batch: Batch) -> None:
    """Puts every column's values into the conventions' words."""
    if (status := columns.get("RunStatus")) is not None:
        columns["RunStatus"] = map_values(status, _STATUSES).dictionary_encode()
    if (operation := columns.get("Operation")) is not None:
        columns["Operation"] = _known(operation, OPERATIONS)
    if (reason := columns.get("FinishReason")) is not None:
        columns["FinishReason"] = _known(reason, FINISH_REASONS)
    _providers(columns)
    _include_cached_tokens(columns, batch)
    if (resends := columns.get("Resends")) is not None:
        attempts = pc.add(resends, 1)
        own = columns.get("Attempt")
        columns["Attempt"] = attempts if own is None else pc.coalesce(own, attempts)
    for name in EVIDENCE:
        columns.pop(name, None)


def _known(values: pa.StringArray, table: dict[str, str]) -> pa.StringArray:
    """Values that the table knows, in whatever case, in its words; others as they came: a detector that redaction
    runs on them later may go by their case."""

    def known(distinct: pa.StringArray) -> pa.StringArray:
        plain = pc.replace_substring(pc.utf8_lower(distinct), " ", "_")
        return pc.coalesce(words(plain, table), distinct)

    return of_each(values, known)


def _providers(columns: Columns) -> None:
    """Who serves the model: as named, unless a framework named itself; else who alone owns such a model."""
    provider, model = columns.get("Provider"), columns.get("Model")
    if provider is not None:
        columns["Provider"] = provider = of_each(provider, _named)
    if model is None or (provider is not None and not provider.null_count):
        return
    owner = of_each(model, _owner)
    if owner.null_count < len(owner):
        columns["Provider"] = owner if provider is None else pc.coalesce(provider, owner)


def _named(providers: pa.StringArray) -> pa.StringArray:
    plain = pc.utf8_lower(providers)
    named = pc.coalesce(words(plain, PROVIDERS), providers)
    return pc.if_else(pa.array(among(plain, FRAMEWORKS)), None, named)


def _owner(models: pa.StringArray) -> pa.StringArray:
    return _OWNERS(pc.utf8_lower(pc.utf8_slice_codeunits(models, 0, _LONGEST_MODEL)))


def _include_cached_tokens(columns: Columns, batch: Batch) -> None:
    """Input tokens with the cached ones, where a dialect counts them apart."""
    given = columns.get("InputTokens")
    cached = [columns[name] for name in ("CacheReadTokens", "CacheWriteTokens") if name in columns]
    if given is None or not cached:
        return
    inputs = _numbers(given)
    cache = np.sum([_numbers(column) for column in cached], axis=0)
    # More cached than read at all, or a total that holds both: the count can't include them.
    apart = cache > inputs
    if (total := columns.get("TotalTokens")) is not None:
        written = _numbers(columns["OutputTokens"]) if "OutputTokens" in columns else 0
        apart |= (cache > 0) & (_numbers(total) == inputs + written + cache)
    for rule in EXCLUSIVE_COUNTS:
        rows = rows_of_scopes(batch, rule.scope)
        if rows is not None and (provider := columns.get("Provider")) is not None:
            named = pc.is_in(provider, pa.array(sorted(rule.providers))).to_numpy(zero_copy_only=False)
            apart |= rows & named
    apart &= given.is_valid().to_numpy(zero_copy_only=False)
    if apart.any():
        whole = pa.array((inputs + cache)[apart], pa.uint64())
        columns["InputTokens"] = pc.replace_with_mask(given, pa.array(apart), whole)


def _numbers(column: pa.Array) -> np.ndarray:
    numbers: np.ndarray = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
