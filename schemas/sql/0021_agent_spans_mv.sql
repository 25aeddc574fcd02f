-- Feeds agent_spans from spans.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_spans_mv{on_cluster}
TO agent_spans
AS SELECT
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
    row_number() OVER (PARTITION BY TenantId, RunId ORDER BY StepType = '', Timestamp) AS Place,
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
WHERE RunId != ''
