"""Plain values are looked up byte by byte; the answer is that of the expression that describes them."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agenttracer.collector.privacy.detectors import Detectors
from agenttracer.collector.privacy.values import MISSHAPEN, UNKNOWN, Checks
from agenttracer.schemas.attributes import AGENT, LABEL, MODEL, NAME, STEP

LONGEST = 128
DESCRIBED = {
    LABEL: r"(?:[A-Za-z0-9_.:/+{}*^$-]|<[A-Za-z0-9_:]+>|\[[A-Za-z0-9_.]+\])*%?",
    UNKNOWN: r"[A-Za-z0-9_.:/+-]{0,64}",
}
TEXTS = st.one_of(
    st.text(max_size=8),
    st.text("aZ0_.:/+{}%*^$<>[]- \n\0é", max_size=6),
    st.integers(62, 130).map(lambda count: "a" * count),
    st.none(),
)


CHECKS = Checks(Detectors([]), Detectors([]))


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=12), st.integers(0, 3), st.sampled_from([LABEL, UNKNOWN]))
@example(["", "", "bad value", "", "good"], 1, LABEL)
@example(["a\n", "\na", "a" * 128, "a" * 129, None], 0, LABEL)
def test_a_label_is_what_its_expression_says(texts: list[str | None], skipped: int, kind: str) -> None:
    """For texts of any characters and lengths, empty and missing ones, in arrays and in slices of them."""
    (verdicts,) = CHECKS([(kind, pa.array(texts, pa.string())[skipped:])])
    expected = [
        text is not None and len(text) <= LONGEST and re.fullmatch(DESCRIBED[kind], text) is not None
        for text in texts[skipped:]
    ]
    assert expected == (np.asarray(verdicts) != MISSHAPEN).tolist()


@pytest.mark.parametrize("kind", [NAME, MODEL, STEP, AGENT])
def test_one_plain_word_is_a_name(kind: str) -> None:
    """Up to its length, beside words that are looked at more closely and sentences."""
    texts = [
        "",
        "run-1:a/b.c+d_2",
        "a" * 128,
        "a" * 129,
        "Anna's agent",
        "x {y}",
        "this is a sentence of words",
        None,
    ]

    (verdicts,) = CHECKS([(kind, pa.array(texts, pa.string()))])

    assert [True, True, True, False, True, False, False, False] == (verdicts != MISSHAPEN).tolist()
