"""The spans of a library that tells what it does by callbacks: opened and closed by the library's own ids.

spans = LibrarySpans(tracer, "langchain")
spans.start(run_id, parent_run_id, StepType.TOOL, "search_kb")
spans.end(run_id, {"input_tokens": 12}, error=exception)

Numbers, labels and names only: no argument, result or message is ever taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

from agenttracer.instrumentation.content import is_name, metadata_attributes
from agenttracer.instrumentation.libraries.current_span import CurrentSpan, without_ended
from agenttracer.instrumentation.libraries.evidence import Failure, failure_of
from agenttracer.instrumentation.run_context import Position, current_position
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import FailureCode, StepType

_MAX_OPEN = 10_000  # a library that never closes what it opens must not fill the host's memory
_MAX_DEPTH = 100
_NAME_ATTRIBUTES = {
    StepType.TOOL: semconv.GEN_AI_TOOL_NAME,
    StepType.AGENT: semconv.GEN_AI_AGENT_NAME,
    StepType.MODEL: semconv.GEN_AI_REQUEST_MODEL,
}


@dataclass
class OpenSpan:
    """A span under way."""

    key: Hashable
    span: Span
    stand_in: CurrentSpan
    step_type: StepType
    previous: Context
    context: Context
    position: Position | None
    parent: Hashable
    started: float | None  # until the first chunk
    passed_on: tuple[int | None, FailureCode] | None = None
    """What failed inside last: its exception by id, since one keeps its frames alive, and its code."""

    def passes_on(self, identity: int | None, code: FailureCode) -> bool:
        """Whether a failure is one that came from inside: the same exception, or the same code without one."""
        if self.passed_on is None:
            return False
        inside, code_inside = self.passed_on
        return inside == identity if None not in (inside, identity) else code_inside is code


class LibrarySpans:
    """The open spans of one library. Thread-safe and bounded."""

    def __init__(self, tracer: Tracer, library: str) -> None:
        self._tracer = tracer
        self._library = library
        self._lock = Lock()
        self._open: OrderedDict[Hashable, OpenSpan | Hashable] = OrderedDict()

    def start(
        self,
        key: Hashable,
        parent: Hashable,
        step_type: StepType,
        name: object,
        facts: Mapping[str, object] | None = None,
        *,
        current: bool = True,
    ) -> None:
        """Open a span. ``name``: of the tool, agent, model or step; one that is no name is left out.

        ``parent``: the library's id of what encloses it; where that is unknown, the current span does.
        ``current``: make it the current span until it ends, so that spans made inside it become its children.
        """
        previous = without_ended(get_current())
        enclosing = self.find(parent)
        above = enclosing.context if enclosing else previous
        position = current_position(above)
        named = str(name) if isinstance(name, str) and is_name(name) else None
        operation = semconv.STEP_OPERATIONS.get(step_type)
        attributes: dict[str, Any] = {} if position is None else dict(position.scope.attributes)
        attributes[semconv.AGENT_STEP_TYPE] = step_type.value
        if operation is not None:
            attributes[semconv.GEN_AI_OPERATION_NAME] = operation.value
        if named is not None:
            attributes[_NAME_ATTRIBUTES.get(step_type, semconv.AGENT_STEP_NAME)] = named
        attributes |= metadata_attributes(facts or {}, semconv.AGENT_STEP_METADATA)
        span = self._tracer.start_span(
            f"{(operation or step_type).value} {named or self._library}",
            context=above,
            attributes=attributes,
        )
        stand_in = CurrentSpan(span, previous)
        context = set_span_in_context(stand_in, previous if current else above)
        opened = OpenSpan(key, span, stand_in, step_type, previous, context, position, parent, monotonic())
        self._remember(key, opened)
        if current:
            attach(context)

    def skip(self, key: Hashable, parent: Hashable) -> None:
        """Note something that gets no span: what it encloses belongs to its parent."""
        if parent is not None:
            self._remember(key, parent)

    def first_chunk(self, key: Hashable) -> None:
        """Note when an answer began to arrive; only the first call counts."""
        opened = self.find(key)
        if opened is not None and opened.started is not None:
            seconds, opened.started = monotonic() - opened.started, None
            opened.span.set_attribute(semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, seconds)

    def attribute(self, key: Hashable, attribute: str, value: str | int | float | None) -> None:
        """Set one attribute of an open span. A text must be an id that the collector hashes."""
        opened = self.find(key)
        if opened is not None and value is not None:
            opened.span.set_attribute(attribute, value)

    def outermost(self, key: Hashable) -> Hashable:
        """The id of the open span that encloses all others around this one."""
        found = None
        with self._lock:
            for _ in range(_MAX_DEPTH):
                entry = self._open.get(key)
                if entry is None:
                    break
                found = key if isinstance(entry, OpenSpan) else found
                key = entry.parent if isinstance(entry, OpenSpan) else entry
        return found

    def end(
        self,
        key: Hashable,
        facts: Mapping[str, object] | None = None,
        error: BaseException | Failure | None = None,
    ) -> None:
        """Close a span; an error makes it failed, with the code that its class or text is evidence of."""
        with self._lock:
            opened = self._open.pop(key, None)
        if not isinstance(opened, OpenSpan):
            return
        opened.stand_in.leave()
        if get_current() is opened.context:
            # Not by token: in a generator or another task the token would be another context's.
            attach(without_ended(opened.previous))
        if facts:
            opened.span.set_attributes(metadata_attributes(facts, semconv.AGENT_STEP_METADATA))
        if error is not None:
            self._fail(opened, error)
        opened.span.end()

    def close(self) -> None:
        """End what is still open."""
        with self._lock:
            left = [opened for opened in self._open.values() if isinstance(opened, OpenSpan)]
            self._open.clear()
        for opened in left:
            opened.stand_in.leave()
            opened.span.end()

    def _fail(self, opened: OpenSpan, error: BaseException | Failure) -> None:
        failure = error if isinstance(error, Failure) else failure_of(error)
        identity = id(error) if isinstance(error, BaseException) else None
        outer = self.find(opened.parent)
        while outer is not None:
            outer.passed_on = identity, failure.code
            outer = self.find(outer.parent)
        opened.span.set_attribute(semconv.ERROR_TYPE, failure.error_type)
        if failure.http_status is not None:
            opened.span.set_attribute(semconv.HTTP_RESPONSE_STATUS_CODE, failure.http_status)
        if not opened.passes_on(identity, failure.code):  # the innermost step that failed owns it
            failure_type = semconv.STEP_FAILURE_TYPES[opened.step_type]
            opened.span.set_attribute(semconv.AGENT_FAILURE_TYPE, failure_type.value)
            opened.span.set_attribute(semconv.AGENT_FAILURE_CODE, failure.code.value)
            if opened.position is not None and failure.code is not FailureCode.CANCELLED:
                opened.position.add_failures(1)
        opened.span.set_status(StatusCode.ERROR)

    def _remember(self, key: Hashable, entry: OpenSpan | Hashable) -> None:
        with self._lock:
            self._open[key] = entry
            oldest = self._open.popitem(last=False)[1] if len(self._open) > _MAX_OPEN else None
        if isinstance(oldest, OpenSpan):
            oldest.stand_in.leave()
            oldest.span.end()

    def find(self, key: Hashable) -> OpenSpan | None:
        """The span of a key, or of what encloses it."""
        with self._lock:
            for _ in range(_MAX_DEPTH):
                if key is None:
                    return None
                entry = self._open.get(key)
                if entry is None or isinstance(entry, OpenSpan):
                    return entry
                key = entry
        return None
