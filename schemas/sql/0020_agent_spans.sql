-- What the agent_* views read: the narrow columns of every span of a run, run by run; and of log records that say
-- something about a span (IsLog), which is theirs by TraceId and SpanId.
--
-- What is told of a step by the others of its run is told by those that came in the same insert: Place, its order of
-- start; Try, how often it was tried, counted from the last time that it went well; IsRepaired, a failure after which
-- a later try went well. RunKey, a hash of TenantId and RunId, is what runs are looked up by the million.
CREATE TABLE IF NOT EXISTS agent_spans{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RunKey UInt64 DEFAULT cityHash64(TenantId, RunId) CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    IsLog Bool CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    StepType LowCardinality(String) CODEC(ZSTD(1)),
    StepName LowCardinality(String) CODEC(ZSTD(1)),
    StepSequence Nullable(Int32) CODEC(ZSTD(1)),
    Place UInt32 CODEC(ZSTD(1)),
    Attempt Nullable(Int32) CODEC(ZSTD(1)),
    Try UInt32 CODEC(ZSTD(1)),
    IsRepaired Bool CODEC(ZSTD(1)),
    FailureType LowCardinality(String) CODEC(ZSTD(1)),
    FailureCode LowCardinality(String) CODEC(ZSTD(1)),
    FailureRule LowCardinality(String) CODEC(ZSTD(1)),
    Operation LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    ToolName LowCardinality(String) CODEC(ZSTD(1)),
    FinishReason LowCardinality(String) CODEC(ZSTD(1)),
    ResponseId String CODEC(ZSTD(1)),
    InputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OutputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(UInt64) CODEC(ZSTD(1)),
    ReasoningTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CostUsd Nullable(Decimal(18, 9)) CODEC(ZSTD(1)),
    PriceVersion LowCardinality(String) CODEC(ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1)),
    INDEX idx_run_id RunId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_agent_name AgentName TYPE set(64) GRANULARITY 1
)
ENGINE = {engine}
PARTITION BY toDate(Timestamp)
ORDER BY (TenantId, RunId, Timestamp)
TTL ExpiresAt
SETTINGS
    index_granularity = 4096,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
