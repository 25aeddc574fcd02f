-- Feeds otel_traces_trace_id_ts.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv{on_cluster}
TO otel_traces_trace_id_ts
AS SELECT
    TraceId,
    min(Timestamp) AS Start,
    max(Timestamp) AS End,
    max(ExpiresAt) AS ExpiresAt
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId
