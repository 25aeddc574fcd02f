"""The columns of a log record, each declared once. Its body is an attribute at ``Place.BODY``."""

import pyarrow as pa

from agenttracer.schemas.columns import AGENT_NAME, ID, LABEL, MODEL_NAME, NAME, SAFE, STRINGS, TIME, column

DECODED_LOGS = pa.schema(
    [
        column("Resource", pa.int32(), SAFE, "row of the resources table"),
        column("Scope", pa.int32(), SAFE, "row of the scopes table"),
        column("Timestamp", TIME, SAFE, "LogRecord.time_unix_nano, else observed_time_unix_nano"),
        column("TraceId", pa.string(), ID, "LogRecord.trace_id, lower-case hex"),
        column("SpanId", pa.string(), ID, "LogRecord.span_id, lower-case hex"),
        column("TraceFlags", pa.uint8(), SAFE, "the low byte of LogRecord.flags"),
        column("SeverityText", pa.string(), LABEL, "LogRecord.severity_text"),
        column("SeverityNumber", pa.uint8(), SAFE, "LogRecord.severity_number"),
        column("EventName", pa.string(), LABEL, "LogRecord.event_name"),
        column("DroppedAttributesCount", pa.uint32(), SAFE, "LogRecord.dropped_attributes_count"),
    ]
)
"""A log record as it was decoded."""

TYPED = pa.schema(
    [
        column("RunId", pa.string(), NAME, "agent.run.id, else the trace id"),
        column("AgentName", pa.string(), AGENT_NAME, "gen_ai.agent.name"),
        column("AgentVersion", pa.string(), LABEL, "gen_ai.agent.version, else service.version"),
        column("FailureType", STRINGS, SAFE, "classify: of an exception, or of an answer that is none"),
        column("FailureCode", STRINGS, SAFE, "classify"),
        column("FailureRule", STRINGS, SAFE, "classify: the rule that decided"),
        column("Operation", pa.string(), LABEL, "gen_ai.operation.name"),
        column("Provider", pa.string(), LABEL, "gen_ai.provider.name"),
        column("Model", pa.string(), MODEL_NAME, "gen_ai.response.model, else gen_ai.request.model"),
        column(
            "FinishReason", pa.string(), LABEL, "gen_ai.response.finish_reasons, or finish_reason of the body"
        ),
        column("ResponseId", pa.string(), LABEL, "gen_ai.response.id"),
        column(
            "InputTokens", pa.uint64(), SAFE, "gen_ai.usage.input_tokens, cached ones included", "{token}"
        ),
        column("OutputTokens", pa.uint64(), SAFE, "gen_ai.usage.output_tokens", "{token}"),
        column("CacheReadTokens", pa.uint64(), SAFE, "gen_ai.usage.cache_read.input_tokens", "{token}"),
        column("CacheWriteTokens", pa.uint64(), SAFE, "gen_ai.usage.cache_write.input_tokens", "{token}"),
        column("ReasoningTokens", pa.uint64(), SAFE, "gen_ai.usage.reasoning.output_tokens", "{token}"),
        column("PolicyHash", STRINGS, SAFE, "redaction: the policy that the row passed"),
        column("RedactedCount", pa.uint32(), SAFE, "redaction: values dropped, masked or hashed"),
        column("RedactedBytes", pa.uint64(), SAFE, "redaction: size of what was dropped", "By"),
    ]
)
"""What the processors add to a log record."""

LOGS = pa.unify_schemas([DECODED_LOGS, TYPED])
