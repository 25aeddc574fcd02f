-- Failures: one row for each step that failed of itself. It recovered if a later try of the same step of the
-- same run did not fail.
CREATE VIEW IF NOT EXISTS agent_failures{on_cluster}
AS SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    StepType,
    StepName,
    AgentName,
    FailureType,
    FailureCode,
    Rule,
    Attempt,
    LastSuccess > Time AS Recovered,
    Time
FROM
(
    SELECT
        TenantId,
        RunId,
        TraceId,
        SpanId,
        StepType,
        StepName,
        AgentName,
        FailureType,
        FailureCode,
        FailureRule AS Rule,
        Attempt,
        Timestamp AS Time,
        maxIf(Timestamp, FailureCode = '' AND StatusCode != 'Error')
            OVER (PARTITION BY TenantId, RunId, StepType, StepName) AS LastSuccess
    FROM otel_traces
    WHERE StepType != ''
)
WHERE FailureCode != ''
