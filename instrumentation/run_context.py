"""Which run the current code belongs to, carried in OpenTelemetry's context: nested calls and asyncio tasks.

It never travels in baggage or headers. Spans that other instrumentations make inside a run get its id too; a
program that brings its own TracerProvider has that with one line:

    provider.add_span_processor(RunAttributes())
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.context import Context, create_key, get_value, set_value
from opentelemetry.sdk.trace import Span, SpanProcessor

from agenttracer.instrumentation.guard import guarded
from agenttracer.schemas import semconv

if TYPE_CHECKING:
    from agenttracer.instrumentation.ai_metrics import AiMetrics
    from agenttracer.instrumentation.run import Run
    from agenttracer.instrumentation.settings import Settings
    from agenttracer.instrumentation.setup import Signals
    from agenttracer.instrumentation.step import Step

_POSITION = create_key("agenttracer-position")


class Agent:
    """Who acts: the identity that every run of a tracer shares."""

    def __init__(self, id: str, version: str | None = None) -> None:
        self.id = id
        self.version = version
        self.attributes: Mapping[str, str] = {
            semconv.GEN_AI_AGENT_ID: id,
            semconv.GEN_AI_AGENT_NAME: id,
            **({semconv.GEN_AI_AGENT_VERSION: version} if version else {}),
        }
        """The agent on root spans and events."""


class RunScope:
    """What all steps of one run share, whichever thread they run in."""

    def __init__(
        self,
        run_id: str,
        agent: Agent,
        signals: Signals,
        settings: Settings,
        ai_metrics: AiMetrics | None = None,
    ) -> None:
        self.run_id = run_id
        self.agent = agent
        self.signals = signals
        self.settings = settings
        self.ai_metrics = ai_metrics
        self.tracer = signals.tracer
        self.lock = Lock()
        self.retries = 0
        self.run: Run | None = None
        self._sequence = 0
        self.attributes: Mapping[str, str] = {
            semconv.AGENT_RUN_ID: run_id,
            semconv.GEN_AI_AGENT_NAME: agent.id,
        }
        """What every span of the run says about it."""

    def permitted(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """The attributes that the program's policy lets out."""
        policy = self.settings.policy
        return attributes if policy is None else policy.apply(attributes)

    def next_sequence(self) -> int:
        """The place of the next step, from 1."""
        with self.lock:
            self._sequence += 1
            return self._sequence


class Position:
    """The run or step that encloses the current code, with what its children told it about failures."""

    __slots__ = ("failures", "passed_on", "scope", "step")

    def __init__(self, scope: RunScope) -> None:
        self.scope = scope
        self.step: Step | None = None  # until it ends
        self.failures = 0
        # By id, not by reference: an exception keeps its frames alive, and those are the host's.
        self.passed_on: int | None = None

    def add_failures(self, count: int) -> None:
        """Count failures inside; a negative count takes back those that a later attempt made good."""
        with self.scope.lock:
            self.failures += count


def current_position(context: Context | None = None) -> Position | None:
    """Where in a run a context stands; without one, the current code."""
    return cast("Position | None", get_value(_POSITION, context))


def at_position(position: Position, context: Context) -> Context:
    """The context with this position in it."""
    return set_value(_POSITION, position, context)


class RunAttributes(SpanProcessor):
    """Puts the run's id and agent on every span that starts inside a run, whoever makes it."""

    @guarded("RunAttributes.on_start")
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Fill in what the span lacks; a sub-agent's own name stays."""
        position = current_position(parent_context)
        if position is None or not span.is_recording():
            return
        present = span.attributes or {}
        if semconv.AGENT_RUN_ID in present:  # the SDK's own
            return
        for key, value in position.scope.attributes.items():
            if key not in present:
                span.set_attribute(key, value)
