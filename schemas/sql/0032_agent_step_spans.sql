-- What the agent_* views read: one row a span of a run, run by run, and one a log record that says something about a
-- span (IsLog), which is the span's by TraceId and SpanId. Own… is what the row says of itself. The others are true of
-- the step that it stands for: spans that say the same call twice are one step, IsStep, with the facts of them all.
--
-- The exporter folds the rows of a run as they come, and writes again what the new ones change. Spans is how many rows
-- of the run were known by then: of two versions of a row, the one that knew more is the row.
CREATE TABLE IF NOT EXISTS agent_step_spans{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    IsLog Bool CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    OwnStatusCode LowCardinality(String) CODEC(ZSTD(1)),
    OwnAgentName LowCardinality(String) CODEC(ZSTD(1)),
    OwnStepType LowCardinality(String) CODEC(ZSTD(1)),
    OwnStepName LowCardinality(String) CODEC(ZSTD(1)),
    OwnStepSequence Nullable(Int32) CODEC(ZSTD(1)),
    OwnAttempt Nullable(Int32) CODEC(ZSTD(1)),
    OwnFailureType LowCardinality(String) CODEC(ZSTD(1)),
    OwnFailureCode LowCardinality(String) CODEC(ZSTD(1)),
    OwnFailureRule LowCardinality(String) CODEC(ZSTD(1)),
    OwnProvider LowCardinality(String) CODEC(ZSTD(1)),
    OwnModel LowCardinality(String) CODEC(ZSTD(1)),
    OwnToolName LowCardinality(String) CODEC(ZSTD(1)),
    OwnFinishReason LowCardinality(String) CODEC(ZSTD(1)),
    OwnResponseId String CODEC(ZSTD(1)),
    OwnInputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OwnOutputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OwnCostUsd Nullable(Decimal(18, 9)) CODEC(ZSTD(1)),
    IsStep Bool CODEC(ZSTD(1)),
    StepSequence Int32 CODEC(ZSTD(1)),
    StepType LowCardinality(String) CODEC(ZSTD(1)),
    StepName LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    ToolName LowCardinality(String) CODEC(ZSTD(1)),
    FinishReason LowCardinality(String) CODEC(ZSTD(1)),
    Attempt Int32 CODEC(ZSTD(1)),
    HasFailed Bool CODEC(ZSTD(1)),
    FailureType LowCardinality(String) CODEC(ZSTD(1)),
    FailureCode LowCardinality(String) CODEC(ZSTD(1)),
    FailureRule LowCardinality(String) CODEC(ZSTD(1)),
    Recovered Bool CODEC(ZSTD(1)),
    InputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OutputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CostUsd Nullable(Decimal(18, 9)) CODEC(ZSTD(1)),
    Spans UInt64 CODEC(ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1)),
    -- Records about one span at one time are told apart by what they say.
    LogKey UInt64 MATERIALIZED if(
        IsLog, cityHash64(OwnFailureCode, OwnModel, OwnFinishReason, OwnResponseId, ifNull(OwnInputTokens, 0)), 0
    ) CODEC(ZSTD(1)),
    -- Of what is the same in all versions of a row: an index over other columns would find one that is out of date. An
    -- agent's name is filled in at most.
    INDEX idx_run_id RunId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_agent_name AgentName TYPE set(64) GRANULARITY 1
)
ENGINE = {replacing_engine:Spans}
PARTITION BY toDate(Timestamp)
PRIMARY KEY (TenantId, RunId, Timestamp)
ORDER BY (TenantId, RunId, Timestamp, TraceId, SpanId, LogKey)
TTL ExpiresAt
SETTINGS
    index_granularity = 4096,
    min_bytes_for_wide_part = 104857600,
    -- A day that is over becomes one part, in which there is nothing left to replace.
    min_age_to_force_merge_seconds = 7200,
    min_age_to_force_merge_on_partition_only = 1,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
