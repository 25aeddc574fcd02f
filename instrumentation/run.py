"""One execution of an agent: a root span, its steps beneath it, visible from its first moment.

    with tracer.start_run(user_id="u-17") as run:
        with run.step("retrieve", "search_kb") as step:
            step.add_metadata({"result_count": 10})
        run.record_failure("tool", "timeout")

How a run ends, the first that applies:
    cancelled    ``cancel``, or an exception that says so: CancelledError, KeyboardInterrupt, GeneratorExit
    failure      its block raised
    as it says   ``set_status``
    failure      ``record_failure``; partial when each was ``recovered=True``
    partial      a step failed, and no later attempt made it good
    success
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Final

from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from agenttracer.instrumentation.content import metadata_attributes
from agenttracer.instrumentation.events import Data, artifact_attributes, artifact_body, emit_event
from agenttracer.instrumentation.failures import is_cancellation, read_failure_code, read_failure_type
from agenttracer.instrumentation.guard import guarded, warn_once
from agenttracer.instrumentation.records import Records
from agenttracer.instrumentation.run_context import Position, RunScope, current_position
from agenttracer.instrumentation.run_facts import RunFacts, emit_run_event
from agenttracer.instrumentation.step import StepParent
from agenttracer.instrumentation.tasks import Tasks
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName, FailureType, Operation, RunStatus, parse_run_status

_FINAL: Final = (RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.PARTIAL, RunStatus.CANCELLED)
_MAX_MESSAGE_CHARACTERS: Final = 1024


class Run(StepParent, Records):
    """A run, as ``tracer.start_run`` makes it. Its ``status`` is final once the block was left."""

    def __init__(
        self,
        scope: RunScope,
        facts: RunFacts,
        tasks: Tasks | None = None,
    ) -> None:
        self.id = scope.run_id
        self.status = RunStatus.QUEUED
        self._facts = facts
        self._tasks = tasks
        self._wanted_status: RunStatus | None = None
        self._recovered = True
        super().__init__(Position(scope), get_current(), FailureType.ORCHESTRATION)

    @guarded("run.add_metadata")
    def add_metadata(self, metadata: Mapping[str, object]) -> None:
        """Add numbers, booleans and short labels about the run; the rest is refused, with a warning a key."""
        self._add(metadata, semconv.AGENT_RUN_METADATA)

    @guarded("run.set_result")
    def set_result(self, summary: Mapping[str, object]) -> None:
        """A summary of what came out, for quick queries: ``{"frames": 180, "label": "entry_peek"}``.

        Takes what ``add_metadata`` takes.
        """
        self._add(summary, semconv.AGENT_RUN_RESULT)

    def _add(self, metadata: Mapping[str, object], prefix: str) -> None:
        self._span.set_attributes(self.scope.permitted(metadata_attributes(metadata, prefix, well_known={})))

    @guarded("run.record_failure")
    def record_failure(
        self, failure_type: str, failure_code: str, message: str | None = None, *, recovered: bool = False
    ) -> None:
        """Say that the run failed and how; ``recovered`` when it could still do part of what it was asked.

        The message stays in the process, unless the tracer was made with ``send_error_messages=True``.
        """
        self._failure = (read_failure_type(failure_type, self._failure_type), read_failure_code(failure_code))
        self._recovered = self._recovered and recovered
        if message is not None and self.scope.settings.send_error_messages:
            text = str(message)[:_MAX_MESSAGE_CHARACTERS]
            self._span.set_attributes(self.scope.permitted({semconv.AGENT_FAILURE_MESSAGE: text}))

    @guarded("run.set_status")
    def set_status(self, status: str) -> None:
        """Decide how the run ends, if its block does not raise: success, failure, partial or cancelled."""
        try:
            wanted = parse_run_status(str(status))
        except ValueError:
            wanted = None
        if wanted not in _FINAL:
            warn_once("run status", "agenttracer: a run can't end like this; known are %s", ", ".join(_FINAL))
        elif wanted is RunStatus.CANCELLED:
            self.cancel()
        elif self._wanted_status is not RunStatus.CANCELLED:
            self._wanted_status = wanted

    @guarded("run.cancel")
    def cancel(self) -> None:
        """Say that the run was stopped on purpose; it still ends where its block ends."""
        if self._ended or self._wanted_status is RunStatus.CANCELLED:
            return
        self._wanted_status = RunStatus.CANCELLED
        self._emit(EventName.RUN_CANCELLED, RunStatus.CANCELLED, self._context or self._parent)

    @guarded("run.record_artifact")
    def record_artifact(
        self,
        name: str,
        data: Data | None = None,
        content_type: str | None = None,
        meta: Mapping[str, object] | None = None,
        *,
        path: str | PathLike[str] | None = None,
    ) -> None:
        """Send bytes, text, or the file at ``path`` (or ``data`` as ``pathlib.Path``) to the artifact store.

        The content leaves as it is. ``meta`` takes what ``add_metadata`` takes. Above the tracer's
        ``max_artifact_bytes`` the artifact is refused with a warning.
        """
        if not self.scope.signals.has_logs:
            warn_once(
                "artifact:logs", "agenttracer: an artifact was not sent: the program has no LoggerProvider"
            )
            return
        if path is not None:
            from pathlib import Path

            data = Path(path)
        if data is None:
            raise TypeError("neither data nor path")
        body = artifact_body(data, self.scope.settings.max_artifact_bytes)
        if body is not None:
            self._record(EventName.ARTIFACT, artifact_attributes(name, data, body, content_type, meta), body)

    def _record(self, event: EventName, attributes: Mapping[str, Any], body: bytes | None = None) -> None:
        scope = self.scope
        emit_event(
            scope.signals.logger,
            event,
            scope.permitted({**scope.attributes, **attributes}),
            self._child_context(),
            body,
            self._start_ns,
        )

    def _open(self) -> Span:
        scope = self.scope
        attributes = {
            **scope.attributes,
            **scope.agent.attributes,
            semconv.GEN_AI_OPERATION_NAME: Operation.INVOKE_AGENT.value,
            **self._facts.attributes(),
        }
        self.status = RunStatus.RUNNING
        return scope.tracer.start_span(
            f"{Operation.INVOKE_AGENT.value} {scope.agent.id}",
            context=self._parent,
            kind=SpanKind.INTERNAL,
            attributes=scope.permitted(attributes),
            start_time=self._start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )

    def _opened(self, context: Context) -> None:
        self.scope.run = self
        if self._facts.metadata:
            self.add_metadata(self._facts.metadata)
        if self._tasks is not None:
            self._tasks.started(self.id)
        if self._start_ns is None:  # else it is over already
            self._emit(EventName.RUN_STARTED, RunStatus.RUNNING, context)

    def _close(self, exception: BaseException | None) -> None:
        self.scope.run = None
        cancelled = exception is not None and is_cancellation(exception)
        if cancelled and self._wanted_status is not RunStatus.CANCELLED:
            self._wanted_status = RunStatus.CANCELLED
            self._emit(EventName.RUN_CANCELLED, RunStatus.CANCELLED, self._context or self._parent)
        self.status = self._final_status(exception)
        attributes = self._failure_attributes(None if cancelled else exception)
        attributes[semconv.AGENT_RUN_STATUS] = self.status.value
        if self.scope.retries:
            attributes[semconv.AGENT_RETRY_COUNT] = self.scope.retries
        self._span.set_attributes(self.scope.permitted(attributes))
        if self._tasks is not None:
            self._tasks.ended(self.status)
        if self.status is RunStatus.FAILURE:
            self._span.set_status(Status(StatusCode.ERROR))
        self._tell_outer(exception)

    def _final_status(self, exception: BaseException | None) -> RunStatus:
        if self._wanted_status is RunStatus.CANCELLED:
            return RunStatus.CANCELLED
        if exception is not None:
            return RunStatus.FAILURE
        if self._wanted_status is not None:
            return self._wanted_status
        if self._failure is not None:
            return RunStatus.PARTIAL if self._recovered else RunStatus.FAILURE
        return RunStatus.PARTIAL if self._position.failures > 0 else RunStatus.SUCCESS

    def _child_context(self) -> Context:
        """The current code's context where it is within this run, so that steps nest; else the root's."""
        current = get_current()
        position = current_position(current)
        if position is not None and position.scope is self._position.scope:
            return current
        return self._context or self._parent

    def _emit(self, event: EventName, status: RunStatus, context: Context) -> None:
        emit_run_event(self.scope, event, status, context)
