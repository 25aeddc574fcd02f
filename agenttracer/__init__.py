"""AgentTracer: see what AI agents do, without storing what they say.

The names below are the SDK's whole public surface. They load on first use, so that importing
``agenttracer`` costs a program nothing until it asks for one of them. Type checkers read ``__init__.pyi``.
"""

from importlib import import_module
from typing import Any

_SDK = "agenttracer.instrumentation"
_VERBS = {
    "AgentConfig": f"{_SDK}.agent_config",
    "AgentTracer": f"{_SDK}.tracer",
    "InstrumentedAgent": f"{_SDK}.instrumented_agent",
    "MonitoringConfig": f"{_SDK}.monitoring",
    "Run": f"{_SDK}.run",
    "Step": f"{_SDK}.step",
    "agent": f"{_SDK}.decorators",
    "current_run": f"{_SDK}.current",
    "current_step": f"{_SDK}.current",
    "instrument": f"{_SDK}.libraries.switching",
    "make_provenance": f"{_SDK}.provenance",
    "memory": f"{_SDK}.decorators",
    "model": f"{_SDK}.decorators",
    "plan": f"{_SDK}.decorators",
    "respond": f"{_SDK}.decorators",
    "retrieve": f"{_SDK}.decorators",
    "step": f"{_SDK}.decorators",
    "tool": f"{_SDK}.decorators",
    "uninstrument": f"{_SDK}.libraries.switching",
}

__all__ = [*_VERBS, "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module 'agenttracer' has no attribute {name!r}")
    return getattr(import_module(_VERBS[name]), name)
