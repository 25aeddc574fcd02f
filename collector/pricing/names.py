"""The names a model may be listed under, given the name it came with; the most exact first.

``us.anthropic.claude-sonnet-4-5-20250929-v1:0`` → … → ``claude-sonnet-4-5``
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FINE_TUNED = re.compile(r"^(ft:[^:]+):.*")
_REGION = re.compile(r"^(?:us|us-gov|eu|apac|ap|jp|au|ca|sa|me|af|global)\.")
_VENDOR = re.compile(
    r"^(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|moonshot|openai|qwen|xai)\."
)
_SNAPSHOT = re.compile(
    r"(?:-\d{4}-\d{2}-\d{2}|-\d{2}-\d{4}|-\d{8}|-\d{4}|-\d{3}|@[a-z0-9-]+|-v\d+(?::\d+)?|:\d+"
    r"|-latest|-beta|-exp(?:-\d{2}-\d{2})?|-preview(?:-\d{2}-\d{2,4})?)$"
)
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_MAX_CHARACTERS = 256
_MAX_SUFFIXES = 4


def spellings(model: str) -> Iterator[str]:
    """Names in lower case, each at least once; none for a name longer than any model's."""
    if len(model) > _MAX_CHARACTERS:
        return
    whole = _FINE_TUNED.sub(r"\1", model.strip().lower())
    last = whole.rsplit("/", 1)[-1]
    placed = _REGION.sub("", last)
    names = list(dict.fromkeys((whole, last, placed, _VENDOR.sub("", placed))))
    for _ in range(_MAX_SUFFIXES + 1):
        yield from names
        # claude-sonnet-4.5 is what gateways call claude-sonnet-4-5.
        yield from (_DECIMAL_POINT.sub("-", name) for name in names)
        names = [short for name in names if (short := _SNAPSHOT.sub("", name)) != name]
