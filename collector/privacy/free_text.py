"""Text that an operator allows: kept, with everything private in it masked.

    sanitizer of the key → nested blocked keys → blocked_values → detectors

It works on distinct values, whole arrays at a time; only values with a hit are looked at one by one. A value
that a rule fails on is dropped.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.options import PolicyOptions
from agenttracer.collector.privacy.outcomes import Rule

MASK = "****"
Mask = npt.NDArray[np.bool_]
Hits = list[tuple[str, Mask]]
"""Which rule changed which of the distinct values; the last one that did counts."""

# JSON hides characters behind escapes: \u0040 is an @.
_ESCAPED = r"\\u00[2-7][0-9A-Fa-f]"
_MAYBE_ESCAPED = re.compile(rb"\\u00")
_ESCAPE = re.compile(r"\\u00([2-7][0-9A-Fa-f])")
# Texts of this length are hardly ever alike, and finding out costs as much as searching them.
_LONG_BYTES = 256
_QUOTES = ('"', "\\")


class FreeText:
    """The masking of one policy."""

    def __init__(self, options: PolicyOptions, detectors: Detectors) -> None:
        self._allowed = options.allowed_values
        self._blocked = options.blocked_values
        self._blocked_keys = options.blocked_key_patterns
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
        return _matching(values, self._allowed)

    def clean(
        self, values: pa.StringArray, sanitize: Callable[[pa.StringArray], pa.StringArray] | None = None
    ) -> tuple[pa.StringArray, Hits]:
        """The values with what is private in them masked, and which rules did it."""
        exempt = self.exempt(values)
        hits: Hits = []
        cleaned = values
        if sanitize is not None:
            cleaned = self._step(cleaned, sanitize(cleaned), Rule.SANITIZER, hits)
        if self._blocked_keys:
            cleaned = self._step(cleaned, self._without_blocked_keys(cleaned), Rule.BLOCKED_KEY, hits)
        for pattern in self._blocked:
            cleaned = self._step(cleaned, self._without(cleaned, pattern), Rule.BLOCKED_VALUE, hits)
        cleaned = self._detected(_unescaped(cleaned), exempt, hits)
        if exempt.any():
            cleaned = pc.if_else(pa.array(exempt), values, cleaned)
            hits = [(rule, mask & ~exempt) for rule, mask in hits]
        return cleaned, hits

    def without_blocked_values(self, values: pa.StringArray) -> tuple[pa.StringArray, Mask]:
        """The values with what ``blocked_values`` match masked, and which of them changed."""
        cleaned = values
        for pattern in self._blocked:
            cleaned = self._without(cleaned, pattern)
        exempt = self.exempt(values)
        cleaned = pc.if_else(pa.array(exempt), values, cleaned) if exempt.any() else cleaned
        return cleaned, _changed(values, cleaned)

    def blocked(self, values: pa.StringArray) -> pa.StringArray:
        """What stands in place of values that are masked whole: mask or hash, or the value if it is exempt."""
        exempt = self.exempt(values)
        if self.instead is None:
            return pc.if_else(pa.array(exempt), values, MASK)
        hashed = pa.array(
            [None if value is None else self.instead(value) for value in values.to_pylist()], pa.string()
        )
        return pc.if_else(pa.array(exempt), values, hashed)

    def _step(self, before: pa.StringArray, after: pa.StringArray, rule: str, hits: Hits) -> pa.StringArray:
        changed = _changed(before, after)
        if changed.any():
            hits.append((rule, changed))
        return after

    def _without(self, values: pa.StringArray, pattern: str) -> pa.StringArray:
        if self.instead is None:
            return pc.replace_substring_regex(values, pattern, MASK)
        hit = pc.fill_null(pc.match_substring_regex(values, pattern), False)
        if not pc.any(hit, min_count=0).as_py():
            return values
        instead = self.instead
        replaced = [
            re.sub(pattern, lambda found: instead(found.group()), value)
            for value in values.filter(hit).to_pylist()
        ]
        return pc.replace_with_mask(values, hit, pa.array(replaced, pa.string()))

    def _without_blocked_keys(self, values: pa.StringArray) -> pa.StringArray:
        """JSON without the values of blocked keys, at any depth, also in JSON that stands in its strings."""
        hit = pa.array(
            _matching(values, self._blocked_keys)
            & pc.fill_null(pc.match_substring_regex(values, r"^\s*[\[{]"), False).to_numpy(
                zero_copy_only=False
            )
        )
        if not pc.any(hit, min_count=0).as_py():
            return values
        replaced = [self._walk_text(value) for value in values.filter(hit).to_pylist()]
        return pc.replace_with_mask(values, hit, pa.array(replaced, pa.string()))

    def _walk_text(self, text: str) -> str:
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            # It looks like JSON, holds a blocked key, and can't be read: nobody knows where its value ends.
            return MASK
        return json.dumps(self._walk(tree), ensure_ascii=False)

    def _walk(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: MASK if _matching(pa.array([key]), self._blocked_keys)[0] else self._walk(value)
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [self._walk(element) for element in node]
        if isinstance(node, str) and node.lstrip()[:1] in ("{", "["):
            return self._walk_text(node) if _matching(pa.array([node]), self._blocked_keys)[0] else node
        return node

    def _detected(self, values: pa.StringArray, exempt: Mask, hits: Hits) -> pa.StringArray:
        found = self._detectors.found(values)
        if found.null_count == len(found):
            return values
        hit = found.is_valid().to_numpy(zero_copy_only=False) & ~exempt
        if not hit.any():
            return values
        numbers = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        hits.extend(
            (self._detectors.names[number], hit & (numbers == number)) for number in np.unique(numbers[hit])
        )
        masked, _ = self._detectors.masked(values.filter(pa.array(hit)), MASK)
        return pc.replace_with_mask(values, pa.array(hit), masked)


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


def _matching(values: pa.StringArray, patterns: Sequence[str]) -> Mask:
    matching = np.zeros(len(values), bool)
    for pattern in patterns:
        hit = pc.match_substring_regex(values, pattern)
        matching |= pc.fill_null(hit, False).to_numpy(zero_copy_only=False)
    return matching


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
    # One search in the bytes of all of them: ten times as fast as a search in each.
    if data is None or _MAYBE_ESCAPED.search(memoryview(data)) is None:
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
