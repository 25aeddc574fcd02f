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
        f.RootFailed OR f.LastFailure > f.LastSuccess OR f.RunId = '' AND tupleElement(Last, 'Status') = 'failure', 'failure',
        f.Failures > 0 OR f.RunId = '' AND r.Failures > 0 OR tupleElement(Last, 'Rank') = 2, 'partial',
        f.RunId != '', 'success',
        tupleElement(Last, 'Status')
    ) AS Status,
    coalesce(Started, Queued, LastSeen) AS StartTime,
    multiIf(tupleElement(Last, 'Rank') >= 3, tupleElement(Last, 'Time'), IsGone, LastSeen, NULL) AS EndTime,
    (toUnixTimestamp64Nano(coalesce(EndTime, LastSeen)) - toUnixTimestamp64Nano(StartTime)) / 1e6 AS DurationMs,
    if(f.RunId = '', r.Steps, f.Steps) AS Steps,
    if(f.RunId = '', r.ModelCalls, f.ModelCalls) AS ModelCalls,
    if(f.RunId = '', r.ToolCalls, f.ToolCalls) AS ToolCalls,
    if(f.RunId = '', r.Retrievals, f.Retrievals) AS Retrievals,
    if(f.RunId = '', r.Failures, f.Failures) AS Failures,
    if(f.RunId = '', r.InputTokens, f.InputTokens) AS InputTokens,
    if(f.RunId = '', r.OutputTokens, f.OutputTokens) AS OutputTokens,
    if(f.RunId = '', r.CostUsd, f.CostUsd) AS CostUsd,
    if(f.RunId = '', tupleElement(Failed, 'FailureType'), f.FirstFailure.1) AS FailureType,
    if(f.RunId = '', tupleElement(Failed, 'FailureCode'), f.FirstFailure.2) AS FailureCode,
    LastSeen
FROM
(
    SELECT
        TenantId,
        RunId,
        min(s.FirstAgent) AS Run,
        max(s.State) AS Last,
        min(s.QueuedTime) AS Queued,
        min(s.StartTime) AS Started,
        min(s.FirstFailure) AS Failed,
        max(s.LastSeen) AS LastSeen,
        -- A run that somebody announced and that nobody ended still goes on.
        tupleElement(Last, 'Rank') = 2 AND LastSeen < now64(9) - toIntervalHour(1) AS IsGone,
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
) AS r
LEFT ANY JOIN
(
    WITH
        -- Agents repeat what their calls used; what they say counts only where there is no model call.
        StepType NOT IN ('agent', 'other') AS is_call,
        ParentSpanId = '' AS is_root,
        HasFailed AND FailureCode NOT IN ('empty_retrieval', 'truncated', 'content_filtered') AS is_raised
    SELECT
        TenantId,
        RunId,
        count() AS Steps,
        countIf(StepType IN ('model', 'respond')) AS ModelCalls,
        countIf(StepType = 'tool') AS ToolCalls,
        countIf(StepType = 'retrieve') AS Retrievals,
        countIf(FailureCode != '') AS Failures,
        ifNull(if(ModelCalls > 0, sumIf(t.InputTokens, is_call), sumIf(t.InputTokens, is_call OR is_root)), 0) AS InputTokens,
        ifNull(if(ModelCalls > 0, sumIf(t.OutputTokens, is_call), sumIf(t.OutputTokens, is_call OR is_root)), 0) AS OutputTokens,
        sumIf(t.CostUsd::Nullable(Decimal(38, 9)), is_call) AS CostUsd,
        max(is_root AND is_raised) AS RootFailed,
        maxIf(StartTime + toIntervalNanosecond(Duration), is_raised AND StepType NOT IN ('tool', 'retrieve', 'memory')) AS LastFailure,
        maxIf(StartTime, NOT is_raised AND is_call AND StepType != 'plan') AS LastSuccess,
        argMinIf((FailureType, FailureCode), StartTime, FailureCode != '') AS FirstFailure
    FROM agent_steps_folded AS t
    GROUP BY TenantId, RunId
) AS f USING (TenantId, RunId)
