"""Blocked keys inside of values: in JSON at any depth, and in JSON that stands in its strings.

{"user": {"password": "hunter2"}}          →  {"user": {"password": "****"}}
{"body": "{\\"password\\": \\"hunter2\\"}"}  →  {"body": "{\\"password\\": \\"****\\"}"}
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.expressions import Expressions

MASK = "****"

_LOOKS_NESTED = r"^\s*[\[{]"
# What may be a key in text that only looks like JSON: cut off, or another language's.
_KEY = re.compile(r"""([^\s"'{}\[\],:=]+)["']?\s*[:=]""")
_MAX_REMEMBERED = 10_000


class NestedKeys:
    """The masking of the values of keys that match any of some patterns."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = Expressions(patterns)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def masked(self, values: pa.StringArray) -> pa.StringArray:
        """The texts without the values of blocked keys."""
        nested = pc.fill_null(pc.match_substring_regex(values, _LOOKS_NESTED), False)
        if not pc.any(nested, min_count=0).as_py():
            return values
        replaced = [self._text(value) for value in values.filter(nested).to_pylist()]
        return pc.replace_with_mask(values, nested, pa.array(replaced, pa.string()))

    def _text(self, text: str) -> str:
        try:
            tree = json.loads(text)
            walked = self._walk(tree)
            return text if walked == tree else json.dumps(walked, ensure_ascii=False)
        except (ValueError, RecursionError):
            # It can't be read: if there is a blocked key, nobody knows where its value ends.
            return MASK if any(map(self._is_blocked, _KEY.findall(text))) else text

    def _walk(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {key: MASK if self._is_blocked(key) else self._walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._walk(element) for element in node]
        if isinstance(node, str) and node.lstrip()[:1] in ("{", "["):
            return self._text(node)
        return node

    def _is_blocked(self, key: str) -> bool:
        blocked = self._known.get(key)
        if blocked is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            blocked = self._known[key] = self._patterns.match(key)
        return blocked
