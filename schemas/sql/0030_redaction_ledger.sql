-- The redaction ledger: how many values each policy changed in an hour, by sender, place, rule, class and action.
-- Counts and sizes, never a value. Lines of one hour are added up in the background: ask with sum(Count).
CREATE TABLE IF NOT EXISTS redaction_ledger{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(Delta, ZSTD(1)),
    PolicyHash LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Signal LowCardinality(String) CODEC(ZSTD(1)),
    Place LowCardinality(String) CODEC(ZSTD(1)),
    Rule LowCardinality(String) CODEC(ZSTD(1)),
    Class LowCardinality(String) CODEC(ZSTD(1)),
    Action LowCardinality(String) CODEC(ZSTD(1)),
    Count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    Bytes SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    ExpiresAt SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))
)
ENGINE = {aggregating_engine}
PARTITION BY toDate(ExpiresAt)
ORDER BY (TenantId, Hour, PolicyHash, ServiceName, Signal, Place, Rule, Class, Action)
TTL ExpiresAt
SETTINGS
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
