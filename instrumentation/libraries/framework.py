"""What the table of frameworks is made of: a framework, and the ways to see what it does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NUMBER = re.compile(r"\d+")


class Kind(StrEnum):
    """Who makes the spans."""

    OURS = "ours"  # a module of this package, on a hook of the framework
    NATIVE = "native"  # the framework itself
    UPSTREAM = "upstream"  # an instrumentor that is installed besides


class Evidence(StrEnum):
    """What stands behind a row of the table."""

    AGENT = "agent"  # an agent of the framework ran: its steps, failures and tokens were checked
    CALL = "call"  # a call ran: its steps were stored
    SWITCH = "switch"  # switched on and off with the framework installed
    DOCUMENTED = "documented"  # from the documentation


@dataclass(frozen=True)
class Way:
    """One way to see a framework, for the versions ``at_least`` ≤ version < ``below``.

    ``target``: a module of ours with ``switch_on(tracer)`` or ``switch_on(tracer_provider)``, or
    ``module:Class`` of an upstream instrumentor. None: the framework needs nothing but a global TracerProvider.
    ``requirement``: what pip installs for an upstream instrumentor.
    """

    kind: Kind
    target: str | None
    requirement: str | None = None
    at_least: str = "0"
    below: str | None = None
    evidence: Evidence = Evidence.DOCUMENTED

    def supports(self, version: str) -> bool:
        """Whether the framework's version is one that this way was made for."""
        release = release_of(version)
        return release_of(self.at_least) <= release and (
            self.below is None or release < release_of(self.below)
        )

    @property
    def versions(self) -> str:
        """The supported versions, as a requirement has them."""
        return f">={self.at_least}" + (f",<{self.below}" if self.below else "")

    @property
    def distribution(self) -> str | None:
        """The package of an upstream instrumentor."""
        return re.split(r"[^\w.-]", self.requirement)[0] if self.requirement else None


@dataclass(frozen=True)
class Framework:
    """A framework: its package on the index, the module whose import shows that a program uses it, its ways.

    ``via``: the framework in whose spans this one's work shows.
    ``others``: what other families of instrumentors call it in their module names.
    ``propagators``: instrumentors that only carry the trace along and make no spans.
    ``is_client``: a model client, whose calls most frameworks report themselves.
    """

    name: str
    distribution: str
    module: str
    ways: tuple[Way, ...] = ()
    via: str | None = None
    others: tuple[str, ...] = ()
    propagators: tuple[str, ...] = ()
    is_client: bool = False

    @property
    def entry_point(self) -> str:
        """The name under which opentelemetry-instrument finds it, and can be told to leave it out."""
        return f"agenttracer_{self.name}"

    def ways_for(self, version: str) -> list[Way]:
        """The ways that support a version, the best first."""
        return [way for way in self.ways if way.supports(version)]


def release_of(version: str) -> tuple[int, ...]:
    """The numbers of a version: ``1.3b0`` is (1, 3); what comes after the release doesn't count."""
    release: list[int] = []
    for part in version.split("."):
        number = _NUMBER.match(part)
        if number is None:
            break
        release.append(int(number[0]))
        if number[0] != part:
            break
    while release and release[-1] == 0:
        release.pop()
    return tuple(release)


class StandDown(Exception):
    """Somebody else already makes a framework's spans; says who, without content."""
