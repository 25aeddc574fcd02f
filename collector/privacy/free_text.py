"""Text that an operator allows: kept, with everything private in it masked.

    sanitizer of the key → nested blocked keys → blocked_values → detectors

It works on distinct values, whole arrays at a time; only values with a hit are looked at one by one. A value
that a rule fails on is masked whole.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.bug_report import report_bug
from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.expressions import Expressions
from agenttracer.collector.privacy.nested_keys import MASK, NestedKeys
from agenttracer.collector.privacy.options import PolicyOptions
from agenttracer.collector.privacy.outcomes import Rule
from agenttracer.collector.privacy.sanitizers import Sanitize
from agenttracer.collector.string_views import StringViews

Mask = npt.NDArray[np.bool_]
Hits = list[tuple[str, Mask]]
"""Which rule changed which of the distinct values; the last one that did counts."""

# Texts of this length are hardly ever alike, and finding out costs as much as searching them.
_LONG_BYTES = 256


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Texts that were searched: which of them change, and what stands there ``instead``.

    Most stay as they are, and are too long to be copied for those that don't."""

    values: StringViews
    changed: Mask
    instead: pa.StringArray
    hits: Hits

    def texts(self) -> pa.StringArray:
        """All of them, as they may be stored."""
        return self.values.replaced(np.flatnonzero(self.changed), self.instead).array()


class FreeText:
    """The masking of one policy."""

    def __init__(self, options: PolicyOptions, detectors: Detectors) -> None:
        self._allowed = Expressions(options.allowed_values)
        self._blocked = Expressions(options.blocked_values)
        self.blocks_values = bool(options.blocked_values)
        self._nested_keys = NestedKeys(options.blocked_key_patterns)
        self._detectors = detectors
        self.instead = _instead(options)

    def encode(self, values: StringViews) -> tuple[StringViews, npt.NDArray[np.int64]]:
        """Distinct values, and for each value the number of its own among them."""
        if values.sizes.sum(dtype=np.int64) > _LONG_BYTES * len(values):
            return values, np.arange(len(values))
        encoded = values.array().dictionary_encode()
        return StringViews.of(encoded.dictionary), encoded.indices.to_numpy().astype(np.int64)

    def exempt(self, values: pa.StringArray) -> Mask:
        """Which values an ``allowed_values`` expression lets pass as they are."""
        return self._allowed.matching(values)

    def clean(self, values: StringViews, sanitize: Sanitize | None = None) -> Cleaned:
        """The values with what is private in them masked, and which rules did it."""
        try:
            return self._clean(values, sanitize)
        except MemoryError:
            raise
        except Exception as error:
            report_bug("redaction", error)
            if len(values) == 1:
                every = np.ones(1, bool)
                return Cleaned(values, every, pa.array([MASK]), [(Rule.FAILURE, every)])
        # One value that a rule fails on must not take the others with it.
        half = len(values) // 2
        first, second = self.clean(values[:half], sanitize), self.clean(values[half:], sanitize)
        hits = [(rule, np.append(hit, np.zeros(len(second.values), bool))) for rule, hit in first.hits]
        hits += [(rule, np.append(np.zeros(half, bool), hit)) for rule, hit in second.hits]
        changed = np.append(first.changed, second.changed)
        return Cleaned(values, changed, pa.concat_arrays([first.instead, second.instead]), hits)

    def _clean(self, values: StringViews, sanitize: Sanitize | None) -> Cleaned:
        hits: Hits = []
        cleaned = values
        if sanitize is not None or self._nested_keys or self._blocked:
            cleaned = StringViews.of(self._by_rules(values.array(), sanitize, hits))
        private = self._detectors.masked(cleaned, MASK)
        first = np.full(len(values), -1, np.int16)
        first[private.rows] = private.first
        hits += [(self._detectors.names[number], first == number) for number in np.unique(private.first)]
        if self._allowed:
            stays = self.exempt(values.array())
            hits = [(rule, hit & ~stays) for rule, hit in hits]
        changed = np.logical_or.reduce([hit for _, hit in hits] or [np.zeros(len(values), bool)])
        rows = np.flatnonzero(changed)
        instead = cleaned.replaced(private.rows, private.texts).take(rows)
        return Cleaned(values, changed, instead.array(), hits)

    def _by_rules(self, values: pa.StringArray, sanitize: Sanitize | None, hits: Hits) -> pa.StringArray:
        """As the operator's own rules leave the values."""
        if sanitize is not None:
            values = self._step(values, sanitize(values), Rule.SANITIZER, hits)
        if self._nested_keys:
            values = self._step(values, self._nested_keys.masked(values), Rule.BLOCKED_KEY, hits)
        return self._step(
            values, self._blocked.replaced(values, MASK, self.instead), Rule.BLOCKED_VALUE, hits
        )

    def without_blocked_values(self, values: pa.StringArray) -> tuple[pa.StringArray, Mask]:
        """The values with what ``blocked_values`` match masked, and which of them changed."""
        cleaned = self._blocked.replaced(values, MASK, self.instead)
        exempt = self.exempt(values)
        cleaned = pc.if_else(pa.array(exempt), values, cleaned) if exempt.any() else cleaned
        return cleaned, _changed(values, cleaned)

    def blocked(self, values: pa.StringArray) -> pa.StringArray:
        """What stands in place of values that are masked whole: mask or hash."""
        instead = self.instead or (lambda _: MASK)
        return pa.array([instead(value) for value in values.to_pylist()], pa.string())

    def _step(self, before: pa.StringArray, after: pa.StringArray, rule: str, hits: Hits) -> pa.StringArray:
        changed = _changed(before, after)
        if changed.any():
            hits.append((rule, changed))
        return after


def _instead(options: PolicyOptions) -> Callable[[str], str] | None:
    """The function of ``hash_function``, or None to mask."""
    kind = options.hash_function
    if not kind:
        return None
    if kind.startswith("hmac-"):
        assert options.hmac_key is not None, "the options demand it"
        key, name = options.hmac_key.get_secret_value().encode(), kind.removeprefix("hmac-")
        return lambda value: hmac.new(key, value.encode(), name).hexdigest()
    name = {"sha3": "sha3_256"}.get(kind, kind)
    return lambda value: hashlib.new(name, value.encode(), usedforsecurity=False).hexdigest()


def _changed(before: pa.StringArray, after: pa.StringArray) -> Mask:
    if before is after:
        return np.zeros(len(before), bool)
    return pc.fill_null(pc.not_equal(before, after), False).to_numpy(zero_copy_only=False)
