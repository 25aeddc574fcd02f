"""A span around a ``with`` block that never disturbs the block: its exceptions pass through unchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from agenttracer.instrumentation.failures import (
    error_type,
    failure_code,
    http_status,
    is_cancellation,
    is_clean_exit,
)
from agenttracer.instrumentation.guard import guard, guarded
from agenttracer.instrumentation.run_context import Position, at_position, current_position
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import FailureCode, FailureType


class Active:
    """Makes a context the current one in a ``with``; a generator's context must not stay while it waits."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context | None) -> None:
        self._context = context
        self._token: Any = None

    def __enter__(self) -> None:
        if self._context is not None:
            self._token = attach(self._context)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            with guard("detach"):
                detach(self._token)


class SpanBlock(ABC):
    """What a run and a step have in common: a span, a place in the context, and how failures pass outwards.

    A context manager; ``start`` and ``end`` are for code that can't be one.
    """

    def __init__(self, position: Position, parent: Context, failure_type: FailureType) -> None:
        self._position = position
        self._parent = parent
        self._failure_type = failure_type  # what a failure is when nobody says
        self._failure: tuple[FailureType, FailureCode] | None = None
        self._span: Span = INVALID_SPAN
        self._context: Context | None = None
        self._token: Any = None
        self._ended = False
        self._start_ns: int | None = None

    @property
    def outer(self) -> Position | None:
        """The run or step that encloses this one."""
        return current_position(self._parent)

    def __enter__(self) -> Self:
        self.start()
        self._attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._detach()
        self.end(exception)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, exception, traceback)

    def active(self) -> Active:
        """A ``with`` that makes the block the current one for a while, without ending it."""
        return Active(self._context)

    @guarded("start")
    def start(self, at_ns: int | None = None) -> None:
        """Open the span, without making it the current one; ``at_ns``: when it began, for work already done."""
        self._start_ns = at_ns
        self._span = self._open()
        self._context = at_position(self._position, set_span_in_context(self._span, self._parent))
        self._opened(self._context)

    @guarded("end")
    def end(self, exception: BaseException | None = None, at_ns: int | None = None) -> None:
        """Close the span; an exception makes it failed. Only the first call counts."""
        if self._ended:
            return
        self._ended = True
        try:
            self._close(None if exception is not None and is_clean_exit(exception) else exception)
        finally:
            self._span.end(at_ns)

    @abstractmethod
    def _open(self) -> Span:
        """Start the span under ``self._parent``."""

    def _opened(self, context: Context) -> None:  # noqa: B027 - most blocks have nothing to add
        """Called once the span is open."""

    @abstractmethod
    def _close(self, exception: BaseException | None) -> None:
        """Set what the span says about its end."""

    @guarded("attach")
    def _attach(self) -> None:
        if self._context is not None:
            self._token = attach(self._context)

    @guarded("detach")
    def _detach(self) -> None:
        if self._token is not None:
            token, self._token = self._token, None
            detach(token)

    def _failure_attributes(self, exception: BaseException | None) -> dict[str, str | int]:
        """The failure's attributes, empty without one. It belongs to the innermost block that failed with it:
        those around it get ``error.type`` and no failure of their own.
        """
        attributes: dict[str, str | int] = {}
        if exception is not None:
            attributes[semconv.ERROR_TYPE] = error_type(exception)
            if self.outer is not None:
                self.outer.passed_on = id(exception)
            if self._failure is None and self._position.passed_on != id(exception):
                self._failure = (self._failure_type, failure_code(exception))
                status = http_status(exception)
                if status is not None:
                    attributes[semconv.HTTP_RESPONSE_STATUS_CODE] = status
        if self._failure is not None:
            attributes.setdefault(semconv.ERROR_TYPE, self._failure[1].value)
            attributes[semconv.AGENT_FAILURE_TYPE] = self._failure[0].value
            attributes[semconv.AGENT_FAILURE_CODE] = self._failure[1].value
        return attributes

    def _tell_outer(self, exception: BaseException | None) -> None:
        """Count this block's failures, and those inside it, with what encloses it; being cancelled is none."""
        position, outer = self._position, self.outer
        cancelled = exception is not None and is_cancellation(exception)
        passed_on = exception is not None and position.failures == 0
        if not cancelled and (self._failure is not None or passed_on):
            position.add_failures(1)
        if outer is not None and outer.scope is position.scope:
            outer.add_failures(position.failures)
