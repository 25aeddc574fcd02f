-- The steps of runs, one row a real step: spans that say the same call twice are one, whichever came first.
--
--     agent ─┬─ chat (framework) ── other ── chat (client)      one model step, at the outer span: its time, and the
--            └─ tool (client) ───── tool (server)               facts that it lacks from the spans inside it
--
-- A call (model, tool, retrieve) whose nearest ancestor that does anything (other, plan and spans that are no steps
-- don't) is of the same type is the same call; so are model spans of one run with the same ResponseId. A failure
-- belongs to the deepest step that failed; who only passed it on has none. Log records complete their span.
--
-- The fold goes through a run's spans in order of start, logs last, and lets each learn from its parent:
--   1 the span, 2 and 3 the type and the call of the nearest that does anything, itself included,
--   4 the call of the nearest that failed, itself included, 5 its own call, 6 the call above that passed its
--   failure on. It goes through them twice where a clock made a span start before its parent.
-- Spans are told apart by a hash of their ids.
CREATE OR REPLACE VIEW agent_steps_folded{on_cluster}
AS
WITH
    runs AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            groupArray(TraceId) AS TraceIds,
            groupArray(SpanId) AS SpanIds,
            groupArray(ParentSpanId) AS ParentSpanIds,
            groupArray(Timestamp) AS Timestamps,
            groupArray(Duration) AS Durations,
            groupArray(StepType) AS StepTypes,
            groupArray(ifNull(StepSequence, -1)) AS StepSequences,
            groupArray(StepName) AS StepNames,
            groupArray(AgentName) AS AgentNames,
            groupArray(Provider) AS Providers,
            groupArray(Model) AS Models,
            groupArray(ToolName) AS ToolNames,
            groupArray(FinishReason) AS FinishReasons,
            groupArray(ifNull(Attempt, 0)) AS Attempts,
            groupArray(toInt64(ifNull(InputTokens, -1))) AS InputTokenss,
            groupArray(toInt64(ifNull(OutputTokens, -1))) AS OutputTokenss,
            groupArray(ifNull(CostUsd, -1::Decimal(18, 9))) AS CostUsds,
            groupArray(FailureCode) AS FailureCodes,
            groupArray(FailureType) AS FailureTypes,
            groupArray(FailureRule) AS FailureRules,
            groupArray(StatusCode) AS StatusCodes,
            groupArray(cityHash64(TraceId, SpanId)) AS Keys,
            groupUniqArrayIf(cityHash64(TraceId, SpanId), FailureCode != '') AS Failed,
            arraySort(arrayZip(
                groupArray(IsLog),
                groupArray(Timestamp),
                groupArray(-toInt64(Duration)),
                Keys,
                groupArray(multiIf(
                    IsLog, cityHash64(TraceId, SpanId), ParentSpanId = '', 0, cityHash64(TraceId, ParentSpanId)
                )),
                groupArray(transform(
                    StepType,
                    ['other', 'plan', '', 'model', 'respond', 'tool', 'retrieve'],
                    [0, 0, 9, 1, 1, 2, 3],
                    4
                )::UInt8),
                groupArray(if(FailureCode = '', 0, cityHash64(FailureCode))),
                groupArray(if(
                    ResponseId != '' AND (IsLog OR StepType IN ('model', 'respond')), cityHash64(ResponseId), 0
                )),
                arrayEnumerate(Keys)
            )) AS Tree
        FROM agent_spans
        GROUP BY TenantId, RunId, RunKey
    ),
    nodes AS
    (
        SELECT
            *,
            -- A log belongs to its span as if it were inside it and did nothing.
            arrayMap(t -> (if(t.1, 0, t.4), t.5, if(t.1 OR t.6 = 9, 0, t.6)::UInt8, has(Failed, t.4)), Tree) AS Nodes
        FROM runs
    ),
    met AS
    (
        SELECT *, arrayFlatten(arrayMap(s -> [s.2, s.1], Nodes)) AS Met
        FROM nodes
    ),
    walks AS
    (
        SELECT
            *,
            arrayReverse(arraySlice(
                arrayFold(
                    (known, span) -> arrayMap(
                        (above, is_same) -> arrayPushFront(known, (
                            span.1,
                            if(span.3 = 0, above.2, span.3),
                            if(span.3 = 0 OR is_same, above.3, span.1),
                            if(span.4, if(is_same, above.3, span.1), above.4),
                            multiIf(span.1 = 0, above.5, is_same, above.3, span.1),
                            above.4
                        )),
                        [known[indexOf(known.1, span.2)] AS parent],
                        [span.3 BETWEEN 1 AND 3 AND parent.2 = span.3]
                    )[1],
                    if(
                        arrayExists(
                            (id, times, place) -> id != 0 AND times > 1 AND place % 2 = 0,
                            Met, arrayEnumerateUniq(Met), arrayEnumerate(Met)
                        ),
                        arrayConcat(Nodes, Nodes),
                        Nodes
                    ),
                    []::Array(Tuple(UInt64, UInt8, UInt64, UInt64, UInt64, UInt64))
                ),
                1,
                length(Tree)
            )) AS Walked
        FROM met
    ),
    answers AS
    (
        SELECT *, arrayDistinct(arrayFilter(x -> x.2 != 0, arrayMap((w, t) -> (w.5, t.8), Walked, Tree))) AS Answers
        FROM walks
    ),
    again AS
    (
        SELECT *, arrayFilter((a, n) -> n > 1, Answers, arrayEnumerateUniq(Answers.2)) AS Again
        FROM answers
    ),
    calls AS
    (
        SELECT
            *,
            arrayMap(
                w -> if(has(Again.1, w.5), Answers.1[indexOf(Answers.2, Again.2[indexOf(Again.1, w.5)])], w.5), Walked
            ) AS Calls
        FROM again
    ),
    blamed AS
    (
        SELECT
            *,
            arrayFilter(
                b -> b.1 != 0,
                arrayMap((w, call, t) -> (if(t.7 != 0 AND w.6 != call, w.6, 0), t.7), Walked, Calls, Tree)
            ) AS Blamed,
            Calls[arrayFirstIndex(t -> t.6 != 9, Tree)] AS FirstStep
        FROM calls
    ),
    told AS
    (
        SELECT
            *,
            arrayMax(t -> if(t.1 OR t.6 NOT IN (1, 2, 3), toDateTime64(0, 9), t.2), Tree) AS LastCall,
            arrayExists(t -> t.5 = 0 AND NOT t.1, Tree) AS HasRoot,
            arraySort(arrayMap(
                (t, w, call, place) -> (
                    t.9,
                    call,
                    t.1,
                    t.4 != w.5,
                    -- These mean something of their own, also around a step that failed otherwise.
                    has(Blamed.1, call) AND (has(Blamed, (call, t.7)) OR NOT has(
                        [
                            cityHash64('max_steps'), cityHash64('guardrail_blocked'), cityHash64('budget_exceeded'),
                            cityHash64('handoff_failed')
                        ],
                        t.7
                    )),
                    place
                ),
                Tree,
                Walked,
                Calls,
                arrayEnumerateDense(arrayMap((t, call) -> if(t.1 OR t.6 = 9, FirstStep, call), Tree, Calls))
            )) AS Told
        FROM blamed
    ),
    spans AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            LastCall,
            HasRoot,
            TraceId,
            SpanId,
            ParentSpanId,
            Timestamp,
            Duration,
            StepType,
            StepSequence,
            StepName,
            AgentName,
            Provider,
            Model,
            ToolName,
            FinishReason,
            Attempt,
            InputTokens,
            OutputTokens,
            CostUsd,
            FailureCode,
            FailureType,
            FailureRule,
            StatusCode,
            told.2 AS Call,
            told.3 AS IsLog,
            told.5 AS PassedOn,
            told.6 AS Place,
            (told.3, told.4, Timestamp, -toInt64(Duration)) AS Rank
        FROM told
        ARRAY JOIN
            TraceIds AS TraceId,
            SpanIds AS SpanId,
            ParentSpanIds AS ParentSpanId,
            Timestamps AS Timestamp,
            Durations AS Duration,
            StepTypes AS StepType,
            StepSequences AS StepSequence,
            StepNames AS StepName,
            AgentNames AS AgentName,
            Providers AS Provider,
            Models AS Model,
            ToolNames AS ToolName,
            FinishReasons AS FinishReason,
            Attempts AS Attempt,
            InputTokenss AS InputTokens,
            OutputTokenss AS OutputTokens,
            CostUsds AS CostUsd,
            FailureCodes AS FailureCode,
            FailureTypes AS FailureType,
            FailureRules AS FailureRule,
            StatusCodes AS StatusCode,
            Told AS told
    ),
    steps AS
    (
        SELECT
            TenantId,
            RunId,
            RunKey,
            min(s.Place) AS Place,
            any(s.LastCall) AS LastCall,
            any(s.HasRoot) AS HasRoot,
            argMin(s.TraceId, Rank) AS TraceId,
            argMin(s.SpanId, Rank) AS SpanId,
            argMin(s.ParentSpanId, Rank) AS ParentSpanId,
            argMin(s.Timestamp, Rank) AS StartTime,
            argMin(s.Duration, Rank) AS Duration,
            argMin(s.StepSequence, Rank) AS StepSequence,
            argMin(replaceOne(s.StepType, 'respond', 'model'), Rank) AS Kind,
            max(s.StepType = 'respond') AS Responds,
            argMinIf(s.StepName, Rank, s.StepName != '') AS StepName,
            argMinIf(s.AgentName, Rank, s.AgentName != '') AS AgentName,
            argMinIf(s.Provider, Rank, s.Provider != '') AS Provider,
            argMinIf(s.Model, Rank, s.Model != '') AS Model,
            argMinIf(s.ToolName, Rank, s.ToolName != '') AS ToolName,
            argMinIf(s.FinishReason, Rank, s.FinishReason != '') AS FinishReason,
            argMinIf(s.Attempt, Rank, s.Attempt > 0) AS Attempt,
            argMin(s.InputTokens, (s.InputTokens < 0, Rank)) AS InputTokens,
            argMin(s.OutputTokens, (s.OutputTokens < 0, Rank)) AS OutputTokens,
            argMin(s.CostUsd, (s.CostUsd < 0, Rank)) AS CostUsd,
            -- What is more specific than 'error' explains more; then what is deeper: it starts later, ends earlier.
            argMaxIf(
                (s.FailureCode, s.FailureType, s.FailureRule, s.SpanId, s.Timestamp),
                (s.FailureCode != 'error', NOT IsLog, s.Timestamp, -toInt64(s.Duration)),
                s.FailureCode != '' AND NOT PassedOn
            ) AS Failure,
            max(s.FailureCode != '' OR s.StatusCode = 'Error') AS HasFailed
        FROM spans AS s
        GROUP BY TenantId, RunId, RunKey, Call
        HAVING countIf(NOT IsLog AND s.StepType != '') > 0
    )
SELECT
    TenantId,
    RunId,
    RunKey,
    TraceId,
    SpanId,
    ParentSpanId,
    if(s.StepSequence < 0, Place::Int32, s.StepSequence)::Nullable(Int32) AS StepSequence,
    multiIf(
        Kind != 'model', Kind,
        Responds AND HasFailed, 'respond',  -- the agent's own word: nobody else calls a failure an answer
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
    if(
        s.Attempt > 0, s.Attempt, (1 + length(tries) - arrayLastIndex(failed -> NOT failed, tries))::Int32
    )::Nullable(Int32) AS Attempt,
    StartTime,
    Duration,
    HasFailed,
    Failure.1 AS FailureCode,
    multiIf(
        FailureCode = '', '',
        Failure.2 != '', Failure.2,
        transform(
            Kind, ['model', 'tool', 'retrieve', 'memory'], ['model', 'tool', 'retrieval', 'retrieval'], 'orchestration'
        )
    ) AS FailureType,
    Failure.3 AS FailureRule,
    Failure.4 AS FailedSpanId,
    Failure.5 AS FailedTime,
    maxIf(StartTime, NOT HasFailed) OVER (PARTITION BY TenantId, RunId, Kind, StepName, ToolName) AS LastSuccess,
    if(s.InputTokens < 0, NULL, s.InputTokens)::Nullable(UInt64) AS InputTokens,
    if(s.OutputTokens < 0, NULL, s.OutputTokens)::Nullable(UInt64) AS OutputTokens,
    if(s.CostUsd < 0, NULL, s.CostUsd) AS CostUsd
FROM
(
    SELECT
        *,
        groupArray(HasFailed) OVER (
            PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName
            ORDER BY StartTime
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS tries
    FROM steps
) AS s
