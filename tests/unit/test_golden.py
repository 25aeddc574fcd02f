"""The labelled captures: payload in, expected rows out, and the rows hold what is true of each scenario.

pytest tests/unit/test_golden.py --update-golden    writes the expected rows anew; the diff is for review
"""

import json

import pytest

from agenttracer.collector.processors.redaction import Redaction
from tests.accuracy.corpus import Capture, captures
from tests.accuracy.golden import EXPECTED, redacted_rows, render
from tests.accuracy.known_gaps import GAPS
from tests.accuracy.scoring import Score, score, score_rows
from tests.processing import redaction

CORPUS = captures()


@pytest.fixture(scope="module")
def redact(tmp_path_factory: pytest.TempPathFactory) -> Redaction:
    return redaction(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("capture", CORPUS, ids=lambda capture: capture.name)
def test_the_rows_are_the_expected_ones(
    capture: Capture, redact: Redaction, request: pytest.FixtureRequest
) -> None:
    """Every capture's typed columns, as they are stored, are those that were reviewed."""
    found = render(redacted_rows(capture, redact))
    path = EXPECTED / f"{capture.name}.json"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)

    assert path.read_text() == found


@pytest.mark.parametrize("capture", CORPUS, ids=lambda capture: capture.name)
def test_the_expected_rows_hold_what_is_true(capture: Capture) -> None:
    """The reviewed rows count the calls, and show the failures, that the manifest knows of and calls observable."""
    rows = json.loads((EXPECTED / f"{capture.name}.json").read_text())
    made = Score()
    score_rows(made, capture, rows["traces"], rows.get("logs", []))

    assert [miss for miss in made.misses if not miss.reason] == []


def test_every_capture_has_its_rows_and_nothing_else_has() -> None:
    """The folder of expected rows is complete, and holds none of a capture that is gone."""
    assert sorted(path.stem for path in EXPECTED.glob("*.json")) == [capture.name for capture in CORPUS]


def test_a_known_gap_is_still_one() -> None:
    """A reviewed exception that no capture needs any more is taken off the list."""
    needed = {miss.reason for capture in CORPUS for miss in score(capture).misses if miss.reason}

    assert [gap.prefix for gap in GAPS if gap.reason not in needed] == []
