"""What is installed, and which other instrumentors are at work already. Imports nothing."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, entry_points, version

from agenttracer.instrumentation.libraries.framework import Framework

_FAMILIES = (
    "openinference.instrumentation",
    "opentelemetry.instrumentation.genai",
    "opentelemetry.instrumentation",
)
_GROUP = "opentelemetry_instrumentor"


def version_of(distribution: str) -> str | None:
    """The installed version of a package."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def active_instrumentor(framework: Framework) -> str | None:
    """The module of an upstream instrumentor that is switched on for a framework."""
    for module in modules_of_others(framework):
        for cls in list(vars(sys.modules.get(module, object)).values()):
            made = vars(cls).get("_instance") if isinstance(cls, type) else None
            if getattr(made, "is_instrumented_by_opentelemetry", False):
                return module
    return None


def loaded_instrumentor(framework: Framework, disabled: frozenset[str]) -> str | None:
    """The module of an upstream instrumentor that ``opentelemetry-instrument`` loads for a framework."""
    modules = modules_of_others(framework)
    for point in entry_points(group=_GROUP):
        if point.module in modules and point.name not in disabled:
            return point.module
    return None


def modules_of_others(framework: Framework) -> tuple[str, ...]:
    """Where instrumentors of other families for a framework live."""
    names = (framework.name, *framework.others)
    modules = (f"{family}.{name}" for family in _FAMILIES for name in names)
    return tuple(module for module in modules if module not in framework.propagators)
