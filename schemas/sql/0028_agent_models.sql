-- Models: how often each was called by each agent, how often that failed, how long it took, what it used and cost. For
-- a part of the time, ask agent_steps.
CREATE OR REPLACE VIEW agent_models{on_cluster}
AS
WITH quantiles(0.5, 0.95, 0.99)(DurationMs) AS duration_ms
SELECT
    TenantId,
    AgentName,
    Provider,
    Model,
    count() AS Calls,
    countIf(Status = 'failure') AS Failures,
    1 - Failures / Calls AS SuccessRate,
    duration_ms[1] AS P50Ms,
    duration_ms[2] AS P95Ms,
    duration_ms[3] AS P99Ms,
    ifNull(sum(s.InputTokens), 0) AS InputTokens,
    ifNull(sum(s.OutputTokens), 0) AS OutputTokens,
    sum(s.CostUsd::Nullable(Decimal(38, 9))) AS CostUsd,
    argMaxIf(FailureCode, StartTime, FailureCode != '') AS LastFailureCode,
    max(StartTime) AS LastCall
FROM agent_steps AS s
WHERE StepType IN ('model', 'respond')
GROUP BY TenantId, AgentName, Provider, Model
