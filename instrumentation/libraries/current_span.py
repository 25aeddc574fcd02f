"""A span's stand-in as the current span: once the span has ended, it is whatever was current before.

Libraries start a call in one asyncio task and end it in another, so that what was made current can't always be
taken back where it was. What is left behind must not become the parent of what the host does next.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, get_current_span


class CurrentSpan(Span):
    """Passes everything on to the span, or, after ``leave``, to what was current before."""

    def __init__(self, span: Span, before: Context) -> None:
        self._span: Span | None = span
        self._before = before

    def leave(self) -> None:
        """The span has ended."""
        self._span = None

    @property
    def target(self) -> Span:
        """The span that this one stands for now."""
        return self._span if self._span is not None else get_current_span(without_ended(self._before))

    def __getattr__(self, name: str) -> Any:
        """What the SDK's spans have besides, such as ``attributes``."""
        return getattr(self.target, name)

    def get_span_context(self) -> SpanContext:
        return self.target.get_span_context()

    def is_recording(self) -> bool:
        return self.target.is_recording()

    def set_attributes(self, attributes: Any) -> None:
        self.target.set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        self.target.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self.target.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self.target.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self.target.update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.target.set_status(status, description)

    def record_exception(self, *arguments: Any, **options: Any) -> None:
        self.target.record_exception(*arguments, **options)

    def end(self, end_time: int | None = None) -> None:
        """Nothing: the library's own end counts."""


def without_ended(context: Context) -> Context:
    """The context as it was before the spans in it that have ended."""
    while True:
        span = get_current_span(context)
        if not isinstance(span, CurrentSpan) or span._span is not None:
            return context
        context = span._before
