-- Fills agent_spans with what was stored before it was there. A run that is there already is left as it is, so
-- that this may be repeated.
INSERT INTO agent_spans
    (TenantId, RunId, TraceId, SpanId, ParentSpanId, IsLog, Timestamp, Duration, StatusCode, AgentName, StepType, StepName, StepSequence, Place, Attempt, FailureType, FailureCode, FailureRule, Operation, Provider, Model, ToolName, FinishReason, ResponseId, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens, CostUsd, PriceVersion, ExpiresAt)
SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    ParentSpanId,
    false AS IsLog,
    Timestamp,
    Duration,
    StatusCode,
    AgentName,
    StepType,
    StepName,
    StepSequence,
    0 AS Place,
    Attempt,
    FailureType,
    FailureCode,
    FailureRule,
    Operation,
    Provider,
    Model,
    ToolName,
    FinishReason,
    ResponseId,
    InputTokens,
    OutputTokens,
    CacheReadTokens,
    CacheWriteTokens,
    ReasoningTokens,
    CostUsd,
    PriceVersion,
    ExpiresAt
FROM otel_traces
WHERE RunId != '' AND (TenantId, RunId) NOT IN (SELECT TenantId, RunId FROM agent_spans)
