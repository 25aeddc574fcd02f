-- Feeds agent_runs_by_time from what each insert adds to a run.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_runs_by_time_mv{on_cluster}
TO agent_runs_by_time
AS SELECT
    TenantId,
    RunId,
    tupleElement(Identity, 'AgentName') AS AgentName,
    LastSeen,
    ExpiresAt
FROM agent_runs_state
