"""Regular expressions of the configuration, compiled once: RE2, as in the Collector.

With RE2 alone: Python's own expressions mean other things by some of the same signs, and can take for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2


class Expressions:
    """Any of some patterns, in one text or in each of an array's; no pattern matches nothing."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)
        self._compiled = [re2.compile(pattern, _options()) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, text: str) -> bool:
        """Whether any pattern is somewhere in a text."""
        return any(compiled.search(text) is not None for compiled in self._compiled)

    def matching(self, values: pa.StringArray) -> npt.NDArray[np.bool_]:
        """In which values any pattern is; a missing value has none."""
        found = np.zeros(len(values), bool)
        for pattern in self._patterns:
            hit = pc.match_substring_regex(values, pattern)
            found |= pc.fill_null(hit, False).to_numpy(zero_copy_only=False)
        return found

    def replaced(
        self, values: pa.StringArray, mask: str, instead: Callable[[str], str] | None
    ) -> pa.StringArray:
        """The values with ``mask``, or what ``instead`` makes of it, for all that one pattern after the other finds."""
        for pattern, compiled in zip(self._patterns, self._compiled, strict=True):
            if instead is None:
                values = pc.replace_substring_regex(values, pattern, mask)
                continue
            hit = pc.fill_null(pc.match_substring_regex(values, pattern), False)
            if pc.any(hit, min_count=0).as_py():
                texts = [
                    compiled.sub(lambda found: instead(found.group()), text)
                    for text in values.filter(hit).to_pylist()
                ]
                values = pc.replace_with_mask(values, hit, pa.array(texts, pa.string()))
        return values


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options
