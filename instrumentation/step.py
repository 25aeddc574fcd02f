"""One step of a run: a child span that says what kind of step it was, how long it took and how it failed.

with run.step("respond", "answer") as step:
    step.add_metadata({"model": "small-1", "input_tokens": 812})
    with step.step("tool", "format"):
        ...
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from agenttracer.instrumentation.attempts import Attempt, attempts
from agenttracer.instrumentation.content import Value, metadata_attributes, name_or
from agenttracer.instrumentation.failures import read_failure_code, read_failure_type
from agenttracer.instrumentation.guard import guarded, warn_once
from agenttracer.instrumentation.run_context import Position
from agenttracer.instrumentation.span_block import SpanBlock
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import StepType

_TYPES: Final = tuple(kind.value for kind in StepType)
_MODEL_STEPS: Final = (StepType.MODEL, StepType.RESPOND)
_CLIENT_STEPS: Final = (*_MODEL_STEPS, StepType.RETRIEVE)


class StepParent(SpanBlock):
    """What steps can be started in: a run, or a step."""

    def step(
        self,
        type: str,
        name: str,
        *,
        metadata: Mapping[str, object] | None = None,
        attempt: int | None = None,
    ) -> Step:
        """A step inside this one, to be used in a ``with``; from any thread.

        ``type`` is one of plan, retrieve, model, tool, respond, memory, agent, other.
        """
        return Step(Position(self._position.scope), self._child_context(), type, name, metadata, attempt)

    def attempts(self, name: str, count: int = 3, *, type: str = "tool") -> Iterator[Attempt]:
        """Up to ``count`` tries of a step, until one succeeds; the last one's exception is raised.

        >>> for attempt in run.attempts("call_api", 3):
        ...     with attempt as step:
        ...         call_api()
        """
        return attempts(lambda number: self.step(type, name, attempt=number), count)

    @abstractmethod
    def _child_context(self) -> Context:
        """The parent context of a new step."""


class Step(StepParent):
    """A step, as ``run.step`` makes it."""

    def __init__(
        self,
        position: Position,
        parent: Context,
        type: object,
        name: object,
        metadata: Mapping[str, object] | None,
        attempt: int | None,
    ) -> None:
        self.type = read_step_type(type)
        self.name = name_or(name, self.type.value, "step name")
        self._metadata = metadata
        self._attempt = attempt
        super().__init__(position, parent, semconv.STEP_FAILURE_TYPES[self.type])

    @guarded("step.add_metadata")
    def add_metadata(self, metadata: Mapping[str, object]) -> None:
        """Add numbers, booleans and short labels; the rest is refused, with one warning a key.

        ``attempt``, ``http_status``, ``result_count``, ``model``, ``provider``, ``input_tokens``,
        ``output_tokens`` and their kind (``content.WELL_KNOWN``) go under their standard names.
        """
        attributes = metadata_attributes(metadata, semconv.AGENT_STEP_METADATA)
        self._span.set_attributes(attributes)
        model = attributes.get(semconv.GEN_AI_REQUEST_MODEL)
        if isinstance(model, str) and self.type in _MODEL_STEPS:
            self._span.update_name(self._span_name(model))

    @guarded("step.fail")
    def fail(self, code: str, type: str | None = None) -> None:
        """Mark the step as failed; the failure type follows from the step's own type when it isn't given."""
        kind = self._failure_type if type is None else read_failure_type(type, self._failure_type)
        self._failure = (kind, read_failure_code(code))

    @property
    def has_failed(self) -> bool:
        """Whether the step was marked as failed, or ended with an exception of its own."""
        return self._failure is not None

    @property
    def failures(self) -> int:
        """Failures of the step and of the steps inside it, once it has ended."""
        return self._position.failures

    def _open(self) -> Span:
        scope = self._position.scope
        attributes: dict[str, Value] = {
            **scope.attributes,
            semconv.AGENT_STEP_TYPE: self.type.value,
            semconv.AGENT_STEP_NAME: self.name,
            semconv.AGENT_STEP_SEQUENCE: scope.next_sequence(),
        }
        if self.type in semconv.STEP_OPERATIONS:
            attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.STEP_OPERATIONS[self.type].value
        if self.type is StepType.TOOL:
            attributes[semconv.GEN_AI_TOOL_NAME] = self.name
        if self._attempt is not None:
            attributes[semconv.AGENT_STEP_ATTEMPT] = self._attempt
        return scope.tracer.start_span(
            self._span_name(),
            context=self._parent,
            kind=SpanKind.CLIENT if self.type in _CLIENT_STEPS else SpanKind.INTERNAL,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )

    def _opened(self, context: Context) -> None:
        if self._metadata:
            self.add_metadata(self._metadata)

    def _close(self, exception: BaseException | None) -> None:
        attributes = self._failure_attributes(exception)
        if attributes:
            self._span.set_attributes(attributes)
            self._span.set_status(Status(StatusCode.ERROR))
        self._tell_outer(exception)

    def _child_context(self) -> Context:
        return self._context or self._parent

    def _span_name(self, model: str | None = None) -> str:
        operation = semconv.STEP_OPERATIONS.get(self.type)
        return f"{operation.value if operation else self.type.value} {model or self.name}"


def read_step_type(word: object) -> StepType:
    """The step type that a word names; ``other`` and one warning for any other word."""
    if isinstance(word, str) and word in _TYPES:
        return StepType(word)
    warn_once("step type", "agenttracer: an unknown step type became other; known are %s", ", ".join(_TYPES))
    return StepType.OTHER
