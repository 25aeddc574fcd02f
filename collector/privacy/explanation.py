"""Why a policy does what it does: to a key, to a value, to a whole request, and where two policies differ."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from agenttracer.collector.privacy.cardinality import Cardinality
from agenttracer.collector.privacy.detectors import DEFAULTS, Detectors
from agenttracer.collector.privacy.free_text import FreeText
from agenttracer.collector.privacy.key_file import EVERY_TENANT, Key, KeyFile
from agenttracer.collector.privacy.options import Override, PolicyOptions, RedactionOptions
from agenttracer.collector.privacy.outcomes import UNCHANGED
from agenttracer.collector.privacy.policy import BODY, Action, Decision, Policy
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.collector.privacy.redactor import Redactor
from agenttracer.collector.privacy.values import PASSES, Checks
from agenttracer.collector.string_views import StringViews
from agenttracer.schemas.attributes import ALLOWED, ALLOWED_PREFIXES, LABEL, NAME, TOOL
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.content import CONTENT_KEYS

_OTHERWISE = "dropped otherwise; a column that is made of it then holds its hash"
_MEANINGS = {
    Action.DROP: "dropped",
    Action.NUMBER: "dropped, unless it is a number or a boolean",
    Action.LABEL: "kept if it passes as a label, dropped otherwise",
    Action.UNKNOWN: "kept if it passes as a short label, dropped otherwise",
    Action.LABELS: "kept if it is a list or flat map of labels, dropped otherwise",
    Action.NAME: f"kept if it passes as a name, {_OTHERWISE}",
    Action.AGENT: f"kept if it passes as a name, {_OTHERWISE}",
    Action.MODEL: f"kept if it passes as a name, {_OTHERWISE}",
    Action.STEP: f"kept if it passes as a name, {_OTHERWISE}",
    Action.TOOL: f"kept if it passes as the name of a tool, {_OTHERWISE}",
    Action.HASH: "replaced by a keyed hash",
    Action.TEXT: "kept, with what detectors and blocked_values find in it masked",
    Action.MASK: "masked",
    Action.KEEP: "kept as it is, unchecked",
}
_UNKNOWN_KEY = "some.unknown.key"


@dataclass(frozen=True, slots=True)
class KeyExplanation:
    """What happens to the values of a key, by which rule, and where that rule stands."""

    key: str
    action: str
    meaning: str
    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class ValueExplanation:
    """What a value passes for, what detectors find in it, and what stays of it as allowed text."""

    passes_as: list[str]
    detectors: list[str]
    as_text: str


@dataclass(frozen=True, slots=True)
class Effect:
    """How many values of a key met one fate in one place of a request; ``action`` is ``keep`` for those that
    stayed. Keys that no convention forms are not told: they may be somebody's text."""

    place: str
    key: str
    action: str
    rule: str
    count: int
    bytes: int


def override_for(options: RedactionOptions, tenant: str, agent: str) -> Override | None:
    """The override that the rows of a tenant's agent fall under, or None."""
    for override in options.overrides:
        if (not override.tenants or tenant in override.tenants) and (
            not override.agents or agent in override.agents
        ):
            return override
    return None


def explain_key(options: PolicyOptions, key: str) -> KeyExplanation:
    """Which rule decides about a key, and why."""
    return _explained(key, _decision(Policy(options), key))


def explain_value(options: PolicyOptions, value: str) -> ValueExplanation:
    """What a value passes for."""
    detectors = Detectors(
        DEFAULTS if options.detectors is None else options.detectors, options.extra_detectors
    )
    checks = Checks(detectors, detectors)
    values = pa.array([value])
    verdicts = checks([(kind, values) for kind in (LABEL, NAME, TOOL)])
    passing = [
        kind for kind, verdict in zip((LABEL, NAME, TOOL), verdicts, strict=True) if verdict[0] == PASSES
    ]
    cleaned = FreeText(options, detectors).clean(StringViews.of(values)).texts()
    return ValueExplanation(passing, detectors.explain(value), cleaned[0].as_py() or "")


def dry_run(options: PolicyOptions, batch: Batch) -> list[Effect]:
    """What redaction would do to a batch that passed the processors before it."""
    redactor = Redactor(options, Cardinality(2**31))
    keys = KeyFile([(EVERY_TENANT, Key(0, os.urandom(32)))])
    clean = redactor.redact(batch, "", Pseudonyms(keys).for_tenant(""), time.time_ns())
    attributes, redacted = clean.attributes, clean.redacted
    places = attributes.table.column("place").to_numpy()
    names = _told(redactor.policy, attributes.keys)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str, str]] = Counter()
    cells, number_of = np.unique(
        np.stack([places, attributes.codes, redacted.outcomes]), axis=1, return_inverse=True
    )
    for number, (place, code, outcome) in enumerate(cells.T.tolist()):
        chosen = number_of.ravel() == number
        action, rule = ("keep", "") if outcome == UNCHANGED else _fate(redactor, outcome)
        key = BODY if place == Place.BODY else names[code]
        line = (Place(place).name.lower(), key, action, rule)
        counts[line] += int(chosen.sum())
        sizes[line] += int(redacted.bytes[chosen].sum())
    for each in clean.lost:
        rule = redactor.rule(each.rule) if isinstance(each.rule, int) else each.rule
        line = (f"{each.table} column", each.column, each.change.value, str(rule))
        counts[line] += len(each.rows)
        sizes[line] += int(each.bytes.sum())
    return [Effect(*line, count, sizes[line]) for line, count in sorted(counts.items())]


def differences(old: PolicyOptions, new: PolicyOptions) -> list[tuple[KeyExplanation, KeyExplanation]]:
    """The known keys, and those that either policy names, about which the two decide differently."""
    keys = [
        *ALLOWED,
        *CONTENT_KEYS,
        *(f"{prefix}x" for prefix in ALLOWED_PREFIXES),
        *_named(old),
        *_named(new),
    ]
    before, after = Policy(old), Policy(new)
    found = []
    for key in dict.fromkeys([*sorted(keys), BODY, _UNKNOWN_KEY]):
        pair = (_explained(key, _decision(before, key)), _explained(key, _decision(after, key)))
        if pair[0].action != pair[1].action:
            found.append(pair)
    return found


def changed_options(old: PolicyOptions, new: PolicyOptions) -> dict[str, tuple[object, object]]:
    """The options in which two policies differ; secrets are not told."""
    before, after = (each.model_dump(mode="json", exclude={"hmac_key"}) for each in (old, new))
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def plain(explanation: KeyExplanation | ValueExplanation | Effect) -> dict[str, object]:
    """As JSON takes it."""
    return asdict(explanation)


def _decision(policy: Policy, key: str) -> Decision:
    return policy.decide_body() if key == BODY else policy.decide(key)


def _explained(key: str, decision: Decision) -> KeyExplanation:
    action = decision.action
    return KeyExplanation(key, action.name.lower(), _MEANINGS[action], decision.rule.value, decision.because)


def _fate(redactor: Redactor, outcome: int) -> tuple[str, str]:
    found = redactor.outcomes[outcome]
    return found.change.value, found.rule


def _told(policy: Policy, keys: Sequence[str]) -> list[str]:
    return [
        key if tellable or key in ALLOWED or key in CONTENT_KEYS else "(malformed key)"
        for key, tellable in zip(keys, policy.tellable(keys), strict=True)
    ]


def _named(options: PolicyOptions) -> Sequence[str]:
    return (
        *options.allowed_keys,
        *options.ignored_keys,
        *(key for rule in options.rules for key in rule.keys),
    )
