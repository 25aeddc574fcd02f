"""The collector's redaction policy, applied before anything leaves: both sides may read the same file.

    AgentTracer(…, policy_file="otel-config.yaml")

    processors:
      redaction:
        mode: strict                        # strict | labels | custom
        allowed_keys: [my.team]
        blocked_key_patterns: ['user[.]id']
        blocked_values: ['ORD-[0-9]{6}']
        overrides: [{agents: [support], mode: custom}]

The order is the collector's: ignored keys, rules, blocked keys, allowed keys, and in ``custom`` nothing else, numbers
included. What it would mask or drop does not leave; what it would hash leaves as it is, since the key is there.
The built-in list and the detectors stay the collector's, and so do overrides that name a tenant: what the SDK
sends is labels and numbers under its own keys in any case. The policy takes away.

A file with these keys at its top is taken, too. YAML needs PyYAML; the SDK brings none, so without it the file
must be JSON.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

_MODES: Final = ("strict", "labels", "custom")
_REFUSING: Final = ("drop", "mask")
_ACTIONS: Final = ("keep", "label", "name", "hash", *_REFUSING)
_KNOWN: Final = frozenset(
    {
        "mode",
        "allow_all_keys",
        "allowed_keys",
        "allowed_key_patterns",
        "ignored_keys",
        "ignored_key_patterns",
        "blocked_key_patterns",
        "blocked_values",
        "allowed_values",
        "extra_detectors",
        "redact_all_types",
        "rules",
        "overrides",
    }
)

logger = logging.getLogger("agenttracer")


class Keys(NamedTuple):
    """Some keys, by name and by pattern."""

    names: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def match(self, key: str) -> bool:
        """Whether a key is among them."""
        return key in self.names or _finds(self.patterns, key)


_NO_KEYS: Final = Keys(frozenset(), ())


@dataclass(frozen=True)
class Policy:
    """Which attributes may leave, by key and then by value."""

    mode: str = "strict"
    ignored: Keys = _NO_KEYS
    rules: tuple[tuple[Keys, bool], ...] = ()
    """Keys, and whether they may leave."""
    blocked: Keys = _NO_KEYS
    allowed: Keys = _NO_KEYS
    blocked_values: tuple[re.Pattern[str], ...] = ()
    allowed_values: tuple[re.Pattern[str], ...] = ()
    redact_all_types: bool = False

    def permits(self, key: str, value: object) -> bool:
        """Whether an attribute may leave."""
        if self.ignored.match(key):
            return True
        for keys, may_leave in self.rules:
            if keys.match(key):
                return may_leave and not self._is_blocked(value)
        if self.blocked.match(key) or (self.mode == "custom" and not self.allowed.match(key)):
            return False
        return not self._is_blocked(value)

    def apply(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes that may leave."""
        return {key: value for key, value in attributes.items() if self.permits(key, value)}

    def _is_blocked(self, value: object) -> bool:
        if not self.blocked_values:
            return False
        texts = [
            str(each)
            for each in (value if isinstance(value, list | tuple) else (value,))
            if isinstance(each, str) or self.redact_all_types
        ]
        return any(
            _finds(self.blocked_values, text) and not _finds(self.allowed_values, text) for text in texts
        )


def _finds(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def read_policy(file: str | os.PathLike[str], agent: str | None = None) -> Policy:
    """The policy in a file, for an agent. Raises ``ValueError`` with what is wrong, without a value of the file."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the policy file can't be read: {type(error).__name__}") from None
    options = _redaction(_parse(text))
    for override in _mappings(options, "overrides"):
        if agent in _strings(override, "agents") and not override.get("tenants"):
            return _policy({**options, **override})
    return _policy(options)


def _parse(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = _parse_yaml(text)
    if not isinstance(found, Mapping):
        raise ValueError("the policy file must hold a mapping")
    return found


def _parse_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise ValueError(
            "the policy file is not JSON, and PyYAML is not there to read YAML: pip install pyyaml"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("the policy file is neither JSON nor YAML") from None


def _redaction(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of the processor in a collector's file, or the document itself."""
    processors = document.get("processors")
    if not isinstance(processors, Mapping):
        return document
    found = [name for name in processors if str(name).partition("/")[0] == "redaction"]
    if len(found) != 1:
        raise ValueError(f"the policy file has {len(found)} redaction processors, not one")
    options = processors[found[0]] or {}
    if not isinstance(options, Mapping):
        raise ValueError("the policy file's redaction must be a mapping")
    return options


def _policy(options: Mapping[str, Any]) -> Policy:
    mode = options.get("mode", "strict")
    if mode not in _MODES:
        raise ValueError(f"the policy's mode must be one of {', '.join(_MODES)}")
    others = sorted(str(key) for key in options if key not in _KNOWN)
    if others:
        logger.debug("agenttracer: the policy's other keys are the collector's alone: %s", ", ".join(others))
    allowed = _keys(options, "allowed_keys", "allowed_key_patterns")
    if options.get("allow_all_keys"):
        allowed = Keys(frozenset(), (re.compile(""),))
    detectors = options.get("extra_detectors") or {}
    if not isinstance(detectors, Mapping):
        raise ValueError("the policy's extra_detectors must be a mapping")
    return Policy(
        mode,
        ignored=_keys(options, "ignored_keys", "ignored_key_patterns"),
        rules=tuple(_rule(rule) for rule in _mappings(options, "rules")),
        blocked=Keys(frozenset(), _patterns(options, "blocked_key_patterns")),
        allowed=allowed,
        blocked_values=(
            *_patterns(options, "blocked_values"),
            *_patterns({"extra_detectors": list(detectors.values())}, "extra_detectors"),
        ),
        allowed_values=_patterns(options, "allowed_values"),
        redact_all_types=bool(options.get("redact_all_types")),
    )


def _rule(rule: Mapping[str, Any]) -> tuple[Keys, bool]:
    action = rule.get("action")
    if action not in _ACTIONS:
        raise ValueError(f"a rule's action must be one of {', '.join(_ACTIONS)}")
    return _keys(rule, "keys", "key_patterns"), action not in _REFUSING


def _keys(options: Mapping[str, Any], names: str, patterns: str) -> Keys:
    return Keys(frozenset(_strings(options, names)), _patterns(options, patterns))


def _patterns(options: Mapping[str, Any], key: str) -> tuple[re.Pattern[str], ...]:
    """Patterns in RE2's syntax, as far as Python's expressions mean the same."""
    texts = _strings(options, key)
    if any("[:" in text for text in texts):  # a set of characters, by RE2; to Python other characters
        raise ValueError(f"the policy's {key} has a class like [[:alpha:]], which the SDK can't read")
    try:
        return tuple(re.compile(text, re.ASCII) for text in texts)
    except re.error:
        raise ValueError("the policy has a pattern that is not a regular expression") from None


def _strings(options: Mapping[str, Any], key: str) -> list[str]:
    value = options.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"the policy's {key} must be a list of strings")
    return value


def _mappings(options: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = options.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError(f"the policy's {key} must be a list of mappings")
    return value
