"""The run and the step that the current code belongs to, for code that wasn't handed them.

    current_step().add_metadata({"result_count": 3})

Outside a run both go nowhere: there is never a None to trip over.
"""

from __future__ import annotations

from opentelemetry.context import get_current

from agenttracer.instrumentation.run import Run
from agenttracer.instrumentation.run_context import Agent, RunScope, current_position
from agenttracer.instrumentation.run_facts import RunFacts
from agenttracer.instrumentation.settings import Settings
from agenttracer.instrumentation.setup import make_no_signals
from agenttracer.instrumentation.step import Step
from agenttracer.schemas.semconv import StepType


def current_run() -> Run:
    """The innermost run around the current code."""
    position = current_position(get_current())
    run = None if position is None else position.scope.run
    return Run(_nowhere(), RunFacts()) if run is None else run


def current_step() -> Step:
    """The innermost step around the current code."""
    context = get_current()
    position = current_position(context)
    step = None if position is None else position.step
    return Step(_nowhere(), context, StepType.OTHER.value, "none") if step is None else step


def _nowhere() -> RunScope:
    return RunScope("none", Agent("none"), make_no_signals(), Settings())
