-- Steps: one row for each span that is a step of a run.
CREATE OR REPLACE VIEW agent_steps{on_cluster}
AS SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    ParentSpanId,
    StepSequence,
    StepType,
    StepName,
    AgentName,
    Provider,
    Model,
    ToolName,
    Attempt,
    Timestamp AS StartTime,
    Duration / 1e6 AS DurationMs,
    if(FailureCode != '' OR StatusCode = 'Error', 'failure', 'success') AS Status,
    FailureType,
    FailureCode,
    InputTokens,
    OutputTokens,
    CostUsd
FROM otel_traces
WHERE StepType != ''
