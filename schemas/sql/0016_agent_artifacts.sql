-- Artifacts: where the bytes rest that a run produced, and what they are. The bytes themselves are elsewhere.
CREATE TABLE IF NOT EXISTS agent_artifacts{on_cluster}
(
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Key String CODEC(ZSTD(1)),
    Sha256 String CODEC(ZSTD(1)),
    SizeBytes UInt64 CODEC(ZSTD(1)),
    ContentType LowCardinality(String) CODEC(ZSTD(1)),
    Meta String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1))
)
ENGINE = {engine}
PARTITION BY toDate(Timestamp)
ORDER BY (TenantId, RunId, Name, Timestamp)
TTL ExpiresAt
SETTINGS
    index_granularity = 8192,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
