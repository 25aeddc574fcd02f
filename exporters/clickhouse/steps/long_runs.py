"""What a very long run comes to: summed up by the engine, as ``folding.sums`` does for the others."""

from agenttracer.schemas.failures import SOFT_CODES

SUMS_OF_RUN = """
INSERT INTO agent_runs_state (TenantId, RunId, FirstAgent, Sums, ExpiresAt)
WITH
    StepType IN ('model', 'respond') AS is_model,
    StepType NOT IN ('', 'agent', 'other') AS is_call,
    IsStep AND ParentSpanId = '' AS is_root,
    HasFailed AND FailureCode NOT IN {soft_codes} AS is_raised,
    -- Agents repeat what their calls used; what they say counts only where there is no model call.
    countIf(is_model) = 0 AS has_no_model
SELECT
    TenantId,
    RunId,
    tuple(255, toDateTime64(0, 9), '', '', '', ''),
    tuple(
        count(),
        0,
        countIf(IsStep),
        countIf(is_model),
        countIf(StepType = 'tool'),
        countIf(StepType = 'retrieve'),
        countIf(FailureCode != ''),
        ifNull(if(has_no_model, sumIf(s.InputTokens, is_call OR is_root), sumIf(s.InputTokens, is_call)), 0),
        ifNull(if(has_no_model, sumIf(s.OutputTokens, is_call OR is_root), sumIf(s.OutputTokens, is_call)), 0),
        sumIf(s.CostUsd::Nullable(Decimal(38, 9)), is_call),
        max(is_root AND is_raised),
        maxIf(
            Timestamp + toIntervalNanosecond(Duration), is_raised AND StepType NOT IN ('tool', 'retrieve', 'memory')
        ),
        maxIf(Timestamp, NOT is_raised AND is_call AND StepType != 'plan'),
        argMinIf(FailureType::String, (Timestamp, -toInt64(Duration)), FailureCode != ''),
        argMinIf(FailureCode::String, (Timestamp, -toInt64(Duration)), FailureCode != '')
    ),
    max(s.ExpiresAt)
FROM agent_step_spans AS s FINAL
WHERE TenantId = {tenant} AND RunId = {run}
GROUP BY TenantId, RunId
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0
""".replace("{soft_codes}", str(tuple(sorted(SOFT_CODES))))
