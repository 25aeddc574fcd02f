"""The tracer that decorators use when they aren't given one: the newest that is open, else one from the environment.

AGENTTRACER_AGENT_ID, AGENTTRACER_AGENT_VERSION, AGENTTRACER_API_URL
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from agenttracer.instrumentation.tracer import AgentTracer

_open: list[ref[AgentTracer]] = []
_own: AgentTracer | None = None


def remember(tracer: AgentTracer) -> None:
    """The tracer is open."""
    _open[:] = [other for other in _open if other() is not None]
    _open.append(ref(tracer))


def forget(tracer: AgentTracer) -> None:
    """The tracer was closed."""
    _open[:] = [other for other in _open if other() not in (None, tracer)]


def get_tracer() -> AgentTracer:
    """The newest open tracer; one from the environment when there is none."""
    global _own
    for known in reversed(_open):
        tracer = known()
        if tracer is not None:
            return tracer
    from agenttracer.instrumentation.tracer import AgentTracer

    _own = AgentTracer(
        os.environ.get("AGENTTRACER_AGENT_ID") or os.environ.get("OTEL_SERVICE_NAME") or "agent",
        os.environ.get("AGENTTRACER_AGENT_VERSION"),
        os.environ.get("AGENTTRACER_API_URL"),
    )
    return _own
