"""Switching on and off: what is done about each framework, and that the program never notices a failure."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import NoOpTracerProvider

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.libraries import choice, entry_points, installed, switching
from agenttracer.instrumentation.libraries.choice import State
from agenttracer.instrumentation.libraries.framework import Framework, Kind, StandDown, Way
from agenttracer.instrumentation.libraries.switching import Switchboard

PROVIDER = NoOpTracerProvider()
INSTRUMENTOR = """
class Instrumentor:
    _instance = None
    is_instrumented_by_opentelemetry = False
    calls = []
    def __new__(cls):
        cls._instance = cls._instance or super().__new__(cls)
        return cls._instance
    def instrument(self, **options):
        self.calls.append(sorted(options))
        self.is_instrumented_by_opentelemetry = True
    def uninstrument(self):
        self.calls.append("off")
        self.is_instrumented_by_opentelemetry = False
"""
OURS = """
calls = []
def switch_on(source):
    calls.append(type(source).__name__)
    return lambda: calls.append("off")
"""


@pytest.fixture(autouse=True)
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switchboard]:
    """A switchboard over frameworks that lie in a folder; everything is installed in version 2."""
    monkeypatch.setattr(guard, "_warned", set())
    for module in (choice, switching):
        monkeypatch.setattr(module, "version_of", lambda name: "2.0")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fake_framework.py").write_text("")
    (tmp_path / "fake_instrumentor.py").write_text(INSTRUMENTOR)
    (tmp_path / "fake_ours.py").write_text(OURS)
    before = set(sys.modules)
    made = Switchboard()
    monkeypatch.setattr(switching, "SWITCHBOARD", made)
    monkeypatch.setattr(entry_points, "SWITCHBOARD", made)
    yield made
    made.off()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def framework(kind: Kind, target: str | None, **options: Any) -> Framework:
    """A framework with one way."""
    requirement = "fake-upstream>=1" if kind is Kind.UPSTREAM else None
    return Framework("fake", "fake", "fake_framework", (Way(kind, target, requirement),), **options)


def calls(module: str) -> Any:
    """What a fake was called with."""
    found = importlib.import_module(module)
    return found.Instrumentor.calls if hasattr(found, "Instrumentor") else found.calls


def states(board: Switchboard) -> list[tuple[str, str]]:
    """State and detail of everything."""
    return [(outcome.state, outcome.detail) for outcome in board.outcomes()]


@pytest.mark.parametrize(
    ("kind", "target", "module", "called"),
    [
        (Kind.OURS, "fake_ours", "fake_ours", ["NoOpTracer", "off"]),
        (Kind.NATIVE, "fake_ours", "fake_ours", ["NoOpTracerProvider", "off"]),
        (
            Kind.UPSTREAM,
            "fake_instrumentor:Instrumentor",
            "fake_instrumentor",
            [["skip_dep_check", "tracer_provider"], "off"],
        ),
    ],
)
def test_each_kind_is_switched_on_and_off(
    board: Switchboard, kind: Kind, target: str, module: str, called: list[Any]
) -> None:
    """When the framework is imported, and not before; off undoes it."""
    board.add(framework(kind, target), PROVIDER)
    assert [("waiting", "")] == states(board)
    assert "fake_framework" not in sys.modules

    importlib.import_module("fake_framework")
    assert [("on", "")] == states(board)
    board.off()

    assert called == calls(module)
    assert [] == board.outcomes()


def test_a_framework_that_needs_no_switch(board: Switchboard) -> None:
    """It is on once it is imported."""
    board.add(framework(Kind.NATIVE, None), PROVIDER)
    importlib.import_module("fake_framework")

    assert [("on", "")] == states(board)


def test_it_is_switched_on_once(board: Switchboard) -> None:
    """However often it is asked for."""
    importlib.import_module("fake_framework")
    for _ in range(3):
        board.add(framework(Kind.OURS, "fake_ours"), PROVIDER)

    assert ["NoOpTracer"] == calls("fake_ours")


def test_it_stands_down_for_another_family(
    board: Switchboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upstream instrumentor that the program has switched on keeps the framework to itself."""
    monkeypatch.setattr(installed, "_FAMILIES", ("other_family",))
    (tmp_path / "other_family").mkdir()
    (tmp_path / "other_family" / "fake.py").write_text(INSTRUMENTOR)
    other = importlib.import_module("other_family.fake").Instrumentor()
    other.instrument()
    importlib.import_module("fake_framework")

    board.add(framework(Kind.OURS, "fake_ours"), PROVIDER)

    assert [("stood_down", "other_family.fake is switched on")] == states(board)
    assert [] == calls("fake_ours")


def test_a_way_may_stand_down_itself(board: Switchboard, tmp_path: Path) -> None:
    """It says why."""
    name = f"{StandDown.__module__} import StandDown"
    (tmp_path / "fake_ours.py").write_text(
        f"from {name}\ndef switch_on(source):\n    raise StandDown('taken')\n"
    )
    importlib.import_module("fake_framework")

    board.add(framework(Kind.OURS, "fake_ours"), PROVIDER)

    assert [("stood_down", "taken")] == states(board)


def test_a_broken_way_harms_nobody(
    board: Switchboard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The program's import goes on; one warning without the error's text."""
    (tmp_path / "fake_ours.py").write_text("raise KeyError('CANARY')\n")
    board.add(framework(Kind.OURS, "fake_ours"), PROVIDER)
    with caplog.at_level(logging.WARNING):
        importlib.import_module("fake_framework")

    assert [("failed", "KeyError")] == states(board)
    assert ["agenttracer: instrument fake failed with KeyError; the program goes on"] == caplog.messages


def test_what_is_missing_is_said_once(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(choice, "version_of", lambda name: None)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            board.add(framework(Kind.UPSTREAM, "fake_instrumentor:Instrumentor"), PROVIDER)

    assert ["agenttracer: fake is not seen yet: pip install 'fake-upstream>=1'"] == caplog.messages
    assert [(State.MISSING, "fake-upstream is needed")] == states(board)


def test_a_bad_address_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and nothing is switched on."""
    with caplog.at_level(logging.WARNING):
        outcomes = switching.instrument(api_url="ftp://alice.canary@example.com")
    switching.uninstrument(0.1)

    assert [] == outcomes
    assert 1 == len(caplog.messages)
    assert "nothing is instrumented" in caplog.text
    assert "canary" not in caplog.text


def test_entry_points_leave_a_framework_to_another_family(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless that one is disabled; nothing is raised in any case."""
    fake = framework(Kind.OURS, "fake_ours")
    monkeypatch.setattr(entry_points, "BY_NAME", {"langchain": fake})
    points = [
        installed.EntryPoint("fake", "openinference.instrumentation.fake:Cls", "opentelemetry_instrumentor")
    ]
    monkeypatch.setattr(installed, "entry_points", lambda group: points)
    instrumentor = entry_points.LangChain()

    instrumentor.instrument(skip_dep_check=True)
    assert [] == states(board)
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "openai, fake")
    instrumentor.instrument(skip_dep_check=True)
    assert [("waiting", "")] == states(board)
    instrumentor.uninstrument()
    monkeypatch.setattr(entry_points, "BY_NAME", {})
    instrumentor.instrument()


def test_the_pre_instrument_hook_switches_content_off(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any instrumentor reads its variables; off puts them back."""
    monkeypatch.setenv("TRACELOOP_TRACE_CONTENT", "true")
    entry_points.before_instrumentors()
    import os

    during = os.environ["TRACELOOP_TRACE_CONTENT"]
    board.off()

    assert ("false", "true") == (during, os.environ["TRACELOOP_TRACE_CONTENT"])
