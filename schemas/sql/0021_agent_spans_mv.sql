-- Feeds agent_spans from spans. Tries are counted only in runs of which, in the same insert, something failed.
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
    greatest(Tried, 1) AS Try,
    Repaired AS IsRepaired,
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
LEFT ANY JOIN
(
    SELECT
        TraceId,
        SpanId,
        Number - max(Success) OVER (tries ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS Tried,
        HasFailed AND maxIf(Timestamp, NOT HasFailed) OVER (PARTITION BY TenantId, RunId, Kind, StepName, ToolName)
            > Timestamp AS Repaired
    FROM
    (
        SELECT
            TenantId,
            RunId,
            TraceId,
            SpanId,
            ParentSpanId,
            Timestamp,
            StepName,
            ToolName,
            replaceOne(StepType, 'respond', 'model') AS Kind,
            FailureCode != '' OR StatusCode = 'Error' AS HasFailed,
            row_number() OVER (PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName ORDER BY Timestamp)
                AS Number,
            if(HasFailed, 0, Number) AS Success
        FROM otel_traces
        WHERE (TenantId, RunId) IN
        (
            SELECT TenantId, RunId
            FROM otel_traces
            WHERE FailureCode != '' OR StatusCode = 'Error'
        )
    )
    WINDOW tries AS (PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName ORDER BY Timestamp)
) AS t USING (TraceId, SpanId)
WHERE RunId != ''
