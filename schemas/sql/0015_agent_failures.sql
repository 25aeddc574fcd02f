-- Failures: one row for each step that failed of itself, the deepest. It recovered if a later try of the same step of
-- the same run did not fail.
CREATE OR REPLACE VIEW agent_failures{on_cluster}
AS SELECT
    TenantId,
    RunId,
    f.TraceId AS TraceId,
    f.SpanId AS SpanId,
    f.StepType AS StepType,
    f.StepName AS StepName,
    f.AgentName AS AgentName,
    f.FailureType AS FailureType,
    f.FailureCode AS FailureCode,
    f.FailureRule AS Rule,
    f.Attempt AS Attempt,
    toBool(ifNull(f.LastSuccess > f.StartTime, 0)) AS Recovered,
    FailedTime AS Time
FROM agent_steps_folded AS f
INNER JOIN
(
    SELECT DISTINCT TenantId, RunId, SpanId AS FailedSpanId, Timestamp AS FailedTime
    FROM agent_spans
    WHERE FailureCode != ''
) AS s USING (TenantId, RunId, FailedSpanId, FailedTime)
WHERE f.FailureCode != ''
