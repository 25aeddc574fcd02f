"""Pydantic AI: its own spans, without content, for every agent that doesn't choose for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

from agenttracer.instrumentation.libraries.framework import StandDown


def switch_on(tracer_provider: TracerProvider) -> Callable[[], None]:
    """``Agent.instrument_all`` with content off; returns what undoes it."""
    before: Any = Agent._instrument_default
    if before:
        raise StandDown("the program has called Agent.instrument_all")
    options: dict[str, Any] = {"include_content": False, "include_binary_content": False}
    try:  # the parameters of a request hold the descriptions of tools
        settings = InstrumentationSettings(
            tracer_provider=tracer_provider, include_model_request_parameters=False, **options
        )
    except TypeError:  # before 2
        settings = InstrumentationSettings(tracer_provider=tracer_provider, **options)
    Agent.instrument_all(settings)

    def undo() -> None:
        if Agent._instrument_default is settings:
            Agent.instrument_all(before)

    return undo
