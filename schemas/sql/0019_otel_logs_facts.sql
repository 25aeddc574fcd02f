-- What exceptions and GenAI events that come as log records say about the span that they belong to.
ALTER TABLE otel_logs{on_cluster}
    ADD COLUMN IF NOT EXISTS FailureType LowCardinality(String) CODEC(ZSTD(1)) AFTER AgentVersion,
    ADD COLUMN IF NOT EXISTS FailureCode LowCardinality(String) CODEC(ZSTD(1)) AFTER FailureType,
    ADD COLUMN IF NOT EXISTS FailureRule LowCardinality(String) CODEC(ZSTD(1)) AFTER FailureCode,
    ADD COLUMN IF NOT EXISTS Operation LowCardinality(String) CODEC(ZSTD(1)) AFTER FailureRule,
    ADD COLUMN IF NOT EXISTS Provider LowCardinality(String) CODEC(ZSTD(1)) AFTER Operation,
    ADD COLUMN IF NOT EXISTS Model LowCardinality(String) CODEC(ZSTD(1)) AFTER Provider,
    ADD COLUMN IF NOT EXISTS FinishReason LowCardinality(String) CODEC(ZSTD(1)) AFTER Model,
    ADD COLUMN IF NOT EXISTS ResponseId String CODEC(ZSTD(1)) AFTER FinishReason,
    ADD COLUMN IF NOT EXISTS InputTokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER ResponseId,
    ADD COLUMN IF NOT EXISTS OutputTokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER InputTokens,
    ADD COLUMN IF NOT EXISTS CacheReadTokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER OutputTokens,
    ADD COLUMN IF NOT EXISTS CacheWriteTokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER CacheReadTokens,
    ADD COLUMN IF NOT EXISTS ReasoningTokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER CacheWriteTokens
