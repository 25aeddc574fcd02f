-- Runs: one row each, in however many inserts its spans came. While a run goes on, EndTime is null and DurationMs the
-- time so far; one whose root never came has ended an hour after it was last seen, partial.
--
-- The agent's own word is the status. Else a run failed if its root did, or if a model call or a step around others
-- failed and no call that went well began afterwards; it is partial if any step failed. Empty retrievals and answers
-- that are cut short or filtered end no run.
CREATE OR REPLACE VIEW agent_runs{on_cluster}
AS SELECT
    TenantId,
    RunId,
    tupleElement(Run, 'TraceId') AS TraceId,
    tupleElement(Run, 'AgentName') AS AgentName,
    tupleElement(Run, 'AgentVersion') AS AgentVersion,
    tupleElement(Run, 'ServiceName') AS ServiceName,
    multiIf(
        tupleElement(Last, 'Rank') IN (1, 3, 5) OR tupleElement(Last, 'Status') = 'cancelled', tupleElement(Last, 'Status'),
        tupleElement(Last, 'Rank') = 2 AND NOT IsGone, 'running',
        tupleElement(Sum, 'RootFailed') OR tupleElement(Sum, 'LastFailure') > tupleElement(Sum, 'LastSuccess'), 'failure',
        Failures > 0 OR tupleElement(Last, 'Rank') = 2, 'partial',
        tupleElement(Last, 'Status')
    ) AS Status,
    coalesce(Started, Queued, Seen) AS StartTime,
    multiIf(tupleElement(Last, 'Rank') >= 3, tupleElement(Last, 'Time'), IsGone, Seen, NULL) AS EndTime,
    (toUnixTimestamp64Nano(coalesce(EndTime, Seen)) - toUnixTimestamp64Nano(StartTime)) / 1e6 AS DurationMs,
    tupleElement(Sum, 'Steps') AS Steps,
    tupleElement(Sum, 'ModelCalls') AS ModelCalls,
    tupleElement(Sum, 'ToolCalls') AS ToolCalls,
    tupleElement(Sum, 'Retrievals') AS Retrievals,
    tupleElement(Sum, 'Failures') AS Failures,
    tupleElement(Sum, 'InputTokens') AS InputTokens,
    tupleElement(Sum, 'OutputTokens') AS OutputTokens,
    tupleElement(Sum, 'CostUsd') AS CostUsd,
    tupleElement(Sum, 'FailureType') AS FailureType,
    tupleElement(Sum, 'FailureCode') AS FailureCode,
    Seen AS LastSeen
FROM
(
    SELECT
        TenantId,
        RunId,
        min(s.FirstAgent) AS Run,
        max(s.State) AS Last,
        min(s.QueuedTime) AS Queued,
        min(s.StartTime) AS Started,
        max(s.LastSeen) AS Seen,
        max(s.Sums) AS Sum,
        -- A run that somebody announced and that nobody ended still goes on.
        tupleElement(Last, 'Rank') = 2 AND Seen < now64(9) - toIntervalHour(1) AS IsGone
    FROM agent_runs_state AS s
    GROUP BY TenantId, RunId
)
WHERE tupleElement(Last, 'Rank') > 0  -- what makes no run, the making of an agent for one, has sums at most
