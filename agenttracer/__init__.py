"""AgentTracer: see what AI agents do, without storing what they say.

The names below are the SDK's whole public surface. They load on first use, so that importing
``agenttracer`` costs a program nothing until it asks for one of them.
"""

from importlib import import_module
from typing import Any

_VERBS = {
    "AgentTracer": "agenttracer.instrumentation.tracer",
    "Run": "agenttracer.instrumentation.run",
    "Step": "agenttracer.instrumentation.step",
    "instrument": "agenttracer.instrumentation.libraries.switching",
    "uninstrument": "agenttracer.instrumentation.libraries.switching",
}

__all__ = ["AgentTracer", "Run", "Step", "__version__", "instrument", "uninstrument"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module 'agenttracer' has no attribute {name!r}")
    return getattr(import_module(_VERBS[name]), name)
