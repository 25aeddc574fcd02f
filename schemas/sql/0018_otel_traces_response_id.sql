-- The id of a model's answer: two spans with the same one are one call.
ALTER TABLE otel_traces{on_cluster}
    ADD COLUMN IF NOT EXISTS ResponseId String CODEC(ZSTD(1)) AFTER FinishReason
