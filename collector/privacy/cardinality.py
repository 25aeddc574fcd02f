"""How many distinct names of a subject a tenant may bring: models invent names, and names can be made of text."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from agenttracer.collector.distinct_values import among
from agenttracer.collector.privacy.values import PASSES, Verdicts
from agenttracer.schemas.attributes import AGENT, MODEL, STEP, TOOL

TOO_MANY = -2
"""The verdict on a name beyond the limit."""

_SUBJECTS = frozenset({AGENT, MODEL, STEP, TOOL})


class Cardinality:
    """The names that each tenant has brought since the start; the first ``max_names`` of a subject stay."""

    def __init__(self, max_names: int) -> None:
        self._max_names = max_names
        # The empty name is nobody's, and always known.
        self._known: defaultdict[tuple[str, str], set[str]] = defaultdict(lambda: {""})

    def limit(self, tenant: str, kind: str, distinct: pa.StringArray, verdicts: Verdicts) -> Verdicts:
        """The verdicts, with names beyond the limit among them as ``TOO_MANY``."""
        if kind not in _SUBJECTS:
            return verdicts
        known = self._known[tenant, kind]
        passing = np.flatnonzero(verdicts == PASSES)
        names = distinct.take(pa.array(passing)) if len(passing) < len(distinct) else distinct
        new = np.flatnonzero(~among(names, known))
        if not len(new):
            return verdicts
        room = max(self._max_names + 1 - len(known), 0)
        known.update(names.take(pa.array(new[:room])).to_pylist())
        if len(new) <= room:
            return verdicts
        limited = verdicts.copy()
        limited[passing[new[room:]]] = TOO_MANY
        return limited
