"""Which rows come from which library: a scope's name is looked at once, not once a row."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agenttracer.collector.distinct_values import FirstMatch
from agenttracer.schemas.batch import Batch

Mask = npt.NDArray[np.bool_]


def rows_of_scopes(batch: Batch, pattern: str) -> Mask | None:
    """The rows whose scope's name the expression finds, which RE2 and ``re`` take alike; None if there are none."""
    # Each request brings its scopes, mostly the same ones.
    names = batch.tables["scopes"].column("ScopeName")
    names = (names.fill_null("") if names.null_count else names).dictionary_encode()
    found = _finder(pattern)(names.dictionary) >= 0
    if not found.any():
        return None
    rows: Mask = found[names.indices.to_numpy()[batch.rows.column("Scope").to_numpy()]]
    return rows


@lru_cache
def _finder(pattern: str) -> FirstMatch:
    return FirstMatch([pattern])
