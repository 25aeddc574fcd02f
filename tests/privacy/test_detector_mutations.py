"""No detector is there for nothing: without any one of them, what only it finds comes through.

Every example of every detector stands in text that an operator allowed, in the name of an event and under a key of
each meaning. With all detectors none comes out; with one of them off, one of its own does.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from agenttracer.collector.privacy.detectors import DEFAULTS, TABLE
from agenttracer.collector.privacy.detectors.detector import Detector
from agenttracer.schemas.batch import Signal
from tests.otlp_traces import request, span
from tests.privacy.storing import Pipelines

_ALLOWED = "my.note"
_KEYS = ("error.type", "gen_ai.agent.name", "gen_ai.tool.name", "gen_ai.request.model", _ALLOWED)
_DETECTORS = [detector for detector in TABLE if detector.default]
_UNSPECIFIC = {detector.name for detector in _DETECTORS if detector.free_text}
_SECONDED = {"anthropic_key": {"sk_key"}, "openai_key": {"sk_key"}, "azure_key": {"secret"}}
"""What these find, others find as well, by a less telling name; they go together."""


@cache
def _examples() -> bytes:
    """One span for each example; lists hold labels as well."""
    return request(
        *(
            span(
                "x",
                {_ALLOWED: hit} if detector.free_text else {**dict.fromkeys(_KEYS, hit), "agent.capabilities": [hit]},
                events=[("x" if detector.free_text else hit, {_ALLOWED: hit})],
                identifier=number + 1,
            )
            for number, (detector, hit) in enumerate(
                (detector, hit) for detector in _DETECTORS for hit in detector.hits
            )
        )
    ).SerializeToString()  # fmt: skip


def _surviving(folder: Path, off: set[str] | None = None) -> set[str]:
    """The examples that come through, with all detectors or without some."""
    options = {"detectors": tuple(DEFAULTS - off)} if off else {}
    stored = Pipelines(folder, allowed_keys=(_ALLOWED,), **options).stored(Signal.TRACES, _examples())
    return {hit for detector in _DETECTORS for hit in detector.hits if hit.encode() in stored}


def test_no_example_survives_all_detectors(tmp_path: Path) -> None:
    """What any detector is there for, whatever it is said to be."""
    assert _surviving(tmp_path) == set()


@pytest.mark.parametrize("detector", _DETECTORS, ids=lambda detector: detector.name)
def test_a_detector_that_is_off_is_found(detector: Detector, tmp_path: Path) -> None:
    """One of its examples comes through, and nothing that others find."""
    # What is random is found in text whatever it is; then another detector gives it a name.
    off = (
        {detector.name} | _SECONDED.get(detector.name, set()) | (set() if detector.free_text else _UNSPECIFIC)
    )
    others = {hit for other in _DETECTORS if other.name not in off for hit in other.hits}

    surviving = _surviving(tmp_path, off)

    assert surviving & set(detector.hits) != set()
    assert surviving & others == set()
