"""What is installed, and which other instrumentors are at work already. Imports nothing."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

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


def loaded_instrumentor(framework: Framework, disabled: frozenset[str] = frozenset()) -> str | None:
    """The module of an upstream instrumentor that ``opentelemetry-instrument`` loads for a framework."""
    return next(iter(loaded_instrumentors(framework, disabled)), None)


def loaded_instrumentors(framework: Framework, disabled: frozenset[str] = frozenset()) -> list[str]:
    """The modules of all of them: it loads every family that is installed."""
    modules = modules_of_others(framework)
    return [
        point.module
        for point in entry_points(group=_GROUP)
        if point.module in modules and point.name not in disabled and not _is_skipped(point)
    ]


def _is_skipped(point: EntryPoint) -> bool:
    """Whether opentelemetry-instrument passes over an instrumentor because of what else it wants installed."""
    try:
        from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
    except ImportError:  # without the command nothing is loaded by it
        return False
    return point.dist is not None and get_dist_dependency_conflicts(point.dist) is not None


def modules_of_others(framework: Framework) -> tuple[str, ...]:
    """Where instrumentors of other families for a framework live."""
    names = (framework.name, *framework.others)
    modules = (f"{family}.{name}" for family in _FAMILIES for name in names)
    return tuple(module for module in modules if module not in framework.propagators)
