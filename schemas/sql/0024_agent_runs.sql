-- Runs: one row each, in however many inserts its spans came. A root that ended decides the status; while a
-- run goes on, EndTime is null and DurationMs the time so far.
CREATE OR REPLACE VIEW agent_runs{on_cluster}
AS SELECT
    TenantId,
    RunId,
    tupleElement(Run, 'TraceId') AS TraceId,
    tupleElement(Run, 'AgentName') AS AgentName,
    tupleElement(Run, 'AgentVersion') AS AgentVersion,
    tupleElement(Run, 'ServiceName') AS ServiceName,
    tupleElement(Last, 'Status') AS Status,
    coalesce(Started, Queued, LastSeen) AS StartTime,
    if(tupleElement(Last, 'Rank') >= 3, tupleElement(Last, 'Time'), NULL) AS EndTime,
    (toUnixTimestamp64Nano(coalesce(EndTime, LastSeen)) - toUnixTimestamp64Nano(StartTime)) / 1e6 AS DurationMs,
    Steps,
    ModelCalls,
    ToolCalls,
    Retrievals,
    Failures,
    InputTokens,
    OutputTokens,
    CostUsd,
    tupleElement(Failed, 'FailureType') AS FailureType,
    tupleElement(Failed, 'FailureCode') AS FailureCode,
    LastSeen
FROM
(
    SELECT
        TenantId,
        RunId,
        min(s.Identity) AS Run,
        max(s.State) AS Last,
        min(s.QueuedTime) AS Queued,
        min(s.StartTime) AS Started,
        min(s.FirstFailure) AS Failed,
        max(s.LastSeen) AS LastSeen,
        sum(s.Steps) AS Steps,
        sum(s.ModelCalls) AS ModelCalls,
        sum(s.ToolCalls) AS ToolCalls,
        sum(s.Retrievals) AS Retrievals,
        sum(s.Failures) AS Failures,
        sum(s.InputTokens) AS InputTokens,
        sum(s.OutputTokens) AS OutputTokens,
        sum(s.CostUsd) AS CostUsd
    FROM agent_runs_state AS s
    GROUP BY TenantId, RunId
)
