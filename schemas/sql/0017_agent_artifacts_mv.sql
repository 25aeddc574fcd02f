-- Feeds agent_artifacts from the log events that announce them.
CREATE MATERIALIZED VIEW IF NOT EXISTS agent_artifacts_mv{on_cluster}
TO agent_artifacts
AS SELECT
    TenantId,
    RunId,
    AgentName,
    LogAttributes['agent.artifact.name'] AS Name,
    LogAttributes['agent.artifact.key'] AS Key,
    LogAttributes['agent.artifact.sha256'] AS Sha256,
    toUInt64OrZero(LogAttributes['agent.artifact.size_bytes']) AS SizeBytes,
    LogAttributes['agent.artifact.content_type'] AS ContentType,
    LogAttributes['agent.artifact.meta'] AS Meta,
    TraceId,
    SpanId,
    Timestamp,
    ExpiresAt
FROM otel_logs
WHERE EventName = 'agent.artifact'
