-- Steps: one row a real step, however many spans say it and in however many inserts they came.
CREATE OR REPLACE VIEW agent_steps{on_cluster}
AS
SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    ParentSpanId,
    StepSequence,
    StepType,
    StepName,
    AgentName,
    Provider,
    Model,
    ToolName,
    Attempt,
    Timestamp AS StartTime,
    Duration / 1e6 AS DurationMs,
    if(HasFailed, 'failure', 'success') AS Status,
    FailureType,
    FailureCode,
    InputTokens,
    OutputTokens,
    CostUsd
FROM agent_step_spans FINAL
WHERE IsStep
SETTINGS
    -- All versions of a row have its key, so they are in one partition, and in granules that an index finds together.
    do_not_merge_across_partitions_select_final = 1,
    use_skip_indexes_if_final_exact_mode = 0,
    -- FINAL reads all parts at once: with the usual blocks, those of a month take more than the embedded store has.
    max_block_size = 4096,
    max_read_buffer_size = 16384,
    max_read_buffer_size_local_fs = 16384
