"""Microsoft Agent Framework: its own spans, without content."""

from __future__ import annotations

from collections.abc import Callable

from agent_framework.observability import OBSERVABILITY_SETTINGS, enable_instrumentation
from opentelemetry.trace import TracerProvider


def switch_on(tracer_provider: TracerProvider) -> Callable[[], None]:
    """Its instrumentation on, sensitive data off; returns what undoes it."""
    settings = OBSERVABILITY_SETTINGS
    before = settings.enable_instrumentation, settings.enable_sensitive_data
    enable_instrumentation(enable_sensitive_data=False)

    def undo() -> None:
        settings.enable_instrumentation, settings.enable_sensitive_data = before

    return undo
