"""Which rows of one tenant are to be forgotten: all of them, or those of some runs and users.

tokens ──▶ the rows that hold one, their runs and their whole traces
runs   ──▶ their rows, and of their traces the rows that name no other run
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

_LISTS = ("runs", "traces", "whole_traces", "tokens", "artifact_keys")


@dataclass(frozen=True, slots=True, repr=False)
class Selection:
    """Nothing of ``tenant`` unless a list names it, or ``whole_tenant`` is set."""

    tenant: str
    whole_tenant: bool = False
    runs: frozenset[str] = frozenset()
    """Run ids: every row of theirs goes."""
    traces: frozenset[str] = frozenset()
    """Trace ids of the runs: rows go that name no run of their own."""
    whole_traces: frozenset[str] = frozenset()
    """Trace ids that a user's rows are in: every row goes."""
    tokens: frozenset[str] = frozenset()
    """Keyed hashes of users and sessions: rows go that hold one."""
    artifact_keys: frozenset[str] = frozenset()
    """Keys of artifacts that belong to no run."""

    def __or__(self, other: Selection) -> Selection:
        """Both, of the same tenant."""
        return replace(self, **{name: getattr(self, name) | getattr(other, name) for name in _LISTS})

    def only(self, *names: str) -> Selection:
        """The same tenant's, with these lists alone."""
        return Selection(self.tenant, **{name: getattr(self, name) for name in names})

    def chunks(self, size: int) -> Iterator[Selection]:
        """The whole in selections of at most ``size`` identifiers; none for none."""
        if self.whole_tenant:
            yield self
            return
        named = [(name, value) for name in reversed(_LISTS) for value in sorted(getattr(self, name))]
        for start in range(0, len(named), size):
            lists: dict[str, Any] = defaultdict(set)
            for name, value in named[start : start + size]:
                lists[name].add(value)
            chunk: dict[str, Any] = {name: frozenset(values) for name, values in lists.items()}
            yield Selection(self.tenant, **chunk)
