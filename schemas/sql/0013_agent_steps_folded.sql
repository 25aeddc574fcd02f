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
            arraySort(groupArray((
                IsLog, Timestamp, -toInt64(Duration), cityHash64(TraceId, SpanId), TraceId, SpanId, ParentSpanId,
                Duration, StatusCode, AgentName, StepType, StepName, FailureType, FailureCode, FailureRule, Provider,
                Model, ToolName, FinishReason, ResponseId, StepSequence, Attempt, InputTokens, OutputTokens, CostUsd
            ))) AS Rows,
            groupUniqArrayIf(cityHash64(TraceId, SpanId), FailureCode != '') AS Failed,
            arrayMap(
                r -> (
                    if(r.1, 0, r.4),
                    multiIf(r.1, r.4, r.7 = '', 0, cityHash64(r.5, r.7)),
                    -- A log belongs to the span as if it were inside it and did nothing.
                    if(r.1, 0, transform(
                        r.11, ['', 'other', 'plan', 'model', 'respond', 'tool', 'retrieve'], [0, 0, 0, 1, 1, 2, 3], 4
                    )::UInt8),
                    has(Failed, r.4)
                ),
                Rows
            ) AS Spans
        FROM agent_spans
        GROUP BY TenantId, RunId
    ),
    once AS
    (
        SELECT
            TenantId,
            RunId,
            Rows,
            Spans,
            walked(Spans, []::Array(Tuple(UInt64, UInt8, UInt64, UInt64, UInt64, UInt64, UInt64))) AS Learnt
        FROM runs
    ),
    twice AS
    (
        SELECT
            TenantId,
            RunId,
            Rows,
            arrayReverse(arraySlice(
                walked(if(hasAny(arrayFilter(x -> x != 0, Learnt.7), Learnt.1), Spans, []), Learnt), 1, length(Rows)
            )) AS Walked
        FROM once
    ),
    answered AS
    (
        SELECT
            *,
            arrayDistinct(arrayMap(
                (w, r) -> (w.5, r.20),
                arrayFilter((w, r) -> r.20 != '' AND (r.1 OR r.11 IN ('model', 'respond')), Walked, Rows),
                arrayFilter((r, w) -> r.20 != '' AND (r.1 OR r.11 IN ('model', 'respond')), Rows, Walked)
            )) AS Answers,
            arrayFilter((a, n) -> n > 1, Answers, arrayEnumerateUniq(Answers.2)) AS Again,
            arrayMap(a -> Answers.1[indexOf(Answers.2, a.2)], Again) AS First,
            arrayMap(w -> if(has(Again.1, w.5), First[indexOf(Again.1, w.5)], w.5), Walked) AS Calls
        FROM twice
    ),
    blamed AS
    (
        SELECT
            *,
            arrayFilter(
                b -> b.1 != 0,
                arrayMap((w, call, r) -> (if(r.14 != '' AND w.6 != call, w.6, 0), r.14), Walked, Calls, Rows)
            ) AS Blamed
        FROM answered
    ),
    spans AS
    (
        SELECT
            TenantId,
            RunId,
            r.1 AS IsLog, r.2 AS Timestamp, r.5 AS TraceId, r.6 AS SpanId, r.7 AS ParentSpanId, r.8 AS Duration,
            r.9 AS StatusCode, r.10 AS AgentName, r.11 AS StepType, r.12 AS StepName, r.13 AS FailureType,
            r.14 AS FailureCode, r.15 AS FailureRule, r.16 AS Provider, r.17 AS Model, r.18 AS ToolName,
            r.19 AS FinishReason, r.21 AS StepSequence, r.22 AS Attempt, r.23 AS InputTokens, r.24 AS OutputTokens,
            r.25 AS CostUsd,
            call AS Call,
            (r.1, r.4 != w.5, r.2, r.3) AS Rank,
            -- What is more specific than 'error' explains more; then what is deeper: it starts later, ends earlier.
            (r.14 != 'error', NOT r.1, r.2, r.3) AS Depth,
            -- These mean something of their own, also around a step that failed otherwise.
            has(Blamed.1, call) AND (
                has(Blamed, (call, r.14))
                OR r.14 NOT IN ('max_steps', 'guardrail_blocked', 'budget_exceeded', 'handoff_failed')
            ) AS PassedOn
        FROM blamed
        ARRAY JOIN Rows AS r, Walked AS w, Calls AS call
    ),
    steps AS
    (
        SELECT
            TenantId,
            RunId,
            argMin(s.TraceId, Rank) AS TraceId,
            argMin(s.SpanId, Rank) AS SpanId,
            argMin(s.ParentSpanId, Rank) AS ParentSpanId,
            argMin(s.StepSequence, Rank) AS GivenSequence,
            argMin(s.StepType, Rank) AS GivenType,
            max(s.StepType = 'respond') AS Responds,
            argMinIf(s.StepName, Rank, s.StepName != '') AS StepName,
            argMinIf(s.AgentName, Rank, s.AgentName != '') AS AgentName,
            argMinIf(s.Provider, Rank, s.Provider != '') AS Provider,
            argMinIf(s.Model, Rank, s.Model != '') AS Model,
            argMinIf(s.ToolName, Rank, s.ToolName != '') AS ToolName,
            argMinIf(s.FinishReason, Rank, s.FinishReason != '') AS FinishReason,
            argMinIf(s.Attempt, Rank, s.Attempt IS NOT NULL) AS GivenAttempt,
            argMin(s.Timestamp, Rank) AS StartTime,
            argMin(s.Duration, Rank) AS Duration,
            argMinIf(s.InputTokens, Rank, s.InputTokens IS NOT NULL) AS InputTokens,
            argMinIf(s.OutputTokens, Rank, s.OutputTokens IS NOT NULL) AS OutputTokens,
            argMinIf(s.CostUsd, Rank, s.CostUsd IS NOT NULL) AS CostUsd,
            argMaxIf(
                (s.FailureCode, s.FailureType, s.FailureRule, s.SpanId, s.Timestamp), Depth, s.FailureCode != '' AND NOT PassedOn
            ) AS Failure,
            max(s.FailureCode != '' OR s.StatusCode = 'Error') AS HasFailed
        FROM spans AS s
        GROUP BY TenantId, RunId, Call
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
