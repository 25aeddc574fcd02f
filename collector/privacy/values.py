"""Which strings may stay: checks on arrays of distinct values, in RE2, whole arrays at a time.

A value stays only when it matches what its class looks like AND no detector finds anything in it. Arrow
compiles an expression anew in every call, so a batch's values are checked together, in one call a shape,
and no expression counts to more than it must: what is long is refused by its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.legible import is_legible_name
from agenttracer.schemas.attributes import AGENT, LABEL, LABELS, MODEL, NAME, STEP, TOOL

Verdicts = npt.NDArray[np.int16]
"""For each distinct value: ``PASSES``, ``MISSHAPEN``, or from 1 the number of the detector that hit."""

PASSES = 0
MISSHAPEN = -1

UNKNOWN = "unknown"
"""The class of a label under a key that nobody knows: short, and nothing that a secret could be."""

_QUOTED = r'"[A-Za-z0-9_.:/+-]*"'
_SCALAR = rf"({_QUOTED}|-?[0-9.eE+-]+|true|false|null)"
# Whatever a sentence, a markup or a data structure is made of is not part of a name; nor are blanks, nor what
# an address of the web writes for them.
_NO_NAME = r"\x00-\x20!\"$%&'*,;<=>?\[\\\]^`{|}~\x{7F}-\x{A0}\x{2000}-\x{206F}\x{3000}-\x{3003}\x{FEFF}"
_WIDE_NO_NAME = r"\x{FF01}\x{FF0C}\x{FF1A}\x{FF1B}\x{FF1F}"
_LETTERS = rf"[^{_NO_NAME}{_WIDE_NO_NAME}]+"
_WORD = rf"{_LETTERS}(?:['\x{{2019}}&]{_LETTERS})*"  # Q&A, Anna's
_TITLE_WORD = r"(?:[A-Z0-9(]" + rf"[^{_NO_NAME}]*|and|of|for|the|in|to|with|&)"
_STYLES = (
    r"_?[A-Za-z][A-Za-z0-9]*(?:_+[A-Za-z0-9]+)*",  # snake_case, camelCase, SCREAMING_CASE
    r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*",  # kebab-case
)
_STYLE = rf"(?:{'|'.join(_STYLES)})"

# At most four words: a sentence is not a name. An agent's role may have more, written as a title.
_NAME = rf"^(?:{_WORD}(?: (?:{_WORD}|&)){{0,3}})?$"
_TITLE = rf"^{_TITLE_WORD}(?: {_TITLE_WORD}){{4,6}}$"
_SHAPES: dict[tuple[str, int], tuple[str, ...]] = {
    # A route has <int:id> and [slug] for what varies, a generic type its parameter; a unit may be %.
    (r"^(?:[A-Za-z0-9_.:/+{}*^$-]|<[A-Za-z0-9_:]+>|\[[A-Za-z0-9_.]+\])*%?$", 128): (LABEL,),
    (r"^[A-Za-z0-9_.:/+-]*$", 64): (UNKNOWN,),
    (
        rf"^(\[({_SCALAR}(, ?{_SCALAR})*)?\]|\{{({_QUOTED}: ?{_SCALAR}(, ?{_QUOTED}: ?{_SCALAR})*)?\}})$",
        1024,
    ): (LABELS,),
    (_NAME, 128): (NAME, MODEL, STEP),
    (rf"{_NAME}|{_TITLE}", 128): (AGENT,),
    # In one style of writing, the namespaces in front each in its own: models invent names of tools, and
    # those mix styles.
    (rf"^(?:{_STYLE}(?:[./:]|__))*{_STYLE}?$", 96): (TOOL,),
}
"""What values look like (RE2), and how many characters they have at most → the classes it holds for."""

_SHAPE_OF = {kind: number for number, kinds in enumerate(_SHAPES.values()) for kind in kinds}


class Checks:
    """The checks of a policy, with their verdicts on values that come again and again remembered."""

    def __init__(self, of_known_keys: Detectors, of_unknown_keys: Detectors) -> None:
        self._of_known_keys = of_known_keys
        self._of_unknown_keys = of_unknown_keys
        self._verdicts: dict[tuple[str, str | None], int] = {}

    def detector(self, verdict: int) -> str:
        """The name of the detector that a verdict stands for."""
        return self._of_unknown_keys.names[verdict - 1]

    def __call__(self, values: Sequence[tuple[str, pa.StringArray]]) -> list[Verdicts]:
        """The verdicts for each (class, distinct values); a missing value is misshapen.

        A column with few distinct values is mostly one whose values are known; one with many is mostly ids.
        """
        known = [self._remembered(kind, distinct) for kind, distinct in values]
        unknown = [number for number, verdict in enumerate(known) if verdict is None]
        found = iter(self._check([values[number] for number in unknown]))
        verdicts = [next(found) if verdict is None else verdict for verdict in known]
        for number in unknown:
            self._remember(*values[number], verdicts[number])
        return verdicts

    def _remembered(self, kind: str, distinct: pa.StringArray) -> Verdicts | None:
        if len(distinct) > _FEW:
            return None
        verdicts = [self._verdicts.get((kind, value)) for value in distinct.to_pylist()]
        return None if None in verdicts else np.array(verdicts, np.int16)

    def _remember(self, kind: str, distinct: pa.StringArray, verdict: Verdicts) -> None:
        if len(distinct) > _FEW:
            return
        if len(self._verdicts) > _MOST_REMEMBERED:
            self._verdicts.clear()
        self._verdicts.update(
            zip(((kind, value) for value in distinct.to_pylist()), verdict.tolist(), strict=True)
        )

    def _check(self, values: Sequence[tuple[str, pa.StringArray]]) -> list[Verdicts]:
        if not values:
            return []
        lengths = np.array([len(distinct) for _, distinct in values])
        together = pa.concat_arrays([distinct for _, distinct in values])
        shapes = np.repeat([_SHAPE_OF[kind] for kind, _ in values], lengths)
        verdicts = np.zeros(len(together), np.int16)
        strict = shapes == _SHAPE_OF[UNKNOWN]
        if not strict.all():
            verdicts = self._found(self._of_known_keys, together)
        if strict.any():
            verdicts[strict] = self._found(self._of_unknown_keys, together.filter(pa.array(strict)))
        characters = pc.fill_null(pc.utf8_length(together), 0).to_numpy(zero_copy_only=False)
        is_ascii = pc.fill_null(pc.string_is_ascii(together), True).to_numpy(zero_copy_only=False)
        for number, (shape, longest) in enumerate(_SHAPES):
            own = shapes == number
            if not own.any():
                continue
            matching = pc.match_substring_regex(together.filter(pa.array(own)), shape)
            fits = pc.fill_null(matching, False).to_numpy(zero_copy_only=False) & (characters[own] <= longest)
            foreign = np.flatnonzero(fits & ~is_ascii[own])
            if len(foreign):
                texts = together.filter(pa.array(own)).take(pa.array(foreign)).to_pylist()
                fits[foreign] = [is_legible_name(text) for text in texts]
            # A detector's hit tells more than a shape that isn't met.
            verdicts[own] = np.where(fits | (verdicts[own] > 0), verdicts[own], MISSHAPEN)
        return np.split(verdicts, np.cumsum(lengths)[:-1])

    def _found(self, detectors: Detectors, values: pa.StringArray) -> Verdicts:
        found = detectors.found(values)
        if found.null_count == len(found):
            return np.zeros(len(values), np.int16)
        numbers = np.array(
            [self._of_unknown_keys.names.index(name) + 1 for name in detectors.names], np.int16
        )
        hits = found.is_valid().to_numpy(zero_copy_only=False)
        return np.where(hits, numbers[pc.fill_null(found, 0).to_numpy(zero_copy_only=False)], 0).astype(
            np.int16
        )


_FEW = 64
_MOST_REMEMBERED = 20_000
