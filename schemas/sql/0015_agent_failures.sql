-- Failures: one row for each step that failed of itself, the deepest. It recovered if a later try of the same step of
-- the same run did not fail.
CREATE OR REPLACE VIEW agent_failures{on_cluster}
AS
SELECT
    TenantId,
    RunId,
    TraceId,
    SpanId,
    StepType,
    StepName,
    AgentName,
    FailureType,
    FailureCode,
    FailureRule AS Rule,
    Attempt,
    Recovered,
    Timestamp AS Time
FROM agent_step_spans FINAL
WHERE FailureCode != ''
SETTINGS
    -- All versions of a row have its key, so they are in one partition, and in granules that an index finds together.
    do_not_merge_across_partitions_select_final = 1,
    use_skip_indexes_if_final_exact_mode = 0,
    -- FINAL reads all parts at once: with the usual blocks, those of a month take more than the embedded store has.
    max_block_size = 4096,
    max_read_buffer_size = 16384,
    max_read_buffer_size_local_fs = 16384
