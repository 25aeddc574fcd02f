"""The columns of ``agent_step_spans``: what each span says of itself, and what is true of the step that it stands for.

OWN    a span's or log record's own word, renamed Own… in the table; all that a fold needs
STEP   what the fold of a run's spans made of it: a step where ``IsStep``, else nothing
SUMS   what a run comes to: one row a run and fold, in ``agent_runs_state``
"""

import pyarrow as pa

from agenttracer.schemas.columns import STRINGS, TIME

COST = pa.decimal128(18, 9)

OWN = pa.schema(
    [
        pa.field("StatusCode", STRINGS, nullable=False),
        pa.field("AgentName", STRINGS, nullable=False),
        pa.field("StepType", STRINGS, nullable=False),
        pa.field("StepName", STRINGS, nullable=False),
        pa.field("StepSequence", pa.int32()),
        pa.field("Attempt", pa.int32()),
        pa.field("FailureType", STRINGS, nullable=False),
        pa.field("FailureCode", STRINGS, nullable=False),
        pa.field("FailureRule", STRINGS, nullable=False),
        pa.field("Provider", STRINGS, nullable=False),
        pa.field("Model", STRINGS, nullable=False),
        pa.field("ToolName", STRINGS, nullable=False),
        pa.field("FinishReason", STRINGS, nullable=False),
        pa.field("ResponseId", pa.string(), nullable=False),
        pa.field("InputTokens", pa.uint64()),
        pa.field("OutputTokens", pa.uint64()),
        pa.field("CostUsd", COST),
    ]
)
"""What a span says of itself; a log record says less."""

_IDENTITY = pa.schema(
    [
        pa.field("TenantId", STRINGS, nullable=False),
        pa.field("RunId", pa.string(), nullable=False),
        pa.field("TraceId", pa.string(), nullable=False),
        pa.field("SpanId", pa.string(), nullable=False),
        pa.field("ParentSpanId", pa.string(), nullable=False),  # empty at a root, and in a log record
        pa.field("IsLog", pa.bool_(), nullable=False),  # about the span of its TraceId and SpanId
        pa.field("Timestamp", TIME, nullable=False),
        pa.field("Duration", pa.uint64(), nullable=False),  # nanoseconds
        pa.field("ExpiresAt", pa.uint32(), nullable=False),  # seconds since 1970
    ]
)

SPANS = pa.schema([*_IDENTITY, *OWN])
"""A fold's input: the spans of runs, and the log records that say something about them."""

STEP = pa.schema(
    [
        pa.field("IsStep", pa.bool_(), nullable=False),
        pa.field("StepSequence", pa.int32(), nullable=False),  # the agent's, else by order of start, from 1
        pa.field("StepType", STRINGS, nullable=False),
        pa.field("StepName", STRINGS, nullable=False),
        pa.field("AgentName", STRINGS, nullable=False),
        pa.field("Provider", STRINGS, nullable=False),
        pa.field("Model", STRINGS, nullable=False),
        pa.field("ToolName", STRINGS, nullable=False),
        pa.field("FinishReason", STRINGS, nullable=False),
        pa.field(
            "Attempt", pa.int32(), nullable=False
        ),  # the agent's, else counted from the last that went well
        pa.field("HasFailed", pa.bool_(), nullable=False),
        pa.field("FailureType", STRINGS, nullable=False),
        pa.field("FailureCode", STRINGS, nullable=False),
        pa.field("FailureRule", STRINGS, nullable=False),
        pa.field("Recovered", pa.bool_(), nullable=False),  # failed, and a later try of the step went well
        pa.field("InputTokens", pa.uint64()),
        pa.field("OutputTokens", pa.uint64()),
        pa.field("CostUsd", COST),
    ]
)
"""A fold's output, row by row; where ``IsStep`` is false, the defaults of the types and the row's own agent."""

SUMS = pa.schema(
    [
        pa.field(
            "Spans", pa.uint64(), nullable=False
        ),  # rows that were folded: of two folds, the one that saw more
        pa.field("Steps", pa.uint64(), nullable=False),
        pa.field("ModelCalls", pa.uint64(), nullable=False),
        pa.field("ToolCalls", pa.uint64(), nullable=False),
        pa.field("Retrievals", pa.uint64(), nullable=False),
        pa.field("Failures", pa.uint64(), nullable=False),
        pa.field("InputTokens", pa.uint64(), nullable=False),
        pa.field("OutputTokens", pa.uint64(), nullable=False),
        pa.field("CostUsd", pa.decimal128(38, 9)),
        pa.field("RootFailed", pa.bool_(), nullable=False),
        pa.field(
            "LastFailure", TIME, nullable=False
        ),  # when the last step that may end a run ended so; 1970: none
        pa.field("LastSuccess", TIME, nullable=False),  # when the last call that went well began
        pa.field("FailureType", pa.string(), nullable=False),  # the first failure's
        pa.field("FailureCode", pa.string(), nullable=False),
    ]
)
"""A run's sums, behind ``TenantId``, ``RunId`` and ``ExpiresAt``, the latest of its rows."""

STORED = pa.schema(
    [
        *_IDENTITY,
        *(field.with_name(f"Own{field.name}") for field in OWN),
        *STEP,
        pa.field("Spans", pa.uint64(), nullable=False),  # how many rows of the run were known
    ]
)
"""A row of ``agent_step_spans``."""

STEPS_TABLE, RUNS_TABLE = "agent_step_spans", "agent_runs_state"
