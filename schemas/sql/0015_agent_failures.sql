-- Failures: one row for each step that failed of itself, the deepest. It recovered if a later try of the same step of
-- the same run did not fail.
CREATE OR REPLACE VIEW agent_failures{on_cluster}
AS
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
    ifNull(Attempt, Try::Int32)::Nullable(Int32) AS Attempt,
    IsRepaired AS Recovered,
    Timestamp AS Time
FROM agent_spans
WHERE NOT IsLog AND StepType != '' AND FailureCode != '' AND RunKey NOT IN (SELECT RunKey FROM agent_runs_to_fold)
UNION ALL
SELECT
    TenantId,
    RunId,
    f.TraceId,
    f.SpanId,
    f.StepType,
    f.StepName,
    f.AgentName,
    f.FailureType,
    f.FailureCode,
    f.FailureRule AS Rule,
    f.Attempt,
    toBool(ifNull(f.LastSuccess > f.StartTime, 0)) AS Recovered,
    FailedTime AS Time
FROM agent_steps_folded AS f
INNER JOIN
(
    SELECT DISTINCT TenantId, RunId, SpanId AS FailedSpanId, Timestamp AS FailedTime
    FROM agent_spans
    WHERE FailureCode != '' AND RunKey IN (SELECT RunKey FROM agent_runs_to_fold)
) AS s USING (TenantId, RunId, FailedSpanId, FailedTime)
WHERE f.FailureCode != ''
