-- Runs whose spans must be looked at together to know their steps, see agent_steps_folded: the parts of a run that
-- came in several inserts, calls that may be said twice, failures that may be one, facts from log records. The steps of
-- all other runs are their spans. Several rows a run.
CREATE TABLE IF NOT EXISTS agent_runs_to_fold{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RunKey UInt64 DEFAULT cityHash64(TenantId, RunId) CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1))
)
ENGINE = {engine}
PARTITION BY toDate(Timestamp)
ORDER BY (TenantId, RunId)
TTL ExpiresAt
SETTINGS
    index_granularity = 1024,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
