-- Feeds agent_runs_to_fold from what one insert brings of a run: everything but whole runs whose calls stand alone.
-- In a materialized view, agent_spans is the rows of the insert, also where it is joined.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_runs_to_fold_mv{on_cluster}
TO agent_runs_to_fold
AS
WITH
    StepType IN ('model', 'respond', 'tool', 'retrieve') AS is_call,
    replaceOne(StepType, 'respond', 'model') AS kind
SELECT
    TenantId,
    RunId,
    min(Timestamp) AS Timestamp,
    max(ExpiresAt) AS ExpiresAt
FROM agent_spans AS s
LEFT ANY JOIN
(
    SELECT TraceId, SpanId, ParentSpanId AS ParentSpanId1, replaceOne(StepType, 'respond', 'model') AS kind1
    FROM agent_spans
    WHERE NOT IsLog
) AS p ON s.TraceId = p.TraceId AND s.ParentSpanId = p.SpanId
LEFT ANY JOIN
(
    SELECT TraceId, SpanId, ParentSpanId AS ParentSpanId2, replaceOne(StepType, 'respond', 'model') AS kind2
    FROM agent_spans
    WHERE NOT IsLog
) AS g ON s.TraceId = g.TraceId AND p.ParentSpanId1 = g.SpanId
GROUP BY TenantId, RunId
HAVING
    max(IsLog OR (Place = 0 AND StepType != ''))
    -- a step around others may have passed a failure on; an error that is no failure may have been noticed elsewhere
    OR countIf(FailureCode != '') > 1 AND max(FailureCode != '' AND NOT is_call)
    -- its parent is not here, or it may be the other telling of a call in another trace
    OR max(ParentSpanId != '' AND p.SpanId = '' OR ParentSpanId = '' AND is_call AND s.TraceId != RunId)
    -- inside a call of its type, or it would take a longer way up to tell
    OR max(is_call AND (
        kind = kind1 OR kind1 IN ('', 'other', 'plan') AND ParentSpanId1 != '' AND (
            kind = kind2 OR kind2 IN ('', 'other', 'plan') AND ParentSpanId2 != ''
        )
    ))
    -- only the agent knows the tokens
    OR countIf(kind = 'model') = 0 AND max(ifNull(InputTokens, 0) + ifNull(OutputTokens, 0)) > 0
    OR countIf(ResponseId != '' AND kind = 'model') != uniqExactIf(ResponseId, ResponseId != '' AND kind = 'model')
    -- the last call is the answer
    OR maxIf(s.Timestamp, StepType = 'respond') < maxIf(s.Timestamp, is_call AND (StepType != 'respond' OR FinishReason = 'stop'))
        AND (countIf(StepType = 'respond') > 0 OR argMaxIf(FinishReason, s.Timestamp, is_call) = 'stop')
