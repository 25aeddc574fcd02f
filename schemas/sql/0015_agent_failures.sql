-- Failures: one row for each step that failed of itself. It recovered if a later try of the same step of the
-- same run did not fail; only runs with failures are searched for one.
CREATE OR REPLACE VIEW agent_failures{on_cluster}
AS SELECT
    f.TenantId AS TenantId,
    f.RunId AS RunId,
    f.TraceId AS TraceId,
    f.SpanId AS SpanId,
    f.StepType AS StepType,
    f.StepName AS StepName,
    f.AgentName AS AgentName,
    f.FailureType AS FailureType,
    f.FailureCode AS FailureCode,
    f.FailureRule AS Rule,
    f.Attempt AS Attempt,
    toBool(ifNull(s.LastSuccess > f.Timestamp, 0)) AS Recovered,
    f.Timestamp AS Time
FROM otel_traces AS f
LEFT JOIN
(
    SELECT
        TenantId,
        RunId,
        StepType,
        StepName,
        max(Timestamp) AS LastSuccess
    FROM otel_traces
    WHERE StepType != '' AND FailureCode = '' AND StatusCode != 'Error'
        AND (TenantId, RunId) IN (SELECT TenantId, RunId FROM otel_traces WHERE FailureCode != '')
    GROUP BY TenantId, RunId, StepType, StepName
) AS s USING (TenantId, RunId, StepType, StepName)
WHERE f.StepType != '' AND f.FailureCode != ''
