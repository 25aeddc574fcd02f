"""What is asked of the distinct values of a column: of a few by Python, of many by Arrow.

Arrow makes its tables and compiles its expressions anew in every call, which costs more than to ask Python about a few
values. But a sender can put another value into every span, and then a loop over them would be one over spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_FEW = 64


def of_each(column: pa.Array, ask: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """What is said of each row when every distinct value is asked about once; a null stays one."""
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    return ask(encoded.dictionary).take(encoded.indices)


def words(values: pa.StringArray, table: Mapping[str, str]) -> pa.StringArray:
    """Each value's word in a table; null for what the table lacks. The values have no nulls."""
    if len(values) <= _FEW:
        return pa.array([table.get(value) for value in values.to_pylist()], pa.string())
    at = pc.index_in(values, pa.array(table.keys(), pa.string()))
    return pa.array(table.values(), pa.string()).take(at)


def among(values: pa.StringArray, chosen: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which values are among the chosen ones; a null is not."""
    if len(values) <= _FEW:
        return np.array([value in chosen for value in values.to_pylist()], bool)
    found: npt.NDArray[np.bool_] = pc.is_in(values, pa.array(list(chosen), pa.string())).to_numpy(
        zero_copy_only=False
    )
    return found


class FirstMatch:
    """Which of some expressions is the first to find something in a text: patterns that RE2 and ``re`` take alike."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._compiled = [_compiled(pattern) for pattern in patterns]

    def __call__(self, values: pa.StringArray) -> npt.NDArray[np.int64]:
        """Its number for each value, -1 where none does. The values have no nulls."""
        if len(values) <= _FEW:
            return np.array([self._first(value) for value in values.to_pylist()], np.int64)
        chosen = np.full(len(values), -1, np.int64)
        left = np.arange(len(values))
        for number, pattern in enumerate(self._patterns):
            hits = pc.match_substring_regex(values.take(pa.array(left)), pattern).to_numpy(
                zero_copy_only=False
            )
            chosen[left[hits]] = number
            left = left[~hits]
            if not len(left):
                break
        return chosen

    def _first(self, value: str) -> int:
        return next((number for number, pattern in enumerate(self._compiled) if pattern.search(value)), -1)


class FirstWord:
    """The word of the first expression that finds something in a text."""

    def __init__(self, rules: Sequence[tuple[str, str]]) -> None:
        self._match = FirstMatch([pattern for pattern, _ in rules])
        self._words = pa.array([word for _, word in rules], pa.string())

    def __call__(self, values: pa.StringArray) -> pa.StringArray:
        """For each value; null where none finds anything. The values have no nulls."""
        which = self._match(values)
        return self._words.take(pa.array(which, mask=which < 0))


class Extract:
    """What the one named group of an expression takes of a text."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._compiled = _compiled(pattern)

    def __call__(self, values: pa.StringArray) -> pa.StringArray:
        """For each value; null where the expression finds nothing. The values have no nulls."""
        if len(values) <= _FEW:
            found = [self._compiled.search(value) for value in values.to_pylist()]
            return pa.array([match and match[1] for match in found], pa.string())
        return pc.struct_field(pc.extract_regex(values, self._pattern), [0])


def _compiled(pattern: str) -> re.Pattern[str]:
    # The end of a text, which RE2 writes otherwise.
    return re.compile(pattern.replace(r"\z", r"\Z"))
