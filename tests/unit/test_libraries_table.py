"""The table of frameworks, and how a way is chosen from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from agenttracer.instrumentation.libraries import choice, entry_points
from agenttracer.instrumentation.libraries.choice import State, choose
from agenttracer.instrumentation.libraries.framework import Framework, Kind, Way, release_of
from agenttracer.instrumentation.libraries.table import BY_NAME, FRAMEWORKS
from tests.unit.test_packaging import PROJECT, ROOT

UPSTREAM = Way(Kind.UPSTREAM, "pkg.mod:Cls", "upstream-thing>=1.3b0", "1", "3")
OURS = Way(Kind.OURS, "agenttracer.x", None, "0.5", "2.5")
DEMANDED = """langchain langgraph openai openai_agents anthropic crewai llama_index pydantic_ai smolagents
google_adk agent_framework autogen mcp litellm dspy haystack strands agno""".split()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The packages that are installed, by name."""
    found: dict[str, str] = {}
    monkeypatch.setattr(choice, "version_of", found.get)
    return found


@pytest.mark.parametrize(
    ("version", "release"),
    [("1.2.22", (1, 2, 22)), ("1.3b0", (1, 3)), ("2.0.0", (2,)), ("0.14.post1", (0, 14)), ("x", ())],
)
def test_a_version_is_its_release(version: str, release: tuple[int, ...]) -> None:
    """Zeros at the end and what comes after the release don't count."""
    assert release == release_of(version)


def test_a_way_supports_a_range() -> None:
    """From the lowest version on, up to the first that it was not made for."""
    assert [False, True, True, False] == [UPSTREAM.supports(v) for v in ("0.9", "1.0", "2.99.1", "3.0.0")]
    assert ">=1,<3" == UPSTREAM.versions
    assert "upstream-thing" == UPSTREAM.distribution


def test_the_first_way_that_is_installed_is_chosen(installed: dict[str, str]) -> None:
    """The order of the table decides among those that support the version."""
    framework = Framework("thing", "thing", "thing", (UPSTREAM, OURS))

    assert OURS == choose(framework, "2.0").way
    installed["upstream-thing"] = "1.3b0"
    assert UPSTREAM == choose(framework, "2.0").way
    assert OURS == choose(framework, "0.7").way


def test_what_has_to_be_installed_is_said(installed: dict[str, str]) -> None:
    """With the exact command, and no way."""
    chosen = choose(Framework("thing", "thing", "thing", (UPSTREAM,)), "2.0")

    assert chosen.way is None
    assert State.MISSING is chosen.outcome.state
    assert "pip install 'upstream-thing>=1.3b0'" == chosen.outcome.install


def test_an_unknown_version_is_not_touched() -> None:
    """It says which versions are supported."""
    chosen = choose(Framework("thing", "thing", "thing", (UPSTREAM, OURS)), "9.0")

    assert chosen.way is None
    assert State.UNSUPPORTED is chosen.outcome.state
    assert "supported are the versions >=1,<3 or >=0.5,<2.5" == chosen.outcome.detail


def test_a_framework_can_be_seen_through_another() -> None:
    """LangGraph has no row of its own to switch on."""
    chosen = choose(BY_NAME["langgraph"], "1.0")

    assert (State.VIA, "through langchain", None) == (chosen.outcome.state, chosen.outcome.detail, chosen.way)


def test_the_table_is_whole() -> None:
    """Every framework that is promised; names are unique; a way or another framework; modules of ours exist."""
    assert len(FRAMEWORKS) == len(BY_NAME)
    assert set(DEMANDED) <= set(BY_NAME)
    for framework in FRAMEWORKS:
        assert bool(framework.ways) != (framework.via in BY_NAME)
        for way in framework.ways:
            assert (way.kind is Kind.UPSTREAM) == (way.requirement is not None)
            if way.kind is not Kind.UPSTREAM and way.target is not None:
                assert importlib.util.find_spec(way.target) is not None


def test_every_way_of_ours_has_an_entry_point() -> None:
    """opentelemetry-instrument finds what has to be switched on, under a name that no other family uses."""
    points = PROJECT["project"]["entry-points"]["opentelemetry_instrumentor"]
    needed = {
        framework.entry_point
        for framework in FRAMEWORKS
        for way in framework.ways
        if way.kind is not Kind.UPSTREAM and way.target is not None
    }

    assert needed == set(points)
    for name, target in points.items():
        cls = getattr(entry_points, target.partition(":")[2])
        assert name == BY_NAME[cls.framework].entry_point


def test_the_documentation_lists_every_framework() -> None:
    """The table in the documentation has a row for each, with the packages to install."""
    text = (ROOT / "docs" / "instrumentation.md").read_text()
    zero_code = text.partition("<!-- zero-code -->")[2]

    for framework in FRAMEWORKS:
        assert f"`{framework.distribution}`" in zero_code, framework.name
        for way in framework.ways:
            assert way.distribution is None or way.distribution in zero_code
            assert way.at_least == "0" or f"≥ {way.at_least}" in zero_code, (framework.name, way.at_least)
    assert Path(ROOT / "docs").is_dir()
