-- Runs in the making: one row for each insert that a run's spans or events came in, merged in the background.
-- In the tuples the smallest (or largest) wins whole, so that its parts belong together; Rank comes first.
-- Partitions follow the expiry, which is the key's own maximum, so that whole partitions expire.
CREATE TABLE IF NOT EXISTS agent_runs_state{on_cluster}
(
    TenantId LowCardinality(String),
    RunId String CODEC(ZSTD(1)),
    Identity SimpleAggregateFunction(min, Tuple(
        Rank UInt8,
        AgentName String,
        AgentVersion String,
        ServiceName String,
        TraceId String
    )) CODEC(ZSTD(1)),
    State SimpleAggregateFunction(max, Tuple(
        Rank UInt8,
        Time DateTime64(9),
        Status String
    )) CODEC(ZSTD(1)),
    QueuedTime SimpleAggregateFunction(min, Nullable(DateTime64(9))) CODEC(ZSTD(1)),
    StartTime SimpleAggregateFunction(min, Nullable(DateTime64(9))) CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1)),
    Steps SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    ModelCalls SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    ToolCalls SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Retrievals SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Failures SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    InputTokens SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    OutputTokens SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    CostUsd SimpleAggregateFunction(sum, Nullable(Decimal(38, 9))) CODEC(ZSTD(1)),
    FirstFailure SimpleAggregateFunction(min, Tuple(
        Rank UInt8,
        Time DateTime64(9),
        FailureType String,
        FailureCode String
    )) CODEC(ZSTD(1)),
    ExpiresAt SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))
)
ENGINE = {aggregating_engine}
PARTITION BY toDate(ExpiresAt)
ORDER BY (TenantId, RunId)
TTL ExpiresAt
SETTINGS
    index_granularity = 1024,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
