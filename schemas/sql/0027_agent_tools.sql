-- Tools: how often each was called by each agent, how often it failed, how long it took. For a part of the time, ask
-- agent_steps.
CREATE OR REPLACE VIEW agent_tools{on_cluster}
AS
WITH quantiles(0.5, 0.95, 0.99)(DurationMs) AS duration_ms
SELECT
    TenantId,
    AgentName,
    if(s.ToolName = '', StepName, s.ToolName) AS ToolName,
    count() AS Calls,
    countIf(Status = 'failure') AS Failures,
    1 - Failures / Calls AS SuccessRate,
    duration_ms[1] AS P50Ms,
    duration_ms[2] AS P95Ms,
    duration_ms[3] AS P99Ms,
    argMaxIf(FailureCode, StartTime, FailureCode != '') AS LastFailureCode,
    max(StartTime) AS LastCall
FROM agent_steps AS s
WHERE StepType = 'tool'
GROUP BY TenantId, AgentName, ToolName
