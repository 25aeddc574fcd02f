"""Redaction of the one attribute table: keys decide once each, distinct strings are checked once each.

key → action      DROP, MASK, HASH, KEEP   decided
                  NUMBER                   numbers and booleans stay
                  LABEL, NAME, TOOL, ...   a string stays if it passes (values.py)
                  TEXT                     a string stays, what is private in it masked (free_text.py)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View
from agenttracer.collector.privacy.attribute_changes import NESTED, Changes, sizes
from agenttracer.collector.privacy.columns import Tokens
from agenttracer.collector.privacy.free_text import FreeText
from agenttracer.collector.privacy.nested_keys import MASK
from agenttracer.collector.privacy.outcomes import UNCHANGED, Change, Outcomes, Rule
from agenttracer.collector.privacy.policy import Action, Decision, Policy
from agenttracer.collector.privacy.sanitizers import Sanitize
from agenttracer.collector.privacy.values import PASSES, UNKNOWN, Verdicts
from agenttracer.schemas.attributes import AGENT, LABEL, LABELS, MODEL, NAME, STEP, TOOL
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import EventName

_NUMBERS = (Kind.BOOL, Kind.INT, Kind.DOUBLE)
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
ATTRIBUTE = "attribute"
"""The class of what is decided by its key alone."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The table's decisions, and the strings that may stay: class by class, each distinct value once."""

    changes: Changes
    actions: npt.NDArray[np.int8]
    decisions: list[Decision]
    codes: npt.NDArray[np.int32]
    rows: tuple[tuple[str, npt.NDArray[np.int64], pa.DictionaryArray], ...]


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
    actions = by_key[codes] if len(codes) else np.zeros(0, np.int8)
    changes = Changes(attributes)
    listed = np.isin(attributes.kinds, NESTED) & np.isin(actions, _RENDERED)
    if listed.any():
        changes.render(np.flatnonzero(listed))
    is_text = attributes.kinds == Kind.STRING
    rows = []
    present = set(by_key.tolist())
    for action, kind in _CLASSES.items():
        if action not in present:
            continue
        held = is_text | listed if action == Action.LABELS else is_text
        chosen = np.flatnonzero(held & (actions == action))
        if len(chosen):
            rows.append((kind, chosen, changes.texts(chosen).dictionary_encode()))
    return Candidates(changes, actions, decisions, codes, tuple(rows))


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
        actions = np.where(artifacts, Action.KEEP, found.actions)
        changes = found.changes
        # A user's or session's number tells as much as its name; only a hash may stay, and that is a string.
        keep = np.isin(kinds, _NUMBERS) & ~np.isin(actions, (Action.DROP, Action.HASH))
        keep |= (kinds == Kind.EMPTY) & (actions > Action.NUMBER)
        keep |= actions == Action.KEEP
        outcomes = self._of_keys(found, kinds)
        for (kind, rows, encoded), verdict in zip(found.rows, verdicts, strict=True):
            keep[rows] = self._judge(kind, rows, encoded, verdict, outcomes)
        self._hash(changes, actions, kinds, keep, tokens)
        if (actions >= Action.TEXT).any():
            self._mask(changes, found, actions, attributes, keep, outcomes)
        if self._free_text.blocks_values:
            self._block_values(changes, kinds, actions, keep, outcomes)
        hashed = keep & (actions == Action.HASH)
        changed = ~keep | hashed | changes.masked
        return Redacted(
            changes.table(keep),
            np.where(changed, outcomes, UNCHANGED),
            (actions == Action.KEEP) & ~artifacts,
            sizes(attributes.table),
        )

    def _of_keys(self, found: Candidates, kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
        """What became of each attribute if its key alone decides."""
        changes = {Action.HASH: Change.HASH, Action.MASK: Change.MASK}
        of_key = [
            self._outcomes.number(decision.rule, ATTRIBUTE, changes.get(decision.action, Change.DROP))
            for decision in found.decisions
        ]
        outcomes = (
            np.array(of_key or [UNCHANGED], np.int16)[found.codes]
            if len(found.codes)
            else np.zeros(0, np.int16)
        )
        mistyped = np.isin(found.actions, tuple(_CLASSES)) & (kinds != Kind.STRING)
        if mistyped.any():
            outcomes[mistyped] = self._outcomes.number(Rule.TYPE, ATTRIBUTE, Change.DROP)
        return outcomes

    def _judge(
        self,
        kind: str,
        rows: npt.NDArray[np.int64],
        encoded: pa.DictionaryArray,
        verdict: Verdicts,
        outcomes: npt.NDArray[np.int16],
    ) -> Mask:
        passing: Mask = verdict == PASSES
        if passing.all():
            return np.ones(len(rows), bool)
        of_value = np.array(
            [
                UNCHANGED if each == PASSES else self._outcomes.number(self._rule_of(each), kind, Change.DROP)
                for each in verdict.tolist()
            ],
            np.int16,
        )
        indices = encoded.indices.to_numpy()
        outcomes[rows] = of_value[indices]
        return passing[indices]

    def _hash(
        self,
        changes: Changes,
        actions: npt.NDArray[np.int8],
        kinds: npt.NDArray[np.uint8],
        keep: Mask,
        tokens: Tokens,
    ) -> None:
        rows = np.flatnonzero((kinds == Kind.STRING) & (actions == Action.HASH))
        if len(rows):
            keep[rows] = True
            encoded = changes.texts(rows).dictionary_encode()
            changes.replace(rows, tokens(encoded.dictionary).take(encoded.indices))

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
        strings = np.isin(attributes.kinds, (Kind.STRING, *NESTED))
        texts = strings & (actions == Action.TEXT)
        for sanitize, rows in self._by_sanitizer(texts, found, attributes):
            distinct, indices = self._free_text.encode(changes.texts(rows))
            cleaned, hits = self._free_text.clean(distinct, sanitize)
            changed = np.zeros(len(rows), bool)
            for rule, hit in hits:
                changed |= hit[indices]
                outcomes[rows[hit[indices]]] = self._outcomes.number(rule, ATTRIBUTE, Change.MASK)
            keep[rows] = True
            if changed.any():
                changes.mask(rows[changed], cleaned.take(pa.array(indices[changed])))
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
        looked_at = rest & (
            np.isin(kinds, (Kind.STRING, *NESTED)) | (self._every_type & np.isin(kinds, _NUMBERS))
        )
        rows = np.flatnonzero(looked_at)
        if not len(rows):
            return
        distinct, indices = self._free_text.encode(changes.rendered(rows))
        cleaned, hit = self._free_text.without_blocked_values(distinct)
        changed = hit[indices]
        if changed.any():
            changes.mask(rows[changed], cleaned.take(pa.array(indices[changed])))
            outcomes[rows[changed]] = self._outcomes.number(Rule.BLOCKED_VALUE, ATTRIBUTE, Change.MASK)


def _artifact_bodies(batch: Batch, attributes: View) -> Mask:
    """The bodies that are artifacts: content that an agent recorded on purpose, on its way to their store."""
    chosen = np.zeros(len(attributes.kinds), bool)
    part = attributes.place(Place.BODY)
    if batch.signal is Signal.LOGS and part.stop > part.start:
        is_artifact = pc.equal(batch.rows.column("EventName"), EventName.ARTIFACT.value).to_numpy(
            zero_copy_only=False
        )
        whole = np.isin(attributes.kinds[part], (Kind.STRING, Kind.BYTES))
        chosen[part] = is_artifact[attributes.owners[part]] & whole
    return chosen
