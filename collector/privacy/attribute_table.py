"""Redaction of the one attribute table: keys decide once each, distinct strings are checked once each.

key → action      DROP, MASK, HASH, KEEP   decided
                  NUMBER                   numbers and booleans stay
                  LABEL, NAME, TOOL, ...   a string stays if it passes (values.py)
                  TEXT                     a string stays, what is private in it masked (free_text.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View
from agenttracer.collector.privacy.attribute_changes import IS_TEXT, NESTED, Changes
from agenttracer.collector.privacy.columns import Tokens
from agenttracer.collector.privacy.free_text import FreeText
from agenttracer.collector.privacy.nested_keys import MASK
from agenttracer.collector.privacy.outcomes import UNCHANGED, Change, Outcomes, Rule
from agenttracer.collector.privacy.policy import Action, Decision, Policy
from agenttracer.collector.privacy.sanitizers import Sanitize
from agenttracer.collector.privacy.values import PASSES, UNKNOWN, Verdicts
from agenttracer.collector.string_views import StringViews
from agenttracer.schemas.attributes import AGENT, LABEL, LABELS, MODEL, NAME, STEP, TOOL
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import EventName

_NUMBERS = (Kind.BOOL, Kind.INT, Kind.DOUBLE)
_KINDS = len(Kind)
_CLASSES = {
    Action.LABEL: LABEL,
    Action.UNKNOWN: UNKNOWN,
    Action.LABELS: LABELS,
    Action.NAME: NAME,
    Action.AGENT: AGENT,
    Action.MODEL: MODEL,
    Action.STEP: STEP,
    Action.TOOL: TOOL,
}
_RENDERED = (Action.LABELS, Action.TEXT, Action.KEEP)
_READ = (*_CLASSES, Action.HASH)
"""Whose strings are looked at, each distinct one once."""
_PLACE_OF_ACTION = np.array([_READ.index(action) if action in _READ else -1 for action in Action], np.int64)
ATTRIBUTE = "attribute"
"""The class of what is decided by its key alone."""
Mask = npt.NDArray[np.bool_]


def _cells(holds: Callable[[Action, Kind], bool]) -> Mask:
    """What holds for each action (rows) and kind of value (columns)."""
    return np.array([[holds(action, kind) for kind in Kind] for action in Action], bool)


_IS_RENDERED = _cells(lambda action, kind: kind in NESTED and action in _RENDERED)
_IS_READ = _cells(
    lambda action, kind: (
        (kind == Kind.STRING and action in _READ) or (kind in NESTED and action == Action.LABELS)
    )
)
_IS_MISTYPED = _cells(lambda action, kind: kind != Kind.STRING and action in _CLASSES)
# A user's or session's number tells as much as its name; only a hash may stay, and that is a string.
_STAYS = _cells(
    lambda action, kind: (
        (kind in _NUMBERS and action not in (Action.DROP, Action.HASH))
        or (kind == Kind.EMPTY and action > Action.NUMBER)
        or action == Action.KEEP
    )
)


@dataclass(frozen=True, slots=True)
class Read:
    """The strings of one class or of identities: their rows, the distinct ones, and the number of each row's."""

    action: Action
    kind: str
    rows: npt.NDArray[np.int64]
    distinct: pa.StringArray
    numbers: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The table's decisions, one for each key and each kind of value (``cells``), and the strings that may stay."""

    changes: Changes
    by_key: npt.NDArray[np.int8]
    decisions: list[Decision]
    codes: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    read: list[Read]

    @property
    def checked(self) -> list[Read]:
        """The strings that stay or go by what they look like."""
        return [each for each in self.read if each.action is not Action.HASH]

    def spread(self, of_cell: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What holds for each key and kind, for each attribute."""
        return of_cell.ravel().take(self.cells)


@dataclass(frozen=True, slots=True)
class Redacted:
    """The clean table, and of every attribute that came: what became of it, whether it was left alone on the
    operator's word, and its size in bytes."""

    table: pa.RecordBatch
    outcomes: npt.NDArray[np.int16]
    ignored: Mask
    bytes: npt.NDArray[np.int64]


def candidates(attributes: View, policy: Policy) -> Candidates:
    """What is to be checked of the table, decided by the keys alone."""
    decisions = policy.decide_all(attributes.keys)
    codes = attributes.codes
    bodies = attributes.place(Place.BODY)
    if bodies.stop > bodies.start:
        # Bodies have no key: whatever is said of the empty one, they are decided on their own.
        codes = codes.copy()
        codes[bodies] = len(decisions)
        decisions.append(policy.decide_body())
    by_key = np.array([decision.action for decision in decisions] or [Action.DROP], np.int8)
    cells = codes * _KINDS + attributes.kinds
    found = Candidates(Changes(attributes), by_key, decisions, codes, cells, [])
    if _IS_RENDERED[by_key].any():
        listed = np.flatnonzero(found.spread(_IS_RENDERED[by_key]))
        if len(listed):
            found.changes.render(listed)
    rows = np.flatnonzero(found.spread(_IS_READ[by_key]))
    if len(rows):
        found.read.extend(_read(found, rows))
    return found


def _read(found: Candidates, rows: npt.NDArray[np.int64]) -> Iterator[Read]:
    """The strings of these rows, action by action."""
    encoded = found.changes.texts(rows).dictionary_encode()
    numbers = encoded.indices.to_numpy().astype(np.int64)
    actions = _PLACE_OF_ACTION[found.by_key][found.codes[rows]]
    # Each pair of an action and a string that occurs, in order: one take for all actions.
    count = len(encoded.dictionary)
    occurs = np.zeros(len(_READ) * count, bool)
    pairs = actions * count + numbers
    occurs[pairs] = True
    distinct = encoded.dictionary.take(pa.array(np.flatnonzero(occurs) % count))
    number_of_pair = np.cumsum(occurs) - 1
    order = np.argsort(actions.astype(np.int8), kind="stable")
    ends = np.cumsum(np.bincount(actions, minlength=len(_READ)))
    start = first = 0
    for place, end in enumerate(ends.tolist()):
        if end == start:
            continue
        chosen = order[start:end]
        last = int(number_of_pair[(place + 1) * count - 1]) + 1
        own = number_of_pair[pairs[chosen]] - first
        action = _READ[place]
        yield Read(action, _CLASSES.get(action, ""), rows[chosen], distinct[first:last], own)
        start, first = end, last


class AttributeRedaction:
    """One policy's redaction of attribute tables."""

    def __init__(
        self,
        free_text: FreeText,
        sanitizers: dict[str, Sanitize],
        outcomes: Outcomes,
        rule_of: Callable[[int], str],
        *,
        every_type: bool,
    ) -> None:
        self._free_text = free_text
        self._sanitizers = sanitizers
        self._outcomes = outcomes
        self._rule_of = rule_of
        self._every_type = every_type

    def __call__(
        self, attributes: View, batch: Batch, found: Candidates, verdicts: Sequence[Verdicts], tokens: Tokens
    ) -> Redacted:
        """Keep what the policy allows, hash who and which session, mask, drop the rest."""
        kinds = attributes.kinds
        artifacts = _artifact_bodies(batch, attributes)
        actions = found.by_key[found.codes] if len(found.codes) else np.zeros(0, np.int8)
        keep = found.spread(_STAYS[found.by_key])
        if artifacts is not None:
            actions[artifacts] = Action.KEEP
            keep |= artifacts
        changes = found.changes
        outcomes = self._of_keys(found)
        for each, verdict in zip(found.checked, verdicts, strict=True):
            keep[each.rows] = self._judge(each, verdict, outcomes)
        for each in found.read:
            if each.action is Action.HASH:
                keep[each.rows] = True
                changes.replace(each.rows, tokens(each.distinct), each.numbers)
        if (found.by_key >= Action.TEXT).any():
            self._mask(changes, found, actions, attributes, keep, outcomes)
        if self._free_text.blocks_values:
            self._block_values(changes, kinds, actions, keep, outcomes)
        changed = ~keep | (actions == Action.HASH) | changes.masked
        ignored = actions == Action.KEEP
        return Redacted(
            changes.table(keep),
            np.where(changed, outcomes, UNCHANGED),
            ignored if artifacts is None else ignored & ~artifacts,
            changes.sizes(),
        )

    def _of_keys(self, found: Candidates) -> npt.NDArray[np.int16]:
        """What became of each attribute if its key and kind alone decide."""
        changes = {Action.HASH: Change.HASH, Action.MASK: Change.MASK}
        of_key = [
            self._outcomes.number(decision.rule, ATTRIBUTE, changes.get(decision.action, Change.DROP))
            for decision in found.decisions
        ]
        of_cell = np.repeat(np.array(of_key or [UNCHANGED], np.int16)[:, None], _KINDS, axis=1)
        mistyped = _IS_MISTYPED[found.by_key]
        if mistyped.any():
            of_cell[mistyped] = self._outcomes.number(Rule.TYPE, ATTRIBUTE, Change.DROP)
        outcomes: npt.NDArray[np.int16] = found.spread(of_cell)
        return outcomes

    def _judge(self, read: Read, verdict: Verdicts, outcomes: npt.NDArray[np.int16]) -> Mask:
        passing: Mask = verdict == PASSES
        if passing.all():
            return np.ones(len(read.rows), bool)
        found, which = np.unique(verdict, return_inverse=True)
        of_verdict = [
            UNCHANGED
            if each == PASSES
            else self._outcomes.number(self._rule_of(each), read.kind, Change.DROP)
            for each in found.tolist()
        ]
        outcomes[read.rows] = np.array(of_verdict, np.int16)[which[read.numbers]]
        return passing[read.numbers]

    def _mask(
        self,
        changes: Changes,
        found: Candidates,
        actions: npt.NDArray[np.int8],
        attributes: View,
        keep: Mask,
        outcomes: npt.NDArray[np.int16],
    ) -> None:
        """Text that the operator allowed, without what is private in it; blocked keys without their values."""
        texts = (actions == Action.TEXT) & IS_TEXT[attributes.kinds]
        for sanitize, rows in self._by_sanitizer(texts, found, attributes):
            keep[rows] = True
            distinct, indices = self._free_text.encode(changes.views(rows))
            cleaned = self._free_text.clean(distinct, sanitize)
            for rule, hit in cleaned.hits:
                outcomes[rows[hit[indices]]] = self._outcomes.number(rule, ATTRIBUTE, Change.MASK)
            changed = cleaned.changed[indices]
            if changed.any():
                numbers = (np.cumsum(cleaned.changed) - 1)[indices[changed]]
                changes.mask(rows[changed], cleaned.instead, numbers)
        blocked = np.flatnonzero((actions == Action.MASK) & (attributes.kinds != Kind.EMPTY))
        if len(blocked):
            keep[blocked] = True
            values = changes.texts(blocked)
            exempt = self._free_text.exempt(values)
            rest = pc.fill_null(values.filter(pa.array(~exempt)), MASK)
            changes.mask(blocked[~exempt], self._free_text.blocked(rest))

    def _by_sanitizer(
        self, texts: Mask, found: Candidates, attributes: View
    ) -> list[tuple[Sanitize | None, npt.NDArray[np.int64]]]:
        rows = np.flatnonzero(texts)
        if not len(rows):
            return []
        of_key = [self._sanitizers.get(key) for key in attributes.keys]
        functions: list[Sanitize | None] = list(dict.fromkeys(of_key)) if any(of_key) else [None]
        if functions == [None]:
            return [(None, rows)]
        # A body has no key of its own, and no sanitizer.
        numbers = np.array([*(functions.index(each) for each in of_key), -1])[found.codes[rows]]
        numbers[numbers < 0] = functions.index(None) if None in functions else len(functions)
        return [
            (function, rows[numbers == number])
            for number, function in enumerate([*functions, None])
            if (numbers == number).any()
        ]

    def _block_values(
        self,
        changes: Changes,
        kinds: npt.NDArray[np.uint8],
        actions: npt.NDArray[np.int8],
        keep: Mask,
        outcomes: npt.NDArray[np.int16],
    ) -> None:
        """``blocked_values`` hold for everything that stays and wasn't masked already."""
        rest = keep & ~np.isin(actions, (Action.TEXT, Action.MASK, Action.KEEP, Action.HASH))
        looked_at = rest & (IS_TEXT[kinds] | (self._every_type & np.isin(kinds, _NUMBERS)))
        rows = np.flatnonzero(looked_at)
        if not len(rows):
            return
        distinct, indices = self._free_text.encode(StringViews.of(changes.rendered(rows)))
        cleaned, hit = self._free_text.without_blocked_values(distinct.array())
        changed = hit[indices]
        if changed.any():
            changes.mask(rows[changed], cleaned.take(pa.array(indices[changed])))
            outcomes[rows[changed]] = self._outcomes.number(Rule.BLOCKED_VALUE, ATTRIBUTE, Change.MASK)


def _artifact_bodies(batch: Batch, attributes: View) -> Mask | None:
    """The bodies that are artifacts: content that an agent recorded on purpose, on its way to their store."""
    part = attributes.place(Place.BODY)
    if batch.signal is not Signal.LOGS or part.stop == part.start:
        return None
    chosen = np.zeros(len(attributes.kinds), bool)
    is_artifact = pc.equal(batch.rows.column("EventName"), EventName.ARTIFACT.value).to_numpy(
        zero_copy_only=False
    )
    whole = np.isin(attributes.kinds[part], (Kind.STRING, Kind.BYTES))
    chosen[part] = is_artifact[attributes.owners[part]] & whole
    return chosen
