"""What happens to an attribute, decided by its key alone, once for each distinct key.

The default policy is ``schemas/attributes.py``; an operator's options can only name keys in addition.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from enum import IntEnum

from agenttracer.schemas.attributes import (
    ALLOWED,
    ALLOWED_PREFIXES,
    CONTENT_PREFIXES,
    HASHED,
    LABEL,
    LABELS,
    NAME,
    TOOL,
)

# An attribute name as the conventions form them. Anything else may have been made from somebody's text.
_WELL_FORMED_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}([.\-][a-z0-9_]{1,64}){0,9}")
_VERSION = 1


class Action(IntEnum):
    """What the key says about its value; strings are checked besides."""

    DROP = 0  # whatever the value
    NUMBER = 1  # numbers and booleans only
    LABEL = 2
    NAME = 3
    LABELS = 4
    TOOL = 5
    HASH = 6


_ACTIONS = {
    LABEL: Action.LABEL,
    NAME: Action.NAME,
    LABELS: Action.LABELS,
    TOOL: Action.TOOL,
    HASHED: Action.HASH,
}


class Policy:
    """The allow-list with an operator's additions; immutable, its decisions remembered."""

    def __init__(
        self,
        *,
        allowed_keys: Sequence[str] = (),
        blocked_keys: Sequence[str] = (),
    ) -> None:
        self._allowed = {**ALLOWED, **dict.fromkeys(allowed_keys, LABEL)}
        self._blocked = tuple(re.compile(pattern) for pattern in blocked_keys)
        self._decisions: dict[str, Action] = {}
        source = json.dumps(
            [
                _VERSION,
                sorted(self._allowed.items()),
                sorted(ALLOWED_PREFIXES.items()),
                CONTENT_PREFIXES,
                list(blocked_keys),
            ]
        )
        self.hash = hashlib.sha256(source.encode()).hexdigest()[:12]

    def action(self, key: str) -> Action:
        """The action for a key."""
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decide(key)
            if len(self._decisions) < _MAX_DECISIONS:
                self._decisions[key] = decision
        return decision

    def _decide(self, key: str) -> Action:
        if any(pattern.search(key) for pattern in self._blocked):
            return Action.DROP
        if key in self._allowed:
            return _ACTIONS[self._allowed[key]]
        if not _WELL_FORMED_KEY.fullmatch(key) or key.startswith(CONTENT_PREFIXES):
            return Action.DROP
        for prefix, meaning in ALLOWED_PREFIXES.items():
            if key.startswith(prefix):
                return _ACTIONS[meaning]
        return Action.NUMBER


_MAX_DECISIONS = 10_000
"""Keys can be made up without end; a decision that is not remembered is only made again."""
