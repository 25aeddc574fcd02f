"""What happens to an attribute, decided by its key alone, once for each distinct key.

    ignored keys → the operator's rules → blocked keys → keys the operator allowed → the built-in list
                 → content → (mode: labels) whatever passes as a label → numbers and booleans

The built-in list is ``schemas/attributes.py``; where content stands is ``schemas/content.py``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.expressions import Expressions
from agenttracer.collector.privacy.options import Mode, PolicyOptions, Sanitizer
from agenttracer.collector.privacy.outcomes import Rule
from agenttracer.collector.privacy.summary import COUNTS
from agenttracer.schemas.attributes import (
    AGENT,
    ALLOWED,
    ALLOWED_PREFIXES,
    HASHED,
    LABEL,
    LABELS,
    MODEL,
    NAME,
    NO_NUMBERS,
    STEP,
    TOOL,
)
from agenttracer.schemas.content import CONTENT_KEYS, CONTENT_PREFIXES, REFERENCES, content_role

# An attribute name as the conventions form them. Anything else may have been made from somebody's text.
_WELL_FORMED_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}([.\-][a-z0-9_]{1,64}){0,9}")
_NUMBER_OF_SOMEBODY = re.compile(r"[0-9]{7}")
# What joins the words of a key would hide a number among them from the detectors.
_JOINING = str.maketrans("._", "  ")
_VERSION = 3
BODY = "body"
"""The key that a log record's body is decided under; it has none of its own."""


class Action(IntEnum):
    """What the key says about its value; strings are checked besides."""

    DROP = 0  # whatever the value
    NUMBER = 1  # numbers and booleans only
    LABEL = 2
    UNKNOWN = 3  # a label under a key that nobody knows: checked more strictly
    LABELS = 4
    NAME = 5
    AGENT = 6
    MODEL = 7
    STEP = 8
    TOOL = 9
    HASH = 10
    TEXT = 11  # any text, its detectors masking
    MASK = 12
    KEEP = 13  # unchecked


_ACTIONS = {
    LABEL: Action.LABEL,
    LABELS: Action.LABELS,
    NAME: Action.NAME,
    AGENT: Action.AGENT,
    MODEL: Action.MODEL,
    STEP: Action.STEP,
    TOOL: Action.TOOL,
    HASHED: Action.HASH,
}
_RULE_ACTIONS = {
    "keep": Action.TEXT,
    "label": Action.LABEL,
    "name": Action.NAME,
    "hash": Action.HASH,
    "mask": Action.MASK,
    "drop": Action.DROP,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The action for a key, the rule that decided, and where the rule stands, in words for an operator."""

    action: Action
    rule: Rule
    because: str


class Policy:
    """One policy; immutable, its decisions remembered."""

    def __init__(self, options: PolicyOptions | None = None) -> None:
        self.options = options or PolicyOptions()
        self._detectors = Detectors()
        self._ignored = Expressions(self.options.ignored_key_patterns)
        self._blocked = Expressions(self.options.blocked_key_patterns)
        self._allowed_patterns = Expressions(self.options.allowed_key_patterns)
        self._rule_patterns = [Expressions(rule.key_patterns) for rule in self.options.rules]
        self._decisions: dict[str, Decision] = {}
        self.hash = _hash(self.options)

    def decide(self, key: str) -> Decision:
        """The decision for a key."""
        return self.decide_all([key])[0]

    def decide_all(self, keys: Sequence[str]) -> list[Decision]:
        """The decisions for keys; the new ones among them are searched together."""
        known = {key: found for key in keys if (found := self._decisions.get(key)) is not None}
        new = [key for key in dict.fromkeys(keys) if key not in known]
        if new:
            known.update(zip(new, self._decide(new), strict=True))
            # Keys can be made up without end.
            if len(self._decisions) + len(new) > _MAX_DECISIONS:
                self._decisions.clear()
            else:
                self._decisions.update({key: known[key] for key in new})
        return [known[key] for key in keys]

    def tellable(self, keys: Sequence[str]) -> list[bool]:
        """Which keys may be named to somebody: formed as the conventions form them, with nothing private in them."""
        private = self._are_private(keys)
        return [is_well_formed(key) and not found for key, found in zip(keys, private, strict=True)]

    def decide_body(self) -> Decision:
        """The decision for the bodies of log records: content, unless the operator allows them."""
        decision = self.of_operator(BODY)
        return decision or Decision(Action.DROP, Rule.CONTENT, "the body of a log record is content")

    def of_operator(self, key: str, *, is_private: bool = False) -> Decision | None:
        """What the operator's own options say of a key; None if they don't speak of it."""
        options = self.options
        if key in options.ignored_keys:
            return Decision(Action.KEEP, Rule.OPERATOR, "ignored_keys names it")
        if self._ignored.match(key):
            return Decision(Action.KEEP, Rule.OPERATOR, "a pattern of ignored_key_patterns matches")
        for number, rule in enumerate(options.rules):
            if key in rule.keys or self._rule_patterns[number].match(key):
                return Decision(
                    _RULE_ACTIONS[rule.action], Rule.OPERATOR, f"rules[{number}] says {rule.action}"
                )
        allowed = self._allowed(key)
        if self._blocked.match(key):
            # As in the Collector: what isn't allowed is deleted, not masked.
            kept = allowed or self._built_in(key, is_private).action > Action.NUMBER
            action = Action.MASK if kept else Action.DROP
            return Decision(action, Rule.BLOCKED_KEY, "a pattern of blocked_key_patterns matches")
        if allowed and is_private and key not in options.allowed_keys:
            return Decision(Action.DROP, Rule.MALFORMED_KEY, "a detector finds something in the key itself")
        return Decision(Action.TEXT, Rule.OPERATOR, allowed) if allowed else None

    def overruled(self, key: str) -> Decision | None:
        """What the operator's options say of a key of the built-in list in its place, or that the list is off."""
        return self.of_operator(key) or (
            self._built_in(key, is_private=False) if self.options.mode is Mode.CUSTOM else None
        )

    def _decide(self, keys: Sequence[str]) -> Iterator[Decision]:
        for key, is_private in zip(keys, self._are_private(keys), strict=True):
            yield self.of_operator(key, is_private=is_private) or self._built_in(key, is_private)

    def _are_private(self, keys: Sequence[str]) -> list[bool]:
        """Whether detectors find something in keys."""
        spaced = [key.translate(_JOINING) for key in keys]
        found, apart = (
            self._detectors.found(pa.array(each, pa.string())).is_valid() for each in (keys, spaced)
        )
        return pc.or_(found, apart).to_pylist()

    def _allowed(self, key: str) -> str:
        """Which option allows text under a key, or nothing."""
        options = self.options
        if key in options.allowed_keys:
            return "allowed_keys names it"
        if options.mode is not Mode.CUSTOM:
            if any(key in sanitizer.attributes for sanitizer in _sanitizers(options) if sanitizer.enabled):
                return "a sanitizer names it"
            if key in ALLOWED:
                return ""
        if self._allowed_patterns.match(key):
            return "a pattern of allowed_key_patterns matches"
        return "allow_all_keys is set" if options.allow_all_keys else ""

    def _built_in(self, key: str, is_private: bool) -> Decision:
        if key in COUNTS:
            return Decision(Action.NUMBER, Rule.NOT_ALLOWED, "counts of earlier collectors add up")
        if self.options.mode is Mode.CUSTOM:
            return Decision(Action.DROP, Rule.NOT_ALLOWED, "mode is custom and no option names it")
        if key in ALLOWED:
            meaning = ALLOWED[key]
            rule = Rule.IDENTITY if meaning == HASHED else Rule.SHAPE
            return Decision(_ACTIONS[meaning], rule, f"the built-in list holds it as {meaning}")
        if content_role(key) is not None:
            return Decision(Action.DROP, Rule.CONTENT, f"it holds content ({content_role(key)})")
        if key in REFERENCES.values():
            return Decision(Action.DROP, Rule.NOT_ALLOWED, "only the collector says where content rests")
        if is_private or not is_well_formed(key):
            return Decision(Action.DROP, Rule.MALFORMED_KEY, "no convention forms a key like this")
        if key.startswith(NO_NUMBERS):
            return Decision(Action.DROP, Rule.CONTENT, "under this prefix even a number may be private")
        for prefix, meaning in ALLOWED_PREFIXES.items():
            if key.startswith(prefix):
                return Decision(
                    _ACTIONS[meaning], Rule.SHAPE, f"the built-in list holds {prefix}* as {meaning}"
                )
        if self.options.mode is Mode.LABELS:
            return Decision(Action.UNKNOWN, Rule.SHAPE, "mode is labels: it may stay if it passes as one")
        return Decision(Action.NUMBER, Rule.NOT_ALLOWED, "no rule allows text; numbers and booleans stay")


def is_well_formed(key: str) -> bool:
    """Whether a key is formed as the conventions form attribute names."""
    return _WELL_FORMED_KEY.fullmatch(key) is not None and _NUMBER_OF_SOMEBODY.search(key) is None


def _sanitizers(options: PolicyOptions) -> list[Sanitizer]:
    engines = options.db_sanitizer
    return [
        options.url_sanitizer,
        *(
            getattr(engines, name)
            for name in ("sql", "redis", "valkey", "memcached", "mongo", "opensearch", "es")
        ),
    ]


def _hash(options: PolicyOptions) -> str:
    # A secret is not part of what a policy allows, and its hash must not be guessable from a row.
    said = options.model_dump(mode="json", exclude={"hmac_key"})
    built_in = [sorted(ALLOWED.items()), sorted(ALLOWED_PREFIXES.items()), NO_NUMBERS]
    content = [sorted(CONTENT_KEYS.items()), sorted(CONTENT_PREFIXES.items())]
    source = json.dumps([_VERSION, said, built_in, content], sort_keys=True)
    return hashlib.sha256(source.encode()).hexdigest()[:12]


_MAX_DECISIONS = 10_000
