"""Steps and runs around functions: plain, async, generators and async generators.

    @tool
    def search_kb(question): ...              # a step named search_kb

    @step("plan", "choose_actions")
    async def plan(question): ...

    @model("answer", metadata={"model": "small-1"})
    def answer(question):                     # a stream: time to the first piece, and how many pieces
        yield "…"

    @agent
    def support(question): ...                # a run; inside another run, a step of type agent

Arguments and results stay in the process. Outside a run a step's function runs as if it were not decorated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, overload

from opentelemetry.context import get_current

from agenttracer.instrumentation.default_tracer import get_tracer
from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.run_context import current_position
from agenttracer.instrumentation.span_block import SpanBlock
from agenttracer.instrumentation.step import Step
from agenttracer.instrumentation.streaming import drive, drive_async
from agenttracer.schemas.semconv import StepType

if TYPE_CHECKING:
    from agenttracer.instrumentation.tracer import AgentTracer

F = TypeVar("F", bound=Callable[..., Any])
Open = Callable[[], SpanBlock | None]


def step(
    type: str, name: str | None = None, *, metadata: Mapping[str, object] | None = None
) -> Callable[[F], F]:
    """Make each call of a function a step of the run it happens in, named after the function by default."""

    def decorate(function: F) -> F:
        return _around(function, partial(_open_step, type, name or _name(function), metadata))

    return decorate


class StepDecorator(Protocol):
    """``@tool``, ``@tool("name")`` and ``@tool(name=…, metadata=…)``."""

    @overload
    def __call__(self, function: F, /) -> F: ...

    @overload
    def __call__(
        self,
        function: str | None = None,
        /,
        *,
        name: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Callable[[F], F]: ...


@overload
def agent(function: F, /) -> F: ...


@overload
def agent(
    function: str | None = None,
    /,
    *,
    name: str | None = None,
    tracer: AgentTracer | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Callable[[F], F]: ...


def agent(
    function: Callable[..., Any] | str | None = None,
    /,
    *,
    name: str | None = None,
    tracer: AgentTracer | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Any:
    """Make each call of a function a run, of ``tracer`` or else of the newest one.

    Inside a run the call is a step of type ``agent``: a hand-over, not a run of its own.
    """
    chosen = function if isinstance(function, str) else name

    def decorate(wrapped: F) -> F:
        return _around(wrapped, partial(_open_run, chosen or _name(wrapped), tracer, metadata))

    return decorate(function) if callable(function) else decorate


def _shorthand(type: StepType) -> StepDecorator:
    def decorator(
        function: Callable[..., Any] | str | None = None,
        /,
        *,
        name: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Any:
        chosen = function if isinstance(function, str) else name
        decorate = step(type.value, chosen, metadata=metadata)
        return decorate(function) if callable(function) else decorate

    decorator.__name__ = decorator.__qualname__ = type.value
    decorator.__doc__ = f"``@{type.value}``, ``@{type.value}('name')``: ``step`` of type {type.value}."
    return cast(StepDecorator, decorator)


plan = _shorthand(StepType.PLAN)
retrieve = _shorthand(StepType.RETRIEVE)
model = _shorthand(StepType.MODEL)
tool = _shorthand(StepType.TOOL)
respond = _shorthand(StepType.RESPOND)
memory = _shorthand(StepType.MEMORY)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _open_step(kind: str, name: str, metadata: Mapping[str, object] | None) -> SpanBlock | None:
    with guard("step"):
        context = get_current()
        position = current_position(context)
        if position is not None:
            return Step(position.scope, context, kind, name, metadata)
    return None


def _open_run(
    name: str, tracer: AgentTracer | None, metadata: Mapping[str, object] | None
) -> SpanBlock | None:
    inside = _open_step(StepType.AGENT.value, name, metadata)
    if inside is not None:
        return inside
    with guard("agent"):
        return (tracer or get_tracer()).start_run(name, metadata=metadata)
    return None


def _around(function: Any, open_block: Open) -> Any:
    """The function inside a block, in the same way of being called."""
    if inspect.isasyncgenfunction(function):

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            generator = function(*arguments, **options)
            block = open_block()
            return generator if block is None else drive_async(block, generator, _counter(block))

    elif inspect.isgeneratorfunction(function):

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            generator = function(*arguments, **options)
            block = open_block()
            return generator if block is None else drive(block, generator, _counter(block))

    elif inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call(*arguments: Any, **options: Any) -> Any:
            block = open_block()
            if block is None:
                return await function(*arguments, **options)
            with block:
                return await function(*arguments, **options)

    else:

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            block = open_block()
            if block is None:
                return function(*arguments, **options)
            with block:
                return function(*arguments, **options)

    return call


def _counter(block: SpanBlock) -> Callable[[], None]:
    return block.chunk if isinstance(block, Step) else lambda: None
