"""Which rows come from which library: a scope's name is looked at once, not once a row."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agenttracer.schemas.batch import Batch

Mask = npt.NDArray[np.bool_]


def rows_of_scopes(batch: Batch, pattern: str) -> Mask | None:
    """The rows whose scope's name the expression finds; None if there are none."""
    # Each request brings its scopes, mostly the same ones.
    names = batch.tables["scopes"].column("ScopeName").dictionary_encode(null_encoding="encode")
    found = np.array([matches(pattern, name or "") for name in names.dictionary.to_pylist()], bool)
    if not found.any():
        return None
    rows: Mask = found[names.indices.to_numpy()[batch.rows.column("Scope").to_numpy()]]
    return rows


@lru_cache(maxsize=4096)
def matches(pattern: str, name: str) -> bool:
    """Whether an expression finds something in the name of a scope or model: few distinct ones."""
    return re.search(pattern, name) is not None
