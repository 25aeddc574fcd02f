"""Views are moved as Arrow's own take and concatenation move strings."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttracer.collector.string_views import StringViews

# Twelve bytes stand in the view itself, thirteen don't.
TEXTS = st.none() | st.text(max_size=4) | st.sampled_from(["x" * 12, "x" * 13, "ä" * 400, ""])
ARRAYS = st.lists(st.lists(TEXTS, max_size=8), min_size=1, max_size=4)


@settings(deadline=None)
@given(ARRAYS, st.data())
def test_what_is_taken_of_several_arrays_is_what_arrow_takes(
    parts: list[list[str | None]], data: st.DataObject
) -> None:
    arrays = [pa.array(part, pa.string()) for part in parts]
    count = sum(map(len, arrays))
    rows = data.draw(st.lists(st.integers(-1, count - 1), max_size=12 if count else 0))

    taken = StringViews.together([StringViews.of(array) for array in arrays]).take(np.array(rows, np.int64))

    expected = pa.concat_arrays(arrays).take(pa.array([None if row < 0 else row for row in rows], pa.int64()))
    assert expected.equals(taken.array())
    assert [len((text or "").encode()) for text in expected.to_pylist()] == taken.sizes.tolist()


@pytest.mark.parametrize(("offset", "length"), [(0, 2), (1, 3), (4, 0)])
def test_a_slice_is_its_own_strings(offset: int, length: int) -> None:
    part = pa.array(["a", None, "b" * 30, "c" * 13])[offset:][:length]

    assert part.equals(StringViews.of(part).array())


def test_an_array_holds_none_of_the_bytes_that_it_was_not_given() -> None:
    came = pa.array(["kept and long enough", "CANARY " * 100])

    array = StringViews.of(came).take(np.array([0])).array()

    assert b"CANARY" not in array.buffers()[2].to_pybytes()


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=8))
def test_lines_are_the_strings_with_a_newline_behind_each(texts: list[str | None]) -> None:
    lines = StringViews.of(pa.array(texts, pa.string())).lines()

    encoded = [(text or "").encode() for text in texts]
    assert b"".join(text + b"\n" for text in encoded) == (bytes(lines.text) if texts else b"")
    assert encoded == [lines[row] for row in range(len(lines))]
    assert [row for row, text in enumerate(encoded) for _ in range(len(text) + 1)] == lines.rows(
        np.arange(lines.text.size if texts else 0)
    ).tolist()


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=8), st.data())
def test_others_stand_in_the_rows_that_are_named(texts: list[str | None], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), unique=True) if texts else st.just([]))
    others = data.draw(st.lists(TEXTS, min_size=len(rows), max_size=len(rows)))

    replaced = StringViews.of(pa.array(texts, pa.string())).replaced(
        np.array(rows, np.int64), pa.array(others, pa.string())
    )

    expected = [others[rows.index(row)] if row in rows else text for row, text in enumerate(texts)]
    assert expected == replaced.array().to_pylist()
