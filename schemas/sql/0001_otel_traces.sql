-- Spans: the columns, indexes and order of the Collector's ClickHouse exporter; what agents need is behind them.
--
-- The settings, here and in the other tables:
--   min_bytes_for_wide_part              a file a part, not a hundred, until a merge makes it large: a third of the CPU
--   non_replicated_deduplication_window  how many inserts a retry may come after and still be known by its token, in
--                                        tables and behind views alike; replicated tables keep it for so many seconds
--   fsync_*                              an insert that was acknowledged is on the disk
--   ttl_only_drop_parts                  stays off: a row goes when its own ExpiresAt has passed. A part whose rows
--                                        all have is dropped at once, others are rewritten every merge_with_ttl_timeout
CREATE TABLE IF NOT EXISTS otel_traces{on_cluster}
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RunStatus LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    AgentVersion LowCardinality(String) CODEC(ZSTD(1)),
    StepType LowCardinality(String) CODEC(ZSTD(1)),
    StepName LowCardinality(String) CODEC(ZSTD(1)),
    StepSequence Nullable(Int32) CODEC(ZSTD(1)),
    Attempt Nullable(Int32) CODEC(ZSTD(1)),
    FailureType LowCardinality(String) CODEC(ZSTD(1)),
    FailureCode LowCardinality(String) CODEC(ZSTD(1)),
    FailureRule LowCardinality(String) CODEC(ZSTD(1)),
    Operation LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    ToolName LowCardinality(String) CODEC(ZSTD(1)),
    ConversationId String CODEC(ZSTD(1)),
    UserHash String CODEC(ZSTD(1)),
    FinishReason LowCardinality(String) CODEC(ZSTD(1)),
    InputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OutputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(UInt64) CODEC(ZSTD(1)),
    ReasoningTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CostUsd Nullable(Decimal(18, 9)) CODEC(ZSTD(1)),
    PriceVersion LowCardinality(String) CODEC(ZSTD(1)),
    PolicyHash LowCardinality(String) CODEC(ZSTD(1)),
    RedactedCount UInt32 CODEC(ZSTD(1)),
    RedactedBytes UInt64 CODEC(ZSTD(1)),
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    ExpiresAt DateTime CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_run_id RunId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_agent (TenantId, AgentName) TYPE set(64) GRANULARITY 1,
    INDEX idx_failure_code FailureCode TYPE set(32) GRANULARITY 1
)
ENGINE = {engine}
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
TTL ExpiresAt
SETTINGS
    index_granularity = 8192,
    min_bytes_for_wide_part = 104857600,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window_seconds = 604800,
    fsync_after_insert = 1,
    fsync_part_directory = 1
