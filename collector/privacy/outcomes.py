"""What redaction did to a value: which rule, to what class of thing, by which action. Never the value.

Outcomes are numbered, so that a column of numbers can say what became of every value of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from threading import Lock


class Rule(StrEnum):
    """What decided; detectors decide under their own names."""

    NOT_ALLOWED = "not_allowed"  # no rule allows the key
    MALFORMED_KEY = "malformed_key"  # no convention forms a key like this: it may be somebody's text
    CONTENT = "content"  # the key is one that prompts, responses, arguments or documents stand under
    FREE_TEXT = "free_text"  # a field of OTLP that is made of sentences
    SPAN_NAME = "span_name"  # names are made anew, from allowed parts
    SHAPE = "shape"  # the value doesn't look like what the key may hold
    TYPE = "type"  # the key may hold a value, of another type
    IDENTITY = "identity"  # who, or which session
    CARDINALITY = "cardinality"  # one name too many
    BLOCKED_KEY = "blocked_key"
    BLOCKED_VALUE = "blocked_value"
    SANITIZER = "sanitizer"
    OPERATOR = "operator"  # a rule of the configuration
    FAILURE = "failure"  # a rule failed on the value


class Change(StrEnum):
    """What was done."""

    DROP = "drop"
    MASK = "mask"
    HASH = "hash"
    MOVE = "move"  # into the artifact store


_ALLOWED_TO_SEND = frozenset(
    {
        Rule.NOT_ALLOWED,
        Rule.MALFORMED_KEY,
        Rule.SPAN_NAME,
        Rule.SHAPE,
        Rule.TYPE,
        Rule.IDENTITY,
        Rule.CARDINALITY,
        Rule.SANITIZER,
        Rule.OPERATOR,
        Rule.FAILURE,
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``rule`` is a ``Rule`` or a detector's name, ``kind`` a content class or ``attribute``."""

    rule: str
    kind: str
    change: Change

    @property
    def violates(self) -> bool:
        """Whether the sender sent what policy forbids: content or personal data, not just something unknown."""
        return self.rule not in _ALLOWED_TO_SEND


class Outcomes:
    """The numbers of outcomes, from 1; 0 says that a value stayed as it came."""

    def __init__(self) -> None:
        self._known: list[Outcome] = []
        self._numbers: dict[tuple[str, str, Change], int] = {}
        self._lock = Lock()

    def number(self, rule: str, kind: str, change: Change) -> int:
        """The number of an outcome, the same for the life of this object."""
        key = (rule, kind, change)
        number = self._numbers.get(key)
        if number is None:
            with self._lock:
                if key not in self._numbers:
                    self._known.append(Outcome(str(rule), kind, change))
                    self._numbers[key] = len(self._known)
                number = self._numbers[key]
        return number

    def __getitem__(self, number: int) -> Outcome:
        return self._known[number - 1]

    def __len__(self) -> int:
        return len(self._known)


UNCHANGED = 0
