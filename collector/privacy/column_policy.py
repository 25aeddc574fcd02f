"""What the operator's options say of columns: one that was made from an attribute follows that attribute's key.

rules: [{keys: [gen_ai.agent.name], action: hash}]     gen_ai.agent.name → AgentName, and the span's name
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from agenttracer.collector.privacy.outcomes import Rule
from agenttracer.collector.privacy.policy import Action, Decision, Policy
from agenttracer.schemas.columns import (
    AGENT_NAME,
    HASHED,
    LABEL,
    MODEL_NAME,
    NAME,
    SAFE,
    STEP_NAME,
    TEXT,
    TOOL_NAME,
    content_classes,
    source_of,
)

CHECKED = frozenset({LABEL, NAME, AGENT_NAME, MODEL_NAME, STEP_NAME, TOOL_NAME})
ALLOWED_TEXT = "allowed"
"""The class of a column whose text the operator allows: kept, with what is private in it masked."""

_KEY = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+")
_CLASSES = {
    Action.HASH: HASHED,
    Action.LABEL: LABEL,
    Action.NAME: NAME,
    Action.TEXT: ALLOWED_TEXT,
    Action.KEEP: SAFE,
}
_STRICTEST_FIRST = (TEXT, HASHED, LABEL, NAME, ALLOWED_TEXT, SAFE)


@dataclass(frozen=True, slots=True)
class Declared:
    """A column, what it may carry under a policy, and the rule that decides if it may carry nothing."""

    name: str
    kind: str
    rule: str = Rule.FREE_TEXT


def declared(schemas: Mapping[str, pa.Schema], policy: Policy) -> dict[str, tuple[Declared, ...]]:
    """The columns of each table, as the schema declares them or the operator's options want them."""
    return {
        table: tuple(
            _declared(name, kind, source_of(schema.field(name)), policy)
            for name, kind in content_classes(schema)
        )
        for table, schema in schemas.items()
        if table != "attributes"
    }


def _declared(name: str, kind: str, source: str, policy: Policy) -> Declared:
    if kind not in CHECKED and kind != HASHED:
        return Declared(name, kind)
    decisions = [found for key in _KEY.findall(source) if (found := policy.overruled(key)) is not None]
    if not decisions:
        return Declared(name, kind)
    chosen = min(decisions, key=lambda each: _STRICTEST_FIRST.index(_class(each)))
    if kind == HASHED and _class(chosen) != TEXT:
        # Who it is may stand with the attribute, if somebody wants it so; the column is for counting.
        return Declared(name, kind)
    return Declared(name, _class(chosen), chosen.rule)


def _class(decision: Decision) -> str:
    return _CLASSES.get(decision.action, TEXT)
