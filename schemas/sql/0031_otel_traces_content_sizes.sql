-- How large the content was that went into a step and came out of it; the content itself is never here.
ALTER TABLE otel_traces{on_cluster}
    ADD COLUMN IF NOT EXISTS InputBytes Nullable(UInt64) CODEC(ZSTD(1)) AFTER RedactedBytes,
    ADD COLUMN IF NOT EXISTS OutputBytes Nullable(UInt64) CODEC(ZSTD(1)) AFTER InputBytes
