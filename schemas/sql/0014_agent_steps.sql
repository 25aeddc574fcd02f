-- Steps: one row a real step, however many spans say it and in however many inserts they came. The spans of a run
-- that came whole, of which no call may be said twice, are its steps; the others are folded when asked for.
CREATE OR REPLACE VIEW agent_steps{on_cluster}
AS
SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    ParentSpanId,
    ifNull(StepSequence, Place::Int32)::Nullable(Int32) AS StepSequence,
    StepType,
    StepName,
    AgentName,
    Provider,
    Model,
    ToolName,
    ifNull(Attempt, Try::Int32)::Nullable(Int32) AS Attempt,
    Timestamp AS StartTime,
    Duration / 1e6 AS DurationMs,
    if(FailureCode != '' OR StatusCode = 'Error', 'failure', 'success') AS Status,
    FailureType,
    FailureCode,
    InputTokens,
    OutputTokens,
    CostUsd
FROM agent_spans
WHERE NOT IsLog AND StepType != '' AND RunKey NOT IN (SELECT RunKey FROM agent_runs_to_fold)
UNION ALL
SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    f.ParentSpanId,
    f.StepSequence,
    f.StepType,
    f.StepName,
    f.AgentName,
    f.Provider,
    f.Model,
    f.ToolName,
    f.Attempt,
    s.Timestamp AS StartTime,
    f.Duration / 1e6 AS DurationMs,
    if(f.HasFailed, 'failure', 'success') AS Status,
    f.FailureType,
    f.FailureCode,
    f.InputTokens,
    f.OutputTokens,
    f.CostUsd
FROM agent_steps_folded AS f
INNER JOIN
(
    -- So that a filter by time finds the runs that are worth folding.
    SELECT TenantId, RunId, TraceId, SpanId, Timestamp
    FROM agent_spans
    WHERE NOT IsLog AND StepType != '' AND RunKey IN (SELECT RunKey FROM agent_runs_to_fold)
) AS s USING (TenantId, RunId, TraceId, SpanId)
