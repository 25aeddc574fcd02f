"""Text that an operator allows: kept, with everything private in it masked.

    sanitizer of the key → nested blocked keys → blocked_values → detectors

It works on distinct values, whole arrays at a time; only values with a hit are looked at one by one. A value
that a rule fails on is masked whole.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2

from agenttracer.collector.bug_report import report_bug
from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.expressions import Expressions
from agenttracer.collector.privacy.nested_keys import MASK, NestedKeys
from agenttracer.collector.privacy.options import PolicyOptions
from agenttracer.collector.privacy.outcomes import Rule

Mask = npt.NDArray[np.bool_]
Hits = list[tuple[str, Mask]]
"""Which rule changed which of the distinct values; the last one that did counts."""

# JSON hides characters behind escapes: \u0040 is an @.
_ESCAPED = r"\\u00[2-7][0-9A-Fa-f]"
_BACKSLASH = re2.compile(r"\\")
_ESCAPE = re.compile(r"\\u00([2-7][0-9A-Fa-f])")
# Texts of this length are hardly ever alike, and finding out costs as much as searching them.
_LONG_BYTES = 256
_QUOTES = ('"', "\\")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Texts that were searched: which of them change, and what stands there ``instead``.

    Most stay as they are, and are too long to be copied for those that don't."""

    values: pa.StringArray
    changed: Mask
    instead: pa.StringArray
    hits: Hits

    def texts(self) -> pa.StringArray:
        """All of them, as they may be stored."""
        if not self.changed.any():
            return self.values
        return pc.replace_with_mask(self.values, pa.array(self.changed), self.instead)


class FreeText:
    """The masking of one policy."""

    def __init__(self, options: PolicyOptions, detectors: Detectors) -> None:
        self._allowed = Expressions(options.allowed_values)
        self._blocked = Expressions(options.blocked_values)
        self.blocks_values = bool(options.blocked_values)
        self._nested_keys = NestedKeys(options.blocked_key_patterns)
        self._detectors = detectors
        self.instead = _instead(options)

    def encode(self, values: pa.StringArray) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
        """Distinct values, and for each value the number of its own among them."""
        if len(values) and _total_bytes(values) > _LONG_BYTES * len(values):
            return values, np.arange(len(values))
        encoded = values.dictionary_encode()
        return encoded.dictionary, encoded.indices.to_numpy().astype(np.int64)

    def exempt(self, values: pa.StringArray) -> Mask:
        """Which values an ``allowed_values`` expression lets pass as they are."""
        return self._allowed.matching(values)

    def clean(
        self, values: pa.StringArray, sanitize: Callable[[pa.StringArray], pa.StringArray] | None = None
    ) -> Cleaned:
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

    def _clean(
        self, values: pa.StringArray, sanitize: Callable[[pa.StringArray], pa.StringArray] | None
    ) -> Cleaned:
        exempt = self.exempt(values)
        hits: Hits = []
        cleaned = values
        if sanitize is not None:
            cleaned = self._step(cleaned, sanitize(cleaned), Rule.SANITIZER, hits)
        cleaned = self._step(cleaned, self._nested_keys.masked(cleaned), Rule.BLOCKED_KEY, hits)
        blocked = self._blocked.replaced(cleaned, MASK, self.instead)
        cleaned = _unescaped(self._step(cleaned, blocked, Rule.BLOCKED_VALUE, hits))
        private = self._detectors.masked(cleaned, MASK)
        first = np.full(len(values), -1, np.int16)
        first[private.rows] = private.first
        hits += [(self._detectors.names[number], first == number) for number in np.unique(private.first)]
        hits = [(rule, hit & ~exempt) for rule, hit in hits]
        changed = np.logical_or.reduce([hit for _, hit in hits] or [np.zeros(len(values), bool)])
        instead = cleaned.filter(pa.array(changed))
        if len(private.rows):
            texts = private.texts.filter(pa.array(changed[private.rows]))
            instead = pc.replace_with_mask(instead, pa.array(first[changed] >= 0), texts)
        return Cleaned(values, changed, instead, hits)

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


def _total_bytes(values: pa.StringArray) -> int:
    offsets = np.frombuffer(values.buffers()[1], np.int32)
    return int(offsets[values.offset + len(values)] - offsets[values.offset])


def _unescaped(values: pa.StringArray) -> pa.StringArray:
    """JSON's escapes of ordinary characters undone, so that nothing hides behind them."""
    data = values.buffers()[2]
    # One look at the bytes of all of them: many times as fast as a search in each.
    if data is None or _BACKSLASH.search(data) is None:
        return values
    hit = pc.fill_null(pc.match_substring_regex(values, _ESCAPED), False)
    if not pc.any(hit, min_count=0).as_py():
        return values
    replaced = [_ESCAPE.sub(_character, value) for value in values.filter(hit).to_pylist()]
    return pc.replace_with_mask(values, hit, pa.array(replaced, pa.string()))


def _character(escape: re.Match[str]) -> str:
    character = chr(int(escape.group(1), 16))
    # A quote that were undone would end the string that it stands in.
    return escape.group() if character in _QUOTES else character
