"""MCP 1: the tool calls of a client session. From 2 on the SDK has spans of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from mcp import ClientSession
from opentelemetry.trace import Tracer

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.libraries.evidence import failure_of_text
from agenttracer.instrumentation.libraries.spans import LibrarySpans
from agenttracer.schemas.semconv import StepType

_METHOD = "mcp.method.name"


def switch_on(tracer: Tracer) -> Callable[[], None]:
    """Put a span around ``ClientSession.call_tool``; returns what undoes it."""
    spans = LibrarySpans(tracer, "mcp")
    call_tool = ClientSession.call_tool

    @wraps(call_tool)
    async def spanning_call_tool(session: Any, name: str, *arguments: Any, **options: Any) -> Any:
        key = object()
        with guard("mcp call"):
            spans.start(key, None, StepType.TOOL, name)
            spans.attribute(key, _METHOD, "tools/call")
        try:
            result = await call_tool(session, name, *arguments, **options)
        except BaseException as error:
            with guard("mcp call"):
                spans.end(key, error=error)
            raise
        with guard("mcp call"):
            spans.end(key, error=failure_of_text(_text(result)) if result.isError else None)
        return result

    ClientSession.call_tool = spanning_call_tool

    def undo() -> None:
        if ClientSession.call_tool is spanning_call_tool:
            ClientSession.call_tool = call_tool
        spans.close()

    return undo


def _text(result: Any) -> str:
    """What the server said about an error."""
    return "\n".join(str(getattr(part, "text", "")) for part in result.content)
