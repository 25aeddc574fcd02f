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
-- Spans are told apart by a hash of their ids. Each part of this text costs every question the time to read it, also
-- those that need no fold: what is used twice has a name of its own query, and the fold knows no more than it needs.
CREATE OR REPLACE VIEW agent_steps_folded{on_cluster}
AS
WITH
    runs AS
    (
        SELECT
            TenantId,
            RunId,
            arraySort(groupArray((
                IsLog,
                Timestamp,
                -toInt64(Duration),
                cityHash64(TraceId, SpanId),
                multiIf(IsLog, cityHash64(TraceId, SpanId), ParentSpanId = '', 0, cityHash64(TraceId, ParentSpanId)),
                transform(
                    StepType, ['other', 'plan', '', 'model', 'respond', 'tool', 'retrieve'], [0, 0, 9, 1, 1, 2, 3], 4
                )::UInt8,
                FailureCode,
                if(IsLog OR StepType IN ('model', 'respond'), ResponseId, ''),
                (
                    TraceId, SpanId, ParentSpanId, Duration, StatusCode, AgentName, StepType, StepName, StepSequence,
                    Attempt, FailureType, FailureRule, Provider, Model, ToolName, FinishReason, InputTokens,
                    OutputTokens, CostUsd
                )
            ))) AS Tree
        FROM agent_spans
        WHERE RunKey IN (SELECT RunKey FROM agent_runs_to_fold)
        GROUP BY TenantId, RunId
    ),
    nodes AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
            -- Looked up for each span, so both this and Blamed are held once for each: of no more than a thousand.
            arraySlice(arrayDistinct(arrayFilter(t -> t.7 != '', Tree).4), 1, 1000) AS Failed,
            -- A log belongs to its span as if it were inside it and did nothing.
            arrayMap(t -> (if(t.1, 0, t.4), t.5, if(t.6 = 9, 0, t.6)::UInt8, has(Failed, t.4)), Tree) AS Nodes,
            -- Each parent that is sought, behind the first span of that id; places count down. Sorted, and not looked up
            -- in a function of each span, because that would hold all spans once for each of them.
            arraySort(arrayConcat(
                arrayMap((n, place) -> (n.1, false, -toInt64(place)), Nodes, arrayEnumerate(Nodes)),
                arrayMap((n, place) -> (n.2, true, -toInt64(place)), Nodes, arrayEnumerate(Nodes))
            )) AS Sought,
            arrayFill(r -> NOT r.2, Sought) AS Found
        FROM runs
    ),
    walks AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
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
                        arrayExists((r, p) -> r.2 AND r.1 != 0 AND p.1 = r.1 AND p.3 < r.3, Sought, Found),
                        arrayConcat(Nodes, Nodes),
                        Nodes
                    ),
                    []::Array(Tuple(UInt64, UInt8, UInt64, UInt64, UInt64, UInt64))
                ),
                1,
                length(Tree)
            )) AS Walked
        FROM nodes
    ),
    answers AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
            Walked,
            arrayDistinct(arrayFilter(x -> x.2 != '', arrayZip(Walked.5, Tree.8))) AS Answers
        FROM walks
    ),
    again AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
            Walked,
            Answers,
            arrayFilter((a, n) -> n > 1, Answers, arrayEnumerateUniq(Answers.2)) AS Again
        FROM answers
    ),
    calls AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
            Walked,
            if(
                empty(Again),
                Walked.5,
                arrayMap(
                    call -> if(has(Again.1, call), Answers.1[indexOf(Answers.2, Again.2[indexOf(Again.1, call)])], call),
                    Walked.5
                )
            ) AS Calls
        FROM again
    ),
    blamed AS
    (
        SELECT
            TenantId,
            RunId,
            Tree,
            Walked,
            Calls,
            Calls[arrayFirstIndex(kind -> kind != 9, Tree.6)] AS FirstStep,
            arraySlice(arrayDistinct(arrayFilter(
                b -> b.1 != 0,
                arrayMap((above, call, code) -> (if(code != '' AND above != call, above, 0), code), Walked.6, Calls, Tree.7)
            )), 1, 1000) AS Blamed
        FROM calls
    ),
    told AS
    (
        SELECT
            TenantId,
            RunId,
            (arrayMax(arrayFilter(t -> t.6 IN (1, 2, 3), Tree).2), has(Tree.5, 0)) AS Run,
            arrayJoin(arrayMap(
                (t, own, call, place, number) -> (
                    t,
                    call,
                    place,
                    (t.1, t.4 != own, number),
                    -- These mean something of their own, also around a step that failed otherwise.
                    has(Blamed.1, call) AND (
                        has(Blamed, (call, t.7))
                        OR t.7 NOT IN ('max_steps', 'guardrail_blocked', 'budget_exceeded', 'handoff_failed')
                    )
                ),
                Tree,
                Walked.5,
                Calls,
                arrayEnumerateDense(arrayMap((kind, call) -> if(kind = 9, FirstStep, call), Tree.6, Calls)),
                arrayEnumerate(Tree)
            )) AS Told
        FROM blamed
    ),
    spans AS
    (
        SELECT
            TenantId,
            RunId,
            Run,
            Told.1 AS Node,
            Told.2 AS Call,
            Told.3 AS Nth,
            Told.4 AS Rank,
            Told.5 AS PassedOn,
            Node.9 AS Span,
            Node.7 AS FailureCode,
            Span.7 AS StepType
        FROM told
    ),
    steps AS
    (
        SELECT
            TenantId,
            RunId,
            Call,
            any(Run) AS Run,
            min(Nth) AS Place,
            argMin((Span.1, Span.2, Span.3, Node.2, Span.4, Span.9, StepType), Rank) AS Outer,
            -- Empty ones come last.
            minForEach(arrayMap(
                fact -> (fact = '', Rank, fact), [Span.8, Span.6, Span.13, Span.14, Span.15, Span.16]
            )) AS Facts,
            minForEach(arrayMap(
                count -> (count IS NULL, Rank, count), [Span.10, Span.17, Span.18]::Array(Nullable(Int64))
            )) AS Counts,
            min((Span.19 IS NULL, Rank, Span.19)) AS Cost,
            -- What is more specific than 'error' explains more; then what is deeper: it starts later, ends earlier.
            argMaxIf(
                (FailureCode, Span.11, Span.12, Span.2, Node.2),
                (FailureCode != 'error', NOT Node.1, Rank.3),
                FailureCode != '' AND NOT PassedOn
            ) AS Failure,
            max(FailureCode != '' OR Span.5 = 'Error') AS HasFailed,
            max(StepType = 'respond') AS Responds
        FROM spans
        GROUP BY TenantId, RunId, Call
        HAVING max(StepType != '')
    ),
    facts AS
    (
        SELECT
            TenantId,
            RunId,
            Run,
            Place,
            Outer,
            replaceOne(tupleElement(Outer, 7), 'respond', 'model') AS Kind,
            tupleElement(Outer, 3) AS ParentSpanId,
            tupleElement(Outer, 4) AS StartTime,
            Facts.3 AS Texts,
            Texts[1] AS StepName,
            Texts[5] AS ToolName,
            Counts.3 AS Numbers,
            Cost.3 AS CostUsd,
            Failure,
            Failure.1 AS FailureCode,
            HasFailed,
            Responds
        FROM steps
    ),
    tries AS
    (
        SELECT
            *,
            groupArray(HasFailed) OVER (
                PARTITION BY TenantId, RunId, ParentSpanId, Kind, StepName, ToolName
                ORDER BY StartTime
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS Tries
        FROM facts
    )
SELECT
    TenantId,
    RunId,
    tupleElement(Outer, 1) AS TraceId,
    tupleElement(Outer, 2) AS SpanId,
    ParentSpanId,
    ifNull(tupleElement(Outer, 6), Place)::Nullable(Int32) AS StepSequence,
    multiIf(
        Kind != 'model', Kind,
        Responds AND HasFailed, 'respond',  -- the agent's own word: nobody else calls a failure an answer
        Run.1 > StartTime OR HasFailed, 'model',
        Responds OR (Texts[6] = 'stop' AND Run.2 AND ParentSpanId != ''), 'respond',
        'model'
    ) AS StepType,
    StepName,
    Texts[2] AS AgentName,
    Texts[3] AS Provider,
    Texts[4] AS Model,
    ToolName,
    Texts[6] AS FinishReason,
    ifNull(Numbers[1], 1 + length(Tries) - arrayLastIndex(failed -> NOT failed, Tries))::Nullable(Int32) AS Attempt,
    StartTime,
    tupleElement(Outer, 5) AS Duration,
    HasFailed,
    FailureCode,
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
    Numbers[2]::Nullable(UInt64) AS InputTokens,
    Numbers[3]::Nullable(UInt64) AS OutputTokens,
    CostUsd
FROM tries
