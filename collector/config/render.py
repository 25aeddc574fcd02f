"""Prints a configuration with every secret as ``[REDACTED]``.

A secret is an option that its model declares as one, an option whose name says so, the value of any
header, and a password in a URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel

from agenttracer.collector.config.fields import follow, holds_secret
from agenttracer.collector.config.problems import Path

REDACTED = "[REDACTED]"

_SECRET_KEY = re.compile(
    r"password|passphrase|passwd|secret|token|authorization|credential|key$"
    r"|(api|access|private|signing|encryption)_?keys?|key_pem",
    re.IGNORECASE,
)
_NOT_SECRET_KEY = re.compile(r"(_file|_files|_path|filename)$", re.IGNORECASE)
_HEADERS_KEY = re.compile(r"(^|_)headers$", re.IGNORECASE)
_HEADER_NAMES_KEY = re.compile(r"^(allowed|exposed)_headers$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^\s:@/?#]*):\S*@")
_URL_PARAMETER = re.compile(r"([?&][^=&\s]*(?:password|secret|token|key)[^=&\s]*=)[^&\s#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that holds a secret, and what is shown instead."""

    value: Any = field(repr=False)
    shown: str = REDACTED


def mark_secrets(tree: Any, model: type[BaseModel], path: Path = (), *, secret: bool = False) -> Any:
    """The tree with every secret wrapped in ``Hidden``; ``path`` leads to it from the model's root."""
    if isinstance(tree, dict):
        headers = bool(path) and _is_headers(path[-1])
        return {
            key: mark_secrets(
                value, model, (*path, key), secret=secret or headers or _is_secret(model, (*path, key))
            )
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        secret = secret or (bool(path) and _is_headers(path[-1]))
        return [
            mark_secrets(
                item, model, (*path, str(index)), secret=secret or _is_secret(model, (*path, str(index)))
            )
            for index, item in enumerate(tree)
        ]
    if tree is None:
        return None
    if secret:
        return Hidden(tree)
    if isinstance(tree, str):
        shown = _URL_PARAMETER.sub(rf"\1{REDACTED}", _URL_PASSWORD.sub(rf"\1:{REDACTED}@", tree))
        return tree if shown == tree else Hidden(tree, shown)
    return tree


def _is_headers(key: str) -> bool:
    return bool(_HEADERS_KEY.search(key)) and not _HEADER_NAMES_KEY.search(key)


def _is_secret(model: type[BaseModel], path: Path) -> bool:
    if holds_secret(follow(model, path)[1]):
        return True
    return bool(_SECRET_KEY.search(path[-1])) and not _NOT_SECRET_KEY.search(path[-1])


def show(tree: Any, *, redacted: bool = True) -> Any:
    """The tree as plain maps, lists and scalars, its secrets replaced unless ``redacted`` is false."""
    if isinstance(tree, Hidden):
        return tree.shown if redacted else tree.value
    if isinstance(tree, Mapping):
        return {key: show(value, redacted=redacted) for key, value in tree.items()}
    if isinstance(tree, list):
        return [show(item, redacted=redacted) for item in tree]
    return tree


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def to_yaml(tree: Any) -> str:
    """YAML in the order of the tree, lists indented below their keys."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def to_json(tree: Any) -> str:
    """JSON in the order of the tree."""
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
