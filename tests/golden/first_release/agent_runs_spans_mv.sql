-- Feeds agent_runs_state from spans: whose run it is, its times, and its status, which roots carry; the agent's own word
-- ranks above what was concluded from the spans. The exporter adds the sums.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_runs_spans_mv
TO agent_runs_state
AS
WITH
    multiIf(AgentName = '', 2, RunStatus = '', 1, 0) AS identity_rank,
    -- The rank, then the time; among those of one nanosecond anybody, but always the same.
    bitShiftLeft(identity_rank::UInt128, 126) + bitShiftLeft(toUnixTimestamp64Nano(Timestamp)::UInt128, 64)
        + cityHash64(TraceId, SpanId) AS identity_order,
    multiIf(
        RunStatus = 'queued', 1,
        RunStatus IN ('', 'running'), 2,
        mapContains(SpanAttributes, 'agent.run.status'), 5,
        4
    ) AS state_rank,
    Timestamp + toIntervalNanosecond(Duration) AS end_time,
    state_rank * 10000000000000000 + toUnixTimestamp64Micro(end_time) AS state_order
SELECT
    TenantId,
    RunId,
    tuple(
        min(identity_rank), argMin(AgentName::String, identity_order), argMin(AgentVersion::String, identity_order),
        argMin(ServiceName::String, identity_order), argMin(TraceId, identity_order)
    ) AS Identity,
    tuple(
        max(state_rank), argMax(end_time, state_order),
        if(argMax(RunStatus, state_order) = '', 'running', argMax(RunStatus, state_order))
    ) AS State,
    min(Timestamp) AS StartTime,
    max(end_time) AS LastSeen,
    max(t.ExpiresAt) AS ExpiresAt
FROM otel_traces AS t
WHERE RunId != '' AND (StepType != '' OR RunStatus != '')
    AND NOT (ParentSpanId = '' AND Operation = 'create_agent')  -- to make an agent is no run of it
GROUP BY TenantId, RunId
