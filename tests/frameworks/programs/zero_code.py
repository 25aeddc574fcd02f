"""What every program here shares: how it is switched on, and how it ends.

python langgraph_agent.py instrument            agenttracer.instrument() first, then the framework's import
opentelemetry-instrument python langgraph_agent.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor


def secret(place: str) -> str:
    """A text that must be found nowhere."""
    return f"CANARY-{place} alice.canary@example.com"


def switch_on() -> None:
    """Instrument, unless opentelemetry-instrument has done it; watch what the spans tell."""
    if sys.argv[1:2] == ["instrument"]:
        import agenttracer

        agenttracer.instrument()
    trace.get_tracer_provider().add_span_processor(Telling())  # type: ignore[attr-defined]


class Telling(SpanProcessor):
    """Which instrumentors tell what was said."""

    scopes: set[str] = set()  # noqa: RUF012

    def on_end(self, span: ReadableSpan) -> None:
        if "CANARY" in span.to_json() and span.instrumentation_scope is not None:
            self.scopes.add(span.instrumentation_scope.name)


def must_raise(call: Callable[[], Any], kind: type[BaseException]) -> None:
    """Run something that fails in the model: the host must get the framework's own exception."""
    try:
        call()
    except kind as error:
        print(json.dumps({"raised": type(error).__name__}))
    else:
        raise SystemExit("the model's error did not reach the program")


def finish() -> None:
    """Switch off, which sends what waits."""
    if trace.get_current_span().get_span_context().is_valid:
        raise SystemExit("a span was left behind as the current one")
    print("TELLING" + json.dumps(sorted(Telling.scopes)))
    if sys.argv[1:2] == ["instrument"]:
        from agenttracer.instrumentation.libraries.switching import SWITCHBOARD, uninstrument

        print(json.dumps({outcome.framework: outcome.state for outcome in SWITCHBOARD.outcomes()}))
        uninstrument()
