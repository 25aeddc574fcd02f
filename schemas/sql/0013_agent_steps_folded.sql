-- The steps of runs, one row a real step: spans that say the same call twice are one, whichever came first.
--
--     agent ─┬─ chat (framework) ── other ── chat (client)      one model step, at the outer span: its time, and the
--            └─ tool (client) ───── tool (server)               facts that it lacks from the spans inside it
--
-- A call (model, tool, retrieve) whose nearest ancestor that does anything (other, plan and spans that are no steps
-- don't) is of the same type is the same call; so are model spans of one run with the same ResponseId. A failure
-- belongs to the deepest step that failed; who only passed it on has none. Log records complete their span.
--
-- `walked` goes through a run's spans in order of start, logs last, and lets each learn from its parent:
--   1 the span, 2 and 3 the type and the call of the nearest that does anything, itself included,
--   4 the call of the nearest that failed, itself included, 5 its own call, 6 the call above that passed its
--   failure on, 7 its parent if it came later. Then a clock was wrong, and a second walk knows them all.
-- Spans are told apart by a hash of their ids.
CREATE OR REPLACE VIEW agent_steps_folded{on_cluster}
AS
WITH
    (spans, learnt) -> arrayFold(
        (known, span) -> arrayMap(
            (above, is_same) -> arrayPushFront(known, (
                span.1,
                if(span.3 = 0, above.2, span.3),
                if(span.3 = 0 OR is_same, above.3, span.1),
                if(span.4, if(is_same, above.3, span.1), above.4),
                multiIf(span.1 = 0, above.5, is_same, above.3, span.1),
                above.4,
                if(above.1 = 0, span.2, 0)
            )),
            [known[indexOf(known.1, span.2)] AS parent],
            [span.3 BETWEEN 1 AND 3 AND parent.2 = span.3]
        )[1],
        spans,
        learnt
    ) AS walked,
    runs AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            groupArray(TraceId) AS TraceIds,
            groupArray(SpanId) AS SpanIds,
            groupArray(ParentSpanId) AS ParentSpanIds,
            groupArray(IsLog) AS Logs,
            groupArray(Timestamp) AS Timestamps,
            groupArray(Duration) AS Durations,
            groupArray(StatusCode) AS StatusCodes,
            groupArray(AgentName) AS AgentNames,
            groupArray(StepType) AS StepTypes,
            groupArray(StepName) AS StepNames,
            groupArray(ifNull(StepSequence, -1)) AS StepSequences,
            groupArray(ifNull(Attempt, -1)) AS Attempts,
            groupArray(FailureType) AS FailureTypes,
            groupArray(FailureCode) AS FailureCodes,
            groupArray(FailureRule) AS FailureRules,
            groupArray(Provider) AS Providers,
            groupArray(Model) AS Models,
            groupArray(ToolName) AS ToolNames,
            groupArray(FinishReason) AS FinishReasons,
            groupArray(toInt64(ifNull(InputTokens, -1))) AS Inputs,
            groupArray(toInt64(ifNull(OutputTokens, -1))) AS Outputs,
            groupArray(ifNull(CostUsd, -1::Decimal(18, 9))) AS Costs,
            groupArray(cityHash64(TraceId, SpanId)) AS Keys,
            groupUniqArrayIf(cityHash64(TraceId, SpanId), FailureCode != '') AS Failed,
            arraySort(arrayZip(
                Logs,
                Timestamps,
                arrayMap(duration -> -toInt64(duration), Durations),
                Keys,
                groupArray(multiIf(
                    IsLog, cityHash64(TraceId, SpanId), ParentSpanId = '', 0, cityHash64(TraceId, ParentSpanId)
                )),
                groupArray(transform(
                    StepType, ['', 'other', 'plan', 'model', 'respond', 'tool', 'retrieve'], [0, 0, 0, 1, 1, 2, 3], 4
                )::UInt8),
                groupArray(if(FailureCode = '', 0, cityHash64(FailureCode))),
                groupArray(if(
                    ResponseId != '' AND (IsLog OR StepType IN ('model', 'respond')), cityHash64(ResponseId), 0
                )),
                arrayEnumerate(Keys)
            )) AS Tree,
            -- A log belongs to its span as if it were inside it and did nothing.
            arrayMap(t -> (if(t.1, 0, t.4), t.5, if(t.1, 0, t.6)::UInt8, has(Failed, t.4)), Tree) AS Spans
        FROM agent_spans
        GROUP BY TenantId, RunId, RunKey
    ),
    once AS
    (
        SELECT *, walked(Spans, []::Array(Tuple(UInt64, UInt8, UInt64, UInt64, UInt64, UInt64, UInt64))) AS Learnt
        FROM runs
    ),
    twice AS
    (
        SELECT
            *,
            arrayReverse(arraySlice(
                walked(if(hasAny(arrayFilter(x -> x != 0, Learnt.7), Learnt.1), Spans, []), Learnt), 1, length(Tree)
            )) AS Walked
        FROM once
    ),
    answers AS
    (
        SELECT
            *,
            arrayDistinct(arrayFilter(x -> x.2 != 0, arrayMap((w, t) -> (w.5, t.8), Walked, Tree))) AS Answers,
            arrayFilter((a, n) -> n > 1, Answers, arrayEnumerateUniq(Answers.2)) AS Again
        FROM twice
    ),
    calls AS
    (
        SELECT
            *,
            arrayMap(
                w -> if(has(Again.1, w.5), Answers.1[indexOf(Answers.2, Again.2[indexOf(Again.1, w.5)])], w.5), Walked
            ) AS Calls
        FROM answers
    ),
    blamed AS
    (
        SELECT
            *,
            arrayFilter(
                b -> b.1 != 0,
                arrayMap((w, call, t) -> (if(t.7 != 0 AND w.6 != call, w.6, 0), t.7), Walked, Calls, Tree)
            ) AS Blamed,
            arraySort(arrayMap(
                (t, w, call) -> (
                    t.9,
                    call,
                    t.4 != w.5,
                    -- These mean something of their own, also around a step that failed otherwise.
                    has(Blamed.1, call) AND (has(Blamed, (call, t.7)) OR NOT has(
                        [
                            cityHash64('max_steps'), cityHash64('guardrail_blocked'), cityHash64('budget_exceeded'),
                            cityHash64('handoff_failed')
                        ],
                        t.7
                    ))
                ),
                Tree,
                Walked,
                Calls
            )) AS Told
        FROM calls
    ),
    spans AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            TraceId,
            SpanId,
            ParentSpanId,
            IsLog,
            Timestamp,
            Duration,
            StatusCode,
            AgentName,
            StepType,
            StepName,
            StepSequence,
            Attempt,
            FailureType,
            FailureCode,
            FailureRule,
            Provider,
            Model,
            ToolName,
            FinishReason,
            InputTokens,
            OutputTokens,
            CostUsd,
            told.2 AS Call,
            told.4 AS PassedOn,
            (IsLog, told.3, Timestamp, -toInt64(Duration)) AS Rank,
            -- What is more specific than 'error' explains more; then what is deeper: it starts later, ends earlier.
            (FailureCode != 'error', NOT IsLog, Timestamp, -toInt64(Duration)) AS Depth
        FROM blamed
        ARRAY JOIN
            TraceIds AS TraceId,
            SpanIds AS SpanId,
            ParentSpanIds AS ParentSpanId,
            Logs AS IsLog,
            Timestamps AS Timestamp,
            Durations AS Duration,
            StatusCodes AS StatusCode,
            AgentNames AS AgentName,
            StepTypes AS StepType,
            StepNames AS StepName,
            StepSequences AS StepSequence,
            Attempts AS Attempt,
            FailureTypes AS FailureType,
            FailureCodes AS FailureCode,
            FailureRules AS FailureRule,
            Providers AS Provider,
            Models AS Model,
            ToolNames AS ToolName,
            FinishReasons AS FinishReason,
            Inputs AS InputTokens,
            Outputs AS OutputTokens,
            Costs AS CostUsd,
            Told AS told
    ),
    steps AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            argMin(s.TraceId, Rank) AS TraceId,
            argMin(s.SpanId, Rank) AS SpanId,
            argMin(s.ParentSpanId, Rank) AS ParentSpanId,
            nullIf(argMin(s.StepSequence, Rank), -1) AS GivenSequence,
            argMin(s.StepType, Rank) AS GivenType,
            max(s.StepType = 'respond') AS Responds,
            argMinIf(s.StepName, Rank, s.StepName != '') AS StepName,
            argMinIf(s.AgentName, Rank, s.AgentName != '') AS AgentName,
            argMinIf(s.Provider, Rank, s.Provider != '') AS Provider,
            argMinIf(s.Model, Rank, s.Model != '') AS Model,
            argMinIf(s.ToolName, Rank, s.ToolName != '') AS ToolName,
            argMinIf(s.FinishReason, Rank, s.FinishReason != '') AS FinishReason,
            nullIf(argMinIf(s.Attempt, Rank, s.Attempt >= 0), 0) AS GivenAttempt,
            argMin(s.Timestamp, Rank) AS StartTime,
            argMin(s.Duration, Rank) AS Duration,
            if(max(s.InputTokens) < 0, NULL, argMinIf(s.InputTokens, Rank, s.InputTokens >= 0))::Nullable(UInt64) AS InputTokens,
            if(max(s.OutputTokens) < 0, NULL, argMinIf(s.OutputTokens, Rank, s.OutputTokens >= 0))::Nullable(UInt64) AS OutputTokens,
            if(max(s.CostUsd) < 0, NULL, argMinIf(s.CostUsd, Rank, s.CostUsd >= 0)) AS CostUsd,
            argMaxIf(
                (s.FailureCode, s.FailureType, s.FailureRule, s.SpanId, s.Timestamp), Depth, s.FailureCode != '' AND NOT PassedOn
            ) AS Failure,
            max(s.FailureCode != '' OR s.StatusCode = 'Error') AS HasFailed
        FROM spans AS s
        GROUP BY TenantId, RunId, RunKey, Call
        HAVING countIf(NOT IsLog) > 0 AND GivenType != ''
    ),
    ordered AS
    (
        SELECT
            *,
            if(GivenType = 'respond', 'model', GivenType) AS Kind,
            if(
                HasFailed,
                0,
                row_number() OVER (PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName ORDER BY StartTime)
            ) AS Success,
            maxIf(StartTime, Kind IN ('model', 'tool', 'retrieve')) OVER (PARTITION BY TenantId, RunId, TraceId) AS LastCall,
            max(ParentSpanId = '') OVER (PARTITION BY TenantId, RunId, TraceId) AS HasRoot
        FROM steps
    )
SELECT
    TenantId,
    RunId,
    RunKey,
    TraceId,
    SpanId,
    ParentSpanId,
    ifNull(
        GivenSequence,
        row_number() OVER (PARTITION BY TenantId, RunId ORDER BY StartTime, Duration DESC)
    )::Nullable(Int32) AS StepSequence,
    multiIf(
        Kind != 'model', Kind,
        LastCall > StartTime OR HasFailed, 'model',
        Responds OR (FinishReason = 'stop' AND HasRoot AND ParentSpanId != ''), 'respond',
        'model'
    ) AS StepType,
    StepName,
    AgentName,
    Provider,
    Model,
    ToolName,
    FinishReason,
    ifNull(
        GivenAttempt,
        row_number() OVER attempts - max(Success) OVER (attempts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )::Nullable(Int32) AS Attempt,
    StartTime,
    Duration,
    HasFailed,
    Failure.1 AS FailureCode,
    multiIf(
        Failure.1 = '', '',
        Failure.2 != '', Failure.2,
        transform(Kind, ['model', 'tool', 'retrieve', 'memory'], ['model', 'tool', 'retrieval', 'retrieval'], 'orchestration')
    ) AS FailureType,
    Failure.3 AS FailureRule,
    Failure.4 AS FailedSpanId,
    Failure.5 AS FailedTime,
    max(if(HasFailed, NULL, StartTime)) OVER (PARTITION BY TenantId, RunId, Kind, StepName, ToolName) AS LastSuccess,
    InputTokens,
    OutputTokens,
    CostUsd
FROM ordered
WINDOW attempts AS (PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName ORDER BY StartTime)
