"""RE2, compiled once: one pattern at a time, or which of many are in a text in a single pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import re2

from agenttracer.collector.privacy.detectors.detector import Detector, Hit
from agenttracer.collector.string_views import Lines

_MEMORY_BYTES = 64 << 20
"""For the states of the automaton, which RE2 makes as texts need them and starts over when they are too many."""
_SHORT_BYTES = 64
_MOST_LOOKS = 4096
"""In one value; from then on whatever looks like a secret is one."""
_WORD = re.compile(rb"\w*")


class Pattern:
    """What one detector finds in a text, after its second look."""

    def __init__(self, detector: Detector) -> None:
        self._verify = detector.verify
        self._in_words = not detector.free_text
        try:
            self._regex = re2.compile(detector.pattern, _options())
        except re2.error as error:
            raise ValueError(f"detector {detector.name!r}: RE2 does not take its pattern") from error
        self._groups = self._regex.groups
        if self._regex.search(b"") is not None:
            raise ValueError(f"detector {detector.name!r}: its pattern finds something in an empty value")

    def spans(self, text: bytes) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """(start, end) in bytes of each thing found, and of what is to be masked of it."""
        position = failed = 0
        while position < len(text) and (match := self._regex.search(text, position)) is not None:
            start, end = match.span()
            if start == end:
                position = end + 1
                continue
            masked = _masked(match, self._groups)
            if (
                self._verify is None
                or failed == _MOST_LOOKS
                or _holds(self._verify, text, (start, end), masked)
            ):
                yield (start, end), masked
                position = end
            elif self._in_words and end - start <= _SHORT_BYTES:
                # What is no card may end in one that is; what is long is not worth a look a word.
                word = _WORD.match(text, start)
                position = max(word.end() if word else end, start + 1)
                failed += 1
            else:
                position = end
                failed += 1


class AnyOf:
    """The first place in a text of many lines where any of the patterns is, before a second look."""

    def __init__(self, patterns: list[str]) -> None:
        alternatives = "|".join(f"(?:{pattern})" for pattern in patterns)
        self._regex = re2.compile(f"(?m:{alternatives})", _options(never_capture=True)) if patterns else None

    def first(self, text: bytes | pa.Buffer, position: int) -> tuple[int, int] | None:
        """(start, end) in bytes, at ``position`` or later."""
        match = self._regex.search(text, position) if self._regex else None
        return None if match is None else match.span()

    def hit(self, lines: Lines) -> npt.NDArray[np.bool_]:
        """Which lines any of the patterns is in; where one goes over several, each of them."""
        hit = np.zeros(len(lines), bool)
        position = 0
        while position < lines.text.size and (place := self.first(lines.text, position)) is not None:
            first, last = lines.rows((place[0], place[1] - 1)).tolist()
            hit[first : last + 1] = True
            position = lines.end(last)
        return hit


class Which:
    """Which of many patterns are in a text, by the numbers given, before a second look."""

    def __init__(self, patterns: Mapping[int, str]) -> None:
        self._numbers = list(patterns)
        self._set = re2.Set.SearchSet(_options())
        for pattern in patterns.values():
            self._set.Add(pattern)
        if patterns:
            self._set.Compile()

    def __call__(self, text: bytes) -> list[int]:
        return [self._numbers[place] for place in self._set.Match(text) or ()] if self._numbers else []


def _options(never_capture: bool = False) -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    options.never_capture = never_capture
    return options


def _masked(match: re2._Match, groups: int) -> tuple[int, int]:
    """Without the groups; those of another alternative are at (-1, -1)."""
    start, end = match.span()
    left = match.end(1) if groups > 0 else -1
    right = match.start(2) if groups > 1 else -1
    return (left if left >= 0 else start), (right if right >= 0 else end)


def _holds(
    verify: Callable[[Hit], bool], text: bytes, found: tuple[int, int], masked: tuple[int, int]
) -> bool:
    try:
        return verify(_hit(text, found, masked))
    except Exception:
        # Fail closed: what can't be told from a secret is one.
        return True


def _hit(text: bytes, found: tuple[int, int], masked: tuple[int, int]) -> Hit:
    start, end = found
    return Hit(
        text=text[start:end].decode(errors="ignore"),
        value=text[slice(*masked)].decode(errors="ignore"),
        before=text[max(start - 4, 0) : start].decode(errors="ignore")[-1:],
        after=text[end : end + 8].decode(errors="ignore")[:2],
    )
