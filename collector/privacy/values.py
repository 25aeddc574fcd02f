"""Which strings may stay: checks on arrays of distinct values, in RE2, whole arrays at a time.

A value stays only when it matches what its class looks like AND no detector finds anything in it. Arrow
compiles an expression anew in every call, so a batch's values are checked together, in one call a class,
and no expression counts to more than it must: what is long is refused by its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.schemas.attributes import LABEL, LABELS, NAME, TOOL

_QUOTED = r'"[A-Za-z0-9_.:/+-]*"'
_SCALAR = rf"({_QUOTED}|-?[0-9.eE+-]+|true|false|null)"
# Whatever a sentence, a markup or a data structure is made of is not part of a name; nor are blanks.
_WORD = r"[^\x00-\x20!\"$&'*,;<=>?\[\\\]^`{|}~\x{7F}-\x{A0}\x{2000}-\x{206F}\x{3000}\x{FEFF}]+"
_STYLES = (
    r"[a-z][a-z0-9]*(_+[a-z0-9]+)*",  # snake_case
    r"[a-z][a-z0-9]*(-[a-z0-9]+)*",  # kebab-case
    r"[A-Za-z][A-Za-z0-9]*",  # camelCase
    r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*",  # SCREAMING_CASE
)

_SHAPES: dict[str, tuple[str, int]] = {
    LABEL: (r"^[A-Za-z0-9_.:/+{}%*^-]*$", 128),
    LABELS: (
        rf"^(\[({_SCALAR}(, ?{_SCALAR})*)?\]|\{{({_QUOTED}: ?{_SCALAR}(, ?{_QUOTED}: ?{_SCALAR})*)?\}})$",
        1024,
    ),
    # At most four words: a sentence is not a name.
    NAME: (rf"^({_WORD}( {_WORD}){{0,3}})?$", 128),
    # One style of writing, a namespace in front: models invent names of tools, and those mix styles.
    TOOL: (rf"^([A-Za-z][A-Za-z0-9]*(\.|/|:|__))*({'|'.join(_STYLES)})?$", 96),
}
"""Class → what its values look like (RE2), and how many characters they have at most."""

DETECTORS = {
    "email": r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\.[A-Za-z][A-Za-z]",
    "jwt": r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.",
    "private_key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "provider_key": r"\b(sk|pk|rk)-[A-Za-z0-9_-]{12}|\bsk_(live|test)_|\bhf_[A-Za-z0-9]{12}",
    "cloud_key": r"\b(AKIA|ASIA)[A-Z0-9]{8}|\bAIza[A-Za-z0-9_-]{8}",
    "code_host_token": r"\bgh[pousr]_[A-Za-z0-9]{8}|github_pat_|\bglpat-",
    "chat_token": r"\bxox[abeoprs]-",
    "credential_url": r"://[^/\s:@]+:[^/\s@]+@",
    "bearer": r"(?i:\b(bearer|basic)\s+[a-z0-9._~+/=-]{8})",
    "iban": r"\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11}",
    "card": r"\b[3-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{3}",
    "phone": r"\+[0-9]{1,3}[ ().-]?[0-9]{2,4}[ ().-][0-9 ().-]{5}",
    "ssn": r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
}
"""What nobody may find in a store: class → RE2 pattern, as short as tells it."""

_ANY = "|".join(f"(?:{pattern})" for pattern in DETECTORS.values())
# Something of each of the above, cheap to compile: only what it hits is worth the detectors themselves.
_HINT = (
    r"@|eyJ|-----BEGIN|[spr]k[-_]|hf_|AKIA|ASIA|AIza|gh[pousr]_|github_pat_|glpat-|xox|://|"
    r"(?i:bearer|basic)|[A-Z][A-Z][0-9][0-9][A-Z0-9]|[0-9][ -][0-9]|\+[0-9]"
)


class Checks:
    """The checks, with their verdicts on values that come again and again remembered."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, str | None], bool] = {}

    def __call__(self, values: Sequence[tuple[str, pa.StringArray]]) -> list[npt.NDArray[np.bool_]]:
        """For each (class, distinct values) which of the values may stay; missing ones may not.

        A column with few distinct values is mostly one whose values are known; one with many is mostly ids.
        """
        known = [self._remembered(kind, distinct) for kind, distinct in values]
        unknown = [number for number, verdict in enumerate(known) if verdict is None]
        found = iter(check([values[number] for number in unknown]))
        verdicts = [next(found) if verdict is None else verdict for verdict in known]
        for number in unknown:
            self._remember(*values[number], verdicts[number])
        return verdicts

    def _remembered(self, kind: str, distinct: pa.StringArray) -> npt.NDArray[np.bool_] | None:
        if len(distinct) > _FEW:
            return None
        verdicts = [self._verdicts.get((kind, value)) for value in distinct.to_pylist()]
        return None if None in verdicts else np.array(verdicts, bool)

    def _remember(self, kind: str, distinct: pa.StringArray, verdict: npt.NDArray[np.bool_]) -> None:
        if len(distinct) > _FEW:
            return
        if len(self._verdicts) > _MOST_REMEMBERED:
            self._verdicts.clear()
        self._verdicts.update(
            zip(((kind, value) for value in distinct.to_pylist()), verdict.tolist(), strict=True)
        )


_FEW = 64
_MOST_REMEMBERED = 20_000


def check(values: Sequence[tuple[str, pa.StringArray]]) -> list[npt.NDArray[np.bool_]]:
    """For each (class, distinct values) which of the values may stay; missing ones may not."""
    if not values:
        return []
    lengths = np.array([len(distinct) for _, distinct in values])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    together = pa.concat_arrays([distinct for _, distinct in values])
    fits = ~_flags(_detected(together))
    characters = pc.fill_null(pc.utf8_length(together), 0).to_numpy(zero_copy_only=False)
    for kind, (shape, longest) in _SHAPES.items():
        own = np.repeat([wanted == kind for wanted, _ in values], lengths)
        if own.any():
            looks = _flags(pc.match_substring_regex(together.filter(pa.array(own)), shape))
            fits[own] &= looks & (characters[own] <= longest)
    return np.split(fits, starts[1:-1])


def _detected(values: pa.StringArray) -> pa.BooleanArray:
    """In which values a detector finds something."""
    hinted = pc.match_substring_regex(values, _HINT)
    if not pc.any(hinted, min_count=0).as_py():
        return hinted
    return pc.replace_with_mask(
        hinted, pc.fill_null(hinted, False), pc.match_substring_regex(values.filter(hinted), _ANY)
    )


def _flags(booleans: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    return pc.fill_null(booleans, False).to_numpy(zero_copy_only=False)
