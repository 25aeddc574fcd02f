-- Feeds agent_runs_state from log events, so that a run is visible before its first span ends.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_runs_events_mv{on_cluster}
TO agent_runs_state
AS
WITH
    if(AgentName = '', 2, 1) AS identity_rank,
    transform(EventName, ['agent.run.queued', 'agent.run.started'], [1, 2], 3) AS state_rank
SELECT
    TenantId,
    RunId,
    tuple(
        min(identity_rank), argMin(AgentName, identity_rank), argMin(AgentVersion, identity_rank),
        argMin(ServiceName, identity_rank), argMin(TraceId, identity_rank)
    ) AS Identity,
    tuple(
        max(state_rank), argMax(Timestamp, state_rank),
        transform(max(state_rank), [1, 2], ['queued', 'running'], 'cancelled')
    ) AS State,
    minIf(toNullable(Timestamp), EventName = 'agent.run.queued') AS QueuedTime,
    minIf(toNullable(Timestamp), EventName = 'agent.run.started') AS StartTime,
    max(Timestamp) AS LastSeen,
    max(l.ExpiresAt) AS ExpiresAt
FROM otel_logs AS l
WHERE RunId != '' AND EventName IN ('agent.run.queued', 'agent.run.started', 'agent.run.cancelled')
GROUP BY TenantId, RunId
