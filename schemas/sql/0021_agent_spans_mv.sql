-- Feeds agent_spans from the spans of runs of which, in the same insert, nothing failed.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_spans_mv{on_cluster}
TO agent_spans
AS SELECT
    TenantId,
    RunId,
    cityHash64(TenantId, RunId) AS RunKey,
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
    1 AS Try,
    false AS IsRepaired,
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
WHERE RunId != '' AND (TenantId, RunId) NOT IN
(
    SELECT TenantId, RunId
    FROM otel_traces
    WHERE FailureCode != '' OR StatusCode = 'Error'
)
