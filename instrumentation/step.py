"""One step of a run: a child span that says what kind of step it was, how long it took and how it failed.

with run.step("respond", "answer") as step:
    step.add_metadata({"model": "small-1", "input_tokens": 812})
    with step.step("tool", "format"):
        ...
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from agenttracer.instrumentation.attempts import Attempt, attempts
from agenttracer.instrumentation.content import Value, metadata_attributes, name_or
from agenttracer.instrumentation.failures import read_failure_code, read_failure_type
from agenttracer.instrumentation.guard import guarded, warn_once
from agenttracer.instrumentation.memory import store_memory
from agenttracer.instrumentation.run_context import Position, RunScope
from agenttracer.instrumentation.span_block import SpanBlock
from agenttracer.instrumentation.streaming import Chunks, count_chunks
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import Operation, StepType

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
        return Step(self._position.scope, self._child_context(), type, name, metadata, attempt)

    def attempts(self, name: str, count: int = 3, *, type: str = "tool") -> Iterator[Attempt]:
        """Up to ``count`` tries of a step, until one succeeds; the last one's exception is raised.

        >>> for attempt in run.attempts("call_api", 3):
        ...     with attempt as step:
        ...         call_api()
        """
        return attempts(lambda number: self.step(type, name, attempt=number), count)

    def store_memory(
        self,
        content: object,
        kind: str = "fact",
        importance: float | None = None,
        memory_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> str:
        """Tell that the agent remembers something; returns the memory's id.

        Of the content only its size and a hash leave the process. ``importance``: 0 to 1.
        """
        return store_memory(self, content, kind, importance, memory_id, metadata)

    def search_memory(
        self, name: str = "search_memory", metadata: Mapping[str, object] | None = None
    ) -> Step:
        """A look into the agent's memory, to be used in a ``with``; add the ``result_count`` to it."""
        return self.memory_step(name, Operation.SEARCH_MEMORY, metadata)

    def memory_step(self, name: str, operation: Operation, metadata: Mapping[str, object] | None) -> Step:
        """A step on the agent's memory."""
        return Step(
            self._position.scope, self._child_context(), "memory", name, metadata, operation=operation
        )

    @property
    def scope(self) -> RunScope:
        """What all steps of the run share."""
        return self._position.scope

    @abstractmethod
    def _child_context(self) -> Context:
        """The parent context of a new step."""


class Step(StepParent):
    """A step, as ``run.step`` makes it."""

    def __init__(
        self,
        scope: RunScope,
        parent: Context,
        type: object,
        name: object,
        metadata: Mapping[str, object] | None = None,
        attempt: int | None = None,
        operation: Operation | None = None,
    ) -> None:
        self.type = read_step_type(type)
        self.name = name_or(name, self.type.value, "step name")
        self._metadata = metadata
        self._attempt = attempt
        self._operation = operation or semconv.STEP_OPERATIONS.get(self.type)
        self._chunks: Chunks | None = None
        self._facts: Mapping[str, Value] = {}
        super().__init__(Position(scope), parent, semconv.STEP_FAILURE_TYPES[self.type])

    @guarded("step.add_metadata")
    def add_metadata(self, metadata: Mapping[str, object]) -> None:
        """Add numbers, booleans and short labels; the rest is refused, with one warning a key.

        ``attempt``, ``http_status``, ``result_count``, ``model``, ``provider``, ``input_tokens``,
        ``output_tokens`` and their kind (``content.WELL_KNOWN``) go under their standard names.
        """
        scope = self._position.scope
        attributes = scope.permitted(metadata_attributes(metadata, semconv.AGENT_STEP_METADATA))
        self._span.set_attributes(attributes)
        if scope.ai_metrics is not None:
            self._facts = {**self._facts, **attributes}
        model = attributes.get(semconv.GEN_AI_REQUEST_MODEL)
        if isinstance(model, str) and self.type in _MODEL_STEPS:
            self._span.update_name(self._span_name(model))

    @guarded("step.fail")
    def fail(self, code: str, type: str | None = None) -> None:
        """Mark the step as failed; the failure type follows from the step's own type when it isn't given."""
        kind = self._failure_type if type is None else read_failure_type(type, self._failure_type)
        self._failure = (kind, read_failure_code(code))

    def stream(self, chunks: Any) -> Any:
        """The same stream, counted: how long until the first piece, and how many there were.

        Takes an iterable or an async iterable; what it yields and raises passes unchanged.
        """
        return count_chunks(self, chunks)

    def chunk(self) -> None:
        """Count one piece of a stream; the first one's time is what the caller waited."""
        if self._chunks is None:
            self._chunks = Chunks()
        self._chunks.add()

    def set_attributes(self, attributes: Mapping[str, Value]) -> None:
        """Attributes of the SDK's own making: names of the conventions, values that hold no content."""
        self._span.set_attributes(self.scope.permitted(attributes))

    @property
    def context(self) -> Context:
        """The context inside the step."""
        return self._context or self._parent

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
        if self._operation is not None:
            attributes[semconv.GEN_AI_OPERATION_NAME] = self._operation.value
        if self.type is StepType.TOOL:
            attributes[semconv.GEN_AI_TOOL_NAME] = self.name
        if self._attempt is not None:
            attributes[semconv.AGENT_STEP_ATTEMPT] = self._attempt
            if self._attempt > 1:
                attributes[semconv.AGENT_RETRY_COUNT] = self._attempt - 1
                scope.retries += 1
        self._started = monotonic()
        return scope.tracer.start_span(
            self._span_name(),
            context=self._parent,
            kind=SpanKind.CLIENT if self.type in _CLIENT_STEPS else SpanKind.INTERNAL,
            start_time=self._start_ns,
            attributes=scope.permitted(attributes),
            record_exception=False,
            set_status_on_exception=False,
        )

    def _opened(self, context: Context) -> None:
        self._position.step = self
        if self._metadata:
            self.add_metadata(self._metadata)

    def _close(self, exception: BaseException | None) -> None:
        self._position.step = None
        scope = self._position.scope
        attributes = self._failure_attributes(exception)
        if attributes:
            self._span.set_attributes(scope.permitted(attributes))
            self._span.set_status(Status(StatusCode.ERROR))
        if self._chunks is not None:
            self._span.set_attributes(self._chunks.attributes(self._started))
        if scope.ai_metrics is not None and self.type in _MODEL_STEPS:
            scope.ai_metrics.record(scope.agent, self._facts, monotonic() - self._started, attributes)
        self._tell_outer(exception)

    def _child_context(self) -> Context:
        return self.context

    def _span_name(self, model: str | None = None) -> str:
        return f"{self._operation.value if self._operation else self.type.value} {model or self.name}"


def read_step_type(word: object) -> StepType:
    """The step type that a word names; ``other`` and one warning for any other word."""
    if isinstance(word, str) and word in _TYPES:
        return StepType(word)
    warn_once("step type", "agenttracer: an unknown step type became other; known are %s", ", ".join(_TYPES))
    return StepType.OTHER
