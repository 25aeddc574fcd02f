"""Which way an installed framework is seen, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from agenttracer.instrumentation.libraries.framework import Framework, Kind, Way
from agenttracer.instrumentation.libraries.installed import version_of


class State(StrEnum):
    """What became of an installed framework."""

    ON = "on"  # its spans are made
    WAITING = "waiting"  # installed, not imported yet: switched on when it is
    VIA = "via"  # seen in the spans of another framework
    STOOD_DOWN = "stood_down"  # somebody else makes its spans already
    MISSING = "missing"  # an instrumentor has to be installed
    UNSUPPORTED = "unsupported"  # no way was made for this version
    FAILED = "failed"  # switching it on raised; the program goes on


@dataclass(frozen=True)
class Outcome:
    """What was done about one installed framework."""

    framework: str
    version: str
    state: State
    instrumentor: str | None = None
    """``agenttracer``, ``native``, or the package of an upstream instrumentor."""
    detail: str = ""
    install: str | None = None
    """What to run when something has to be installed."""


@dataclass(frozen=True)
class Choice:
    """The way that was chosen for an installed framework; without one, the outcome says why."""

    framework: Framework
    outcome: Outcome
    way: Way | None


def choose(framework: Framework, version: str) -> Choice:
    """The best way that supports the version and is installed."""
    outcome = Outcome(framework.name, version, State.WAITING)
    if framework.via is not None:
        return Choice(framework, replace(outcome, state=State.VIA, detail=f"through {framework.via}"), None)
    ways = framework.ways_for(version)
    if not ways:
        supported = " or ".join(dict.fromkeys(way.versions for way in framework.ways))
        detail = f"supported are the versions {supported}"
        return Choice(framework, replace(outcome, state=State.UNSUPPORTED, detail=detail), None)
    for way in ways:
        if way.distribution is None:
            name = "native" if way.kind is Kind.NATIVE else "agenttracer"
            return Choice(framework, replace(outcome, instrumentor=name), way)
        if version_of(way.distribution) is not None:
            return Choice(framework, replace(outcome, instrumentor=way.distribution), way)
    install = f"pip install '{ways[0].requirement}'"
    missing = replace(
        outcome, state=State.MISSING, detail=f"{ways[0].distribution} is needed", install=install
    )
    return Choice(framework, missing, None)
