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
    names = batch.tables["scopes"].column("ScopeName").to_pylist()
    scopes = np.array([matches(pattern, name or "") for name in names], bool)
    if not scopes.any():
        return None
    rows: Mask = scopes[batch.rows.column("Scope").to_numpy()]
    return rows


@lru_cache(maxsize=4096)
def matches(pattern: str, name: str) -> bool:
    """Whether an expression finds something in the name of a scope or model: few distinct ones."""
    return re.search(pattern, name) is not None
