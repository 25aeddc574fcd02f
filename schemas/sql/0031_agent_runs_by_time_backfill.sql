-- Fills agent_runs_by_time with the runs that were stored before it was there.
INSERT INTO agent_runs_by_time (TenantId, RunId, AgentName, LastSeen, ExpiresAt)
SELECT
    TenantId,
    RunId,
    tupleElement(Identity, 'AgentName') AS AgentName,
    LastSeen,
    ExpiresAt
FROM agent_runs_state
WHERE (TenantId, RunId) NOT IN (SELECT TenantId, RunId FROM agent_runs_by_time)
