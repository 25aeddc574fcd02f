"""Detectors over whole arrays: one pass over all values together, and a second look only at what it hits.

``google-re2`` and not Arrow's own kernels, which compile their expression anew in every call: that is 2,300 µs
for the default detectors, where one pass over 200 labels is 10 µs. The values are searched as one text, a line
each, so that a batch costs one call. Both are the same engine: linear in the text, whatever is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.detectors.detector import Detector
from agenttracer.collector.privacy.detectors.entropy import worth_a_look
from agenttracer.collector.privacy.detectors.hidden import as_read, hiding
from agenttracer.collector.privacy.detectors.patterns import AnyOf, Pattern, Which
from agenttracer.collector.privacy.detectors.table import DEFAULTS, TABLE
from agenttracer.collector.string_views import Lines, StringViews

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Masked:
    """Values in which something was found: their rows, the first detector that found something in each, by its
    index into ``names``, what may stand in their place, and how often each detector found something."""

    rows: npt.NDArray[np.int64]
    first: npt.NDArray[np.int16]
    texts: pa.StringArray
    counts: dict[str, int]


class Detectors:
    """The detectors that are on, and the operator's own.

    ``enabled``: names out of the table, instead of the defaults. ``extra``: name → RE2 pattern, always on.
    Detectors for free text alone are left out of ``found`` unless ``enabled`` names them.
    Raises ``ValueError`` for a name that is not in the table or is in it twice, and for a pattern that RE2
    doesn't take or that finds something in an empty value.
    """

    def __init__(self, enabled: Collection[str] | None = None, extra: Mapping[str, str] = {}) -> None:
        table = _table(DEFAULTS if enabled is None else enabled, extra)
        self.names: tuple[str, ...] = tuple(detector.name for detector in table)
        self._patterns = [Pattern(detector) for detector in table]
        free_text = frozenset(number for number, detector in enumerate(table) if detector.free_text)
        self._in_free_text = free_text
        self._in_labels: frozenset[int] = frozenset() if enabled is None else free_text
        plain = {number: detector.pattern for number, detector in enumerate(table) if number not in free_text}
        self._which = Which(plain)
        # The operator's own may say \A or \z: a line is not a text to those.
        self._extra = list(extra.values())
        self._any = AnyOf([pattern for number, pattern in plain.items() if self.names[number] not in extra])

    def found(self, values: pa.StringArray) -> pa.Int16Array:
        """For each value the index into ``names`` of the first detector that hits; null where none does."""
        first = np.full(len(values), -1, np.int16)
        for row, text, candidates in self._suspects(StringViews.of(values), self._in_labels):
            first[row] = next(self._hitting(text, candidates), -1)
        return pa.array(first, mask=first < 0)

    def masked(self, values: StringViews, mask: str = "****") -> Masked:
        """The values in which something is found, with ``mask`` for it.

        They are written as they read, without the characters that hid it. What masking exposes is masked, too;
        what is then still there takes the whole value with it.
        """
        masked: dict[int, str] = {}
        first: dict[int, int] = {}
        counts: Counter[str] = Counter()
        rows: Sequence[int] = range(len(values))
        for _ in range(_ROUNDS):
            changed = {}
            for place, text, candidates in self._suspects(values, self._in_free_text):
                without, found = self._masked(text, candidates, mask.encode())
                if found:
                    changed[rows[place]] = without
                    first.setdefault(rows[place], next(iter(found)))
                    counts.update({self.names[number]: times for number, times in found.items()})
            masked |= changed
            if not changed:
                break
            rows, values = list(changed), StringViews.of(pa.array(changed.values(), pa.string()))
        else:
            masked |= dict.fromkeys(rows, mask)
        places = sorted(masked)
        return Masked(
            np.array(places, np.int64),
            np.array([first[row] for row in places], np.int16),
            pa.array([masked[row] for row in places], pa.string()),
            dict(counts),
        )

    def explain(self, value: str) -> list[str]:
        """The names of the detectors that hit the value, as free text."""
        text = as_read(value).encode()
        return [self.names[number] for number in self._hitting(text, self._in_free_text)]

    def _suspects(
        self, values: StringViews, by_entropy: frozenset[int]
    ) -> Iterator[tuple[int, bytes, frozenset[int]]]:
        """The rows that a pattern hits, before the second look; the text there as it reads, and which of
        ``by_entropy`` to ask.

        There may be more rows than those in which something is, and none is missing.
        """
        for place in values.parts():
            part, lines = _as_read(values[place])
            suspect = self._any.hit(lines)
            for pattern in self._extra:
                hit = pc.match_substring_regex(part.array(), pattern)
                suspect |= pc.fill_null(hit, False).to_numpy(zero_copy_only=False)
            random = np.zeros(len(lines), bool)
            if by_entropy:
                random[lines.rows(worth_a_look(bytes(lines.text)))] = True
            for row in np.flatnonzero(suspect | random).tolist():
                yield place.start + row, lines[row], by_entropy if random[row] else frozenset()

    def _candidates(self, text: bytes, by_entropy: frozenset[int]) -> list[int]:
        """The detectors to ask, in order."""
        which = self._which(text)
        if not which and self._any.first(text, 0) is not None:
            # It says nothing when it runs out of memory. Then all are asked.
            return sorted(set(range(len(self.names))) - (self._in_free_text - by_entropy))
        return sorted({*which, *by_entropy})

    def _hitting(self, text: bytes, by_entropy: frozenset[int]) -> Iterator[int]:
        """The detectors that hit the text, in order."""
        return (
            number
            for number in self._candidates(text, by_entropy)
            if next(self._patterns[number].spans(text), None) is not None
        )

    def _masked(self, text: bytes, by_entropy: frozenset[int], mask: bytes) -> tuple[str, Counter[int]]:
        """The text with what each detector in turn finds masked once, and how often each found something."""
        counts: Counter[int] = Counter()
        for number in self._candidates(text, by_entropy):
            pieces, position = [], 0
            for whole, part in self._patterns[number].spans(text):
                # A name and its mask may look like a name and its value.
                start, end = whole if text[slice(*part)] == mask else part
                pieces += [text[position:start], mask]
                position = end
                counts[number] += 1
            text = b"".join([*pieces, text[position:]])
        return text.decode(), counts


def _table(enabled: Collection[str], extra: Mapping[str, str]) -> list[Detector]:
    known = {detector.name for detector in TABLE}
    if unknown := sorted(set(enabled) - known):
        raise ValueError(f"no detector is named {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if taken := sorted(known & extra.keys()):
        raise ValueError(f"{taken[0]!r} is the name of a built-in detector")
    own = [Detector(name, pattern, (), ()) for name, pattern in extra.items()]
    return [detector for detector in TABLE if detector.name in enabled] + own


def _as_read(values: StringViews) -> tuple[StringViews, Lines]:
    """The values without what hides in them, and as lines."""
    lines = values.lines()
    rows = np.flatnonzero(hiding(lines))
    if not len(rows):
        return values, lines
    texts = [as_read(lines[row].decode()) for row in rows.tolist()]
    values = values.replaced(rows, pa.array(texts, pa.string()))
    return values, values.lines()
