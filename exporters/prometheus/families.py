"""The aggregates of agents that Prometheus scrapes: one table, one entry a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

BOUNDS_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
)
"""From a local tool call to a run of an hour."""


Condition = Callable[[pa.Table], pa.ChunkedArray]
"""Which facts a metric is about, as booleans."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: ``labels`` maps each label to the facts' column it shows.

    ``measures`` are the columns that are summed, each with the value of the ``measure_label`` if there
    are several; a histogram measures ``seconds``.
    """

    name: str
    help: str
    labels: Mapping[str, str]
    where: Condition
    type: Literal["counter", "histogram"] = "counter"
    measures: Mapping[str, str] = field(default_factory=lambda: {"": "rows"})
    measure_label: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        """All labels, in the order of a series' values."""
        return (*self.labels, self.measure_label) if self.measure_label else tuple(self.labels)


_AGENT = {"agent": "AgentName"}
_CALLED_MODEL = {**_AGENT, "provider": "Provider", "model": "Model"}


def _is_run(facts: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(facts["RunStatus"], "")


def _is_step(facts: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(facts["StepType"], "")


def _failed(facts: pa.Table) -> pa.ChunkedArray:
    return pc.or_(pc.not_equal(facts["FailureType"], ""), pc.not_equal(facts["FailureCode"], ""))


def _is_tool_call(facts: pa.Table) -> pa.ChunkedArray:
    return pc.equal(facts["StepType"], "tool")


def _uses_model(facts: pa.Table) -> pa.ChunkedArray:
    # Agents repeat the tokens of the steps in them: counting those too would count all tokens twice.
    return pc.is_in(facts["StepType"], pa.array(["model", "respond"]))


def _is_model_call(facts: pa.Table) -> pa.ChunkedArray:
    # A step that responds may do so without a model.
    is_model = pc.equal(facts["StepType"], "model")
    return pc.or_(is_model, pc.and_(_uses_model(facts), pc.not_equal(facts["Model"], "")))


def _is_run_event(facts: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(facts["Event"], "")


SPAN_FAMILIES = (
    Family(
        "agent_runs_total",
        "Runs that ended, by status.",
        {**_AGENT, "agent_version": "AgentVersion", "status": "RunStatus"},
        _is_run,
    ),
    Family("agent_run_duration_seconds", "Duration of runs.", _AGENT, _is_run, "histogram"),
    Family(
        "agent_steps_total",
        "Steps by type: plan, retrieve, model, tool, respond, memory, agent, other.",
        {**_AGENT, "step_type": "StepType", "status": "Status"},
        _is_step,
    ),
    Family(
        "agent_step_duration_seconds",
        "Duration of steps.",
        {**_AGENT, "step_type": "StepType"},
        _is_step,
        "histogram",
    ),
    Family(
        "agent_failures_total",
        "Failures, each at the deepest step that failed.",
        {**_AGENT, "type": "FailureType", "code": "FailureCode"},
        _failed,
    ),
    Family(
        "agent_tool_calls_total",
        "Calls of tools.",
        {**_AGENT, "tool": "ToolName", "status": "Status"},
        _is_tool_call,
    ),
    Family(
        "agent_model_calls_total", "Calls of models.", {**_CALLED_MODEL, "status": "Status"}, _is_model_call
    ),
    Family(
        "agent_tokens_total",
        "Tokens of model calls; cache_read and cache_write are part of input, reasoning of output.",
        _CALLED_MODEL,
        _uses_model,
        measures={
            "input": "InputTokens",
            "output": "OutputTokens",
            "cache_read": "CacheReadTokens",
            "cache_write": "CacheWriteTokens",
            "reasoning": "ReasoningTokens",
        },
        measure_label="type",
    ),
    Family(
        "agent_cost_usd_total",
        "Cost of model calls in US dollars.",
        _CALLED_MODEL,
        _uses_model,
        measures={"": "CostUsd"},
    ),
)

LOG_FAMILIES = (
    Family(
        "agent_run_events_total",
        "Runs that were queued, started or cancelled, as told before they end.",
        {**_AGENT, "event": "Event"},
        _is_run_event,
    ),
)
