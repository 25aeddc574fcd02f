"""Which strings may stay: checks on arrays of distinct values, whole arrays at a time.

A value stays only when it matches what its class looks like AND no detector finds anything in it. Plain characters
are looked up byte by byte; what has others is asked of an expression (RE2). Arrow compiles these anew in every call,
so a batch's values are checked together, in one call a shape, and no expression counts to more than it must: what is
long is refused by its length.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

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
_ALPHANUMERIC = string.ascii_letters + string.digits
_PLAIN = f"{_ALPHANUMERIC}_.:/+-"

# A route has <int:id> and [slug] for what varies, a generic type its parameter; a unit may be %.
_ROUTE = r"^(?:[A-Za-z0-9_.:/+{}*^$-]|<[A-Za-z0-9_:]+>|\[[A-Za-z0-9_.]+\])*%?$"


@dataclass(frozen=True, slots=True)
class Shape:
    """What values of some classes look like: of ``plain`` characters alone, or as ``expression`` (RE2) says; and
    how many characters they have at most."""

    kinds: tuple[str, ...]
    longest: int
    plain: str = ""
    expression: str | None = None


_SHAPES = (
    Shape(
        (LABELS,),
        1024,
        expression=rf"^(\[({_SCALAR}(, ?{_SCALAR})*)?\]|\{{({_QUOTED}: ?{_SCALAR}(, ?{_QUOTED}: ?{_SCALAR})*)?\}})$",
    ),
    Shape((LABEL,), 128, f"{_PLAIN}{{}}*^$", _ROUTE),
    Shape((UNKNOWN,), 64, _PLAIN),
    # One plain word is a name: most are, and ids of runs, of which there are many.
    Shape((NAME, MODEL, STEP), 128, _PLAIN, _NAME),
    Shape((AGENT,), 128, _PLAIN, rf"{_NAME}|{_TITLE}"),
    # In one style of writing, the namespaces in front each in its own: models invent names of tools, and
    # those mix styles.
    Shape((TOOL,), 96, expression=rf"^(?:{_STYLE}(?:[./:]|__))*{_STYLE}?$"),
)
_SHAPE_OF = {kind: number for number, shape in enumerate(_SHAPES) for kind in shape.kinds}


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
        is_ascii = pc.fill_null(pc.string_is_ascii(together), True).to_numpy(zero_copy_only=False)
        for number in np.unique(shapes).tolist():
            own = shapes == number
            held = together if own.all() else together.filter(pa.array(own))
            fits = _fits(number, held)
            foreign = np.flatnonzero(fits & ~is_ascii[own])
            if len(foreign):
                fits[foreign] = [is_legible_name(text) for text in held.take(pa.array(foreign)).to_pylist()]
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


def _fits(number: int, values: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which values have a shape."""
    shape = _SHAPES[number]
    fits = np.zeros(len(values), bool)
    if shape.plain:
        fits = _made_of(values, _ALLOWED[number], shape.longest)
    if shape.expression is not None and not fits.all():
        rest = ~fits
        fits[rest] = _matches(values.filter(pa.array(rest)), shape.expression, shape.longest)
    return fits


def _matches(values: pa.StringArray, expression: str, longest: int) -> npt.NDArray[np.bool_]:
    matching = pc.match_substring_regex(values, expression)
    fits = pc.and_(matching, pc.less_equal(pc.utf8_length(values), longest))
    found: npt.NDArray[np.bool_] = pc.fill_null(fits, False).to_numpy(zero_copy_only=False)
    return found


def _made_of(values: pa.StringArray, allowed: npt.NDArray[np.bool_], longest: int) -> npt.NDArray[np.bool_]:
    """Which values have these bytes alone, and no more than so many."""
    if values.null_count:
        return _made_of(values.fill_null(""), allowed, longest) & values.is_valid().to_numpy(
            zero_copy_only=False
        )
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int32)[values.offset :][: len(values) + 1]
    fits: npt.NDArray[np.bool_] = np.diff(ends) <= longest
    if data is not None:
        wrong = np.flatnonzero(~allowed[np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]])
        fits[np.searchsorted(ends - ends[0], wrong, side="right") - 1] = False
    return fits


def _is_allowed(characters: str) -> npt.NDArray[np.bool_]:
    allowed = np.zeros(256, bool)
    allowed[list(characters.encode("ascii"))] = True
    return allowed


_ALLOWED = [_is_allowed(shape.plain) for shape in _SHAPES]

_FEW = 64
_MOST_REMEMBERED = 20_000
