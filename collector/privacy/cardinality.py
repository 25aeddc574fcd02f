"""How many distinct names of a subject a tenant may bring: models invent names, and names can be made of text."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from agenttracer.collector.privacy.values import PASSES, Verdicts
from agenttracer.schemas.attributes import AGENT, MODEL, STEP, TOOL

TOO_MANY = -2
"""The verdict on a name beyond the limit."""

_SUBJECTS = frozenset({AGENT, MODEL, STEP, TOOL})


class Cardinality:
    """The names that each tenant has brought since the start; the first ``max_names`` of a subject stay."""

    def __init__(self, max_names: int) -> None:
        self._max_names = max_names
        self._known: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def limit(self, tenant: str, kind: str, distinct: pa.StringArray, verdicts: Verdicts) -> Verdicts:
        """The verdicts, with names beyond the limit among them as ``TOO_MANY``."""
        if kind not in _SUBJECTS:
            return verdicts
        known = self._known[tenant, kind]
        passing = np.flatnonzero(verdicts == PASSES)
        names = (
            distinct.take(pa.array(passing)).to_pylist()
            if len(passing) < len(distinct)
            else distinct.to_pylist()
        )
        if known.issuperset(names):
            return verdicts
        new = dict.fromkeys(name for name in names if name and name not in known)
        room = self._max_names - len(known)
        known.update(list(new)[: max(room, 0)])
        if len(new) <= room:
            return verdicts
        beyond = [bool(name) and name not in known for name in names]
        limited = verdicts.copy()
        limited[passing[beyond]] = TOO_MANY
        return limited
