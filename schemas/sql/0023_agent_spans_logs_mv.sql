-- Feeds agent_spans from log records that say something about a span: exceptions and GenAI events.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_spans_logs_mv{on_cluster}
TO agent_spans
AS SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    true AS IsLog,
    Timestamp,
    AgentName,
    FailureType,
    FailureCode,
    FailureRule,
    Operation,
    Provider,
    Model,
    FinishReason,
    ResponseId,
    InputTokens,
    OutputTokens,
    CacheReadTokens,
    CacheWriteTokens,
    ReasoningTokens,
    ExpiresAt
FROM otel_logs
WHERE RunId != '' AND SpanId != '' AND (
    FailureCode != '' OR Model != '' OR FinishReason != '' OR ResponseId != '' OR InputTokens IS NOT NULL
)
