"""What is installed here, what ``instrument()`` would do about it, and what stands in its way."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agenttracer import __version__
from agenttracer.instrumentation.libraries.choice import Outcome, State, choose
from agenttracer.instrumentation.libraries.content_switches import VARIABLES
from agenttracer.instrumentation.libraries.framework import release_of
from agenttracer.instrumentation.libraries.installed import loaded_instrumentors, version_of
from agenttracer.instrumentation.libraries.table import BY_NAME, FRAMEWORKS

BREAKING: Final = (
    ("opentelemetry-instrumentation-mcp", "mcp", "2"),
    ("opentelemetry-instrumentation-haystack", "haystack-ai", "3"),
)
"""An instrumentor, and from which version of its framework on it breaks the program."""


@dataclass(frozen=True)
class Problem:
    """Something that keeps data from being seen, and what to do."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Findings:
    """The state of this Python environment."""

    agenttracer: str
    python: str
    opentelemetry: str | None
    has_command: bool
    """Whether ``opentelemetry-instrument`` is installed."""
    frameworks: list[Outcome]
    content_variables: list[str]
    """Variables that ask for content, which ``instrument()`` changes."""
    problems: list[Problem]


def find(environment: Mapping[str, str] | None = None) -> Findings:
    """Look around. Imports no framework."""
    environment = os.environ if environment is None else environment
    installed = [
        (framework, version)
        for framework in FRAMEWORKS
        if (version := version_of(framework.distribution)) is not None
    ]
    outcomes = [choose(framework, version).outcome for framework, version in installed]
    return Findings(
        agenttracer=__version__,
        python=platform.python_version(),
        opentelemetry=version_of("opentelemetry-sdk"),
        has_command=version_of("opentelemetry-distro") is not None,
        frameworks=outcomes,
        content_variables=[
            name for name, wanted in VARIABLES.items() if environment.get(name) not in (None, wanted)
        ],
        problems=[*_unseen(outcomes), *_twice(), *_breaking()],
    )


def _unseen(outcomes: list[Outcome]) -> list[Problem]:
    problems = []
    for outcome in outcomes:
        if outcome.state is State.MISSING and not BY_NAME[outcome.framework].is_client:
            problems.append(Problem(f"{outcome.framework} is not seen", outcome.install or ""))
        if outcome.state is State.UNSUPPORTED:
            what = f"{outcome.framework} {outcome.version} is not supported: {outcome.detail}"
            problems.append(Problem(what, "install a supported version, or an instrumentor of your choice"))
    return problems


def _twice() -> list[Problem]:
    problems = []
    for framework in FRAMEWORKS:
        families = loaded_instrumentors(framework)
        if version_of(framework.distribution) is not None and len(families) > 1:
            what = f"opentelemetry-instrument records {framework.name} {len(families)} times: {', '.join(families)}"
            problems.append(Problem(what, "uninstall all but one"))
    return problems


def _breaking() -> list[Problem]:
    problems = []
    for instrumentor, distribution, version in BREAKING:
        found = version_of(distribution)
        present = version_of(instrumentor) is not None
        if present and found is not None and release_of(found) >= release_of(version):
            what = f"{instrumentor} breaks programs with {distribution} {found}"
            problems.append(Problem(what, f"pip uninstall {instrumentor}"))
    return problems
