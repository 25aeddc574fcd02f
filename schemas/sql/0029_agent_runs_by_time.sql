-- When runs were seen, so that the newest are found without reading all. Several rows a run.
CREATE TABLE IF NOT EXISTS agent_runs_by_time{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    LastSeen DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1))
)
ENGINE = {engine}
PARTITION BY toDate(LastSeen)
ORDER BY LastSeen
TTL ExpiresAt
SETTINGS
    index_granularity = 1024,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
