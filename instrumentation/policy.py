"""The collector's redaction policy, applied before anything leaves: both sides may read the same file.

    AgentTracer(…, policy_file="otel-config.yaml")

    processors:
      redaction:
        mode: strict                        # strict | labels | custom
        allowed_keys: [my.team]
        allowed_key_patterns: ['^agent\\.']
        blocked_key_patterns: ['user\\.id']

A file with these keys at its top is taken, too. YAML needs PyYAML; the SDK brings none, so without it the file
must be JSON. What the SDK sends is labels and numbers under its own keys in any case: the policy takes away.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_KEYS: Final = ("allowed_keys", "allowed_key_patterns", "blocked_key_patterns")
_MODES: Final = ("strict", "labels", "custom")

logger = logging.getLogger("agenttracer")


@dataclass(frozen=True)
class Policy:
    """Which attributes may leave, by key. ``custom`` keeps only strings that the operator named."""

    mode: str = "strict"
    allowed_keys: frozenset[str] = frozenset()
    allowed_key_patterns: tuple[re.Pattern[str], ...] = ()
    blocked_key_patterns: tuple[re.Pattern[str], ...] = ()

    def permits(self, key: str, value: object) -> bool:
        """Whether an attribute may leave."""
        if any(pattern.search(key) for pattern in self.blocked_key_patterns):
            return False
        if self.mode != "custom" or isinstance(value, bool | int | float):
            return True
        return key in self.allowed_keys or any(pattern.search(key) for pattern in self.allowed_key_patterns)

    def apply(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes that may leave."""
        return {key: value for key, value in attributes.items() if self.permits(key, value)}


def read_policy(file: str | os.PathLike[str]) -> Policy:
    """The policy in a file. Raises ``ValueError`` with what is wrong, without a value of the file."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the policy file can't be read: {type(error).__name__}") from None
    return _policy(_redaction(_parse(text)))


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
    return processors[found[0]] or {}


def _policy(options: Mapping[str, Any]) -> Policy:
    if not isinstance(options, Mapping):
        raise ValueError("the policy file's redaction must be a mapping")
    mode = options.get("mode", "strict")
    if mode not in _MODES:
        raise ValueError(f"the policy's mode must be one of {', '.join(_MODES)}")
    lists: dict[str, list[str]] = {}
    for key in _KEYS:
        value = options.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"the policy's {key} must be a list of strings")
        lists[key] = value
    others = sorted(str(key) for key in options if key not in (*_KEYS, "mode"))
    if others:
        logger.debug("agenttracer: the policy's other keys are the collector's alone: %s", ", ".join(others))
    try:
        allowed, blocked = (
            tuple(re.compile(pattern) for pattern in lists[key])
            for key in ("allowed_key_patterns", "blocked_key_patterns")
        )
    except re.error:
        raise ValueError("the policy has a pattern that is not a regular expression") from None
    return Policy(mode, frozenset(lists["allowed_keys"]), allowed, blocked)
