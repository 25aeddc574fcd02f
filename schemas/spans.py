"""The columns of a span, each declared once: what it may carry, where it comes from, its unit.

Names and meanings are the Collector's ClickHouse exporter's; what agents need stands behind them.
"""

import pyarrow as pa

from agenttracer.schemas.columns import (
    AGENT_NAME,
    HASHED,
    ID,
    LABEL,
    MODEL_NAME,
    NAME,
    SAFE,
    STEP_NAME,
    STRINGS,
    TEXT,
    TIME,
    TOOL_NAME,
    column,
)

DECODED_SPANS = pa.schema(
    [
        column("Resource", pa.int32(), SAFE, "row of the resources table"),
        column("Scope", pa.int32(), SAFE, "row of the scopes table"),
        column("Timestamp", TIME, SAFE, "Span.start_time_unix_nano"),
        column("TraceId", pa.string(), ID, "Span.trace_id, lower-case hex"),
        column("SpanId", pa.string(), ID, "Span.span_id, lower-case hex"),
        column("ParentSpanId", pa.string(), ID, "Span.parent_span_id, empty at a root"),
        column("TraceState", pa.string(), TEXT, "Span.trace_state"),
        column("SpanName", pa.string(), TEXT, "Span.name; rewritten from allowed parts"),
        column("SpanKind", STRINGS, SAFE, "Span.kind: Internal, Server, Client, Producer, Consumer"),
        column("Duration", pa.uint64(), SAFE, "Span.end_time_unix_nano - start", "ns"),
        column("StatusCode", STRINGS, SAFE, "Status.code: Unset, Ok, Error"),
        column("StatusMessage", pa.string(), TEXT, "Status.message"),
        column("Flags", pa.uint32(), SAFE, "Span.flags"),
        column("DroppedAttributesCount", pa.uint32(), SAFE, "Span.dropped_attributes_count"),
        column("DroppedEventsCount", pa.uint32(), SAFE, "Span.dropped_events_count"),
        column("DroppedLinksCount", pa.uint32(), SAFE, "Span.dropped_links_count"),
    ]
)
"""A span as it was decoded."""

TYPED = pa.schema(
    [
        column("RunId", pa.string(), NAME, "agent.run.id, else the trace id"),
        column("RunStatus", STRINGS, SAFE, "agent.run.status, on roots"),
        column("AgentName", pa.string(), AGENT_NAME, "gen_ai.agent.name"),
        column("AgentVersion", pa.string(), LABEL, "gen_ai.agent.version, else service.version"),
        column(
            "StepType", STRINGS, SAFE, "classify: plan, retrieve, model, tool, respond, ...; empty: no step"
        ),
        column("StepName", pa.string(), STEP_NAME, "agent.step.name"),
        column("StepSequence", pa.int32(), SAFE, "agent.step.sequence"),
        column("Attempt", pa.int32(), SAFE, "agent.step.attempt, from 1"),
        column("FailureType", STRINGS, SAFE, "classify"),
        column("FailureCode", STRINGS, SAFE, "classify"),
        column("FailureRule", STRINGS, SAFE, "classify: the rule that decided"),
        column("Operation", pa.string(), LABEL, "gen_ai.operation.name"),
        column("Provider", pa.string(), LABEL, "gen_ai.provider.name"),
        column("Model", pa.string(), MODEL_NAME, "gen_ai.response.model, else gen_ai.request.model"),
        column("ToolName", pa.string(), TOOL_NAME, "gen_ai.tool.name"),
        column("ConversationId", pa.string(), HASHED, "gen_ai.conversation.id, hashed"),
        column("UserHash", pa.string(), HASHED, "user.id, hashed"),
        column("FinishReason", pa.string(), LABEL, "gen_ai.response.finish_reasons, the first"),
        column(
            "ResponseId", pa.string(), LABEL, "gen_ai.response.id: the same on every span around one call"
        ),
        column(
            "InputTokens", pa.uint64(), SAFE, "gen_ai.usage.input_tokens, cached ones included", "{token}"
        ),
        column("OutputTokens", pa.uint64(), SAFE, "gen_ai.usage.output_tokens", "{token}"),
        column("CacheReadTokens", pa.uint64(), SAFE, "gen_ai.usage.cache_read.input_tokens", "{token}"),
        column("CacheWriteTokens", pa.uint64(), SAFE, "gen_ai.usage.cache_write.input_tokens", "{token}"),
        column("ReasoningTokens", pa.uint64(), SAFE, "gen_ai.usage.reasoning.output_tokens", "{token}"),
        column("CostUsd", pa.decimal128(18, 9), SAFE, "price", "USD"),
        column("PriceVersion", STRINGS, SAFE, "price: the price table's version"),
        column("PolicyHash", STRINGS, SAFE, "redaction: the policy that the row passed"),
        column("RedactedCount", pa.uint32(), SAFE, "redaction: values dropped, masked or hashed"),
        column("RedactedBytes", pa.uint64(), SAFE, "redaction: size of what was dropped", "By"),
        column("InputBytes", pa.uint64(), SAFE, "redaction: size of the content that went in", "By"),
        column("OutputBytes", pa.uint64(), SAFE, "redaction: size of the content that came out", "By"),
    ]
)
"""What the processors add to a span."""

SPANS = pa.unify_schemas([DECODED_SPANS, TYPED])

EVENTS = pa.schema(
    [
        column("Owner", pa.int32(), SAFE, "row of the span"),
        column("Timestamp", TIME, SAFE, "Event.time_unix_nano"),
        column("Name", pa.string(), LABEL, "Event.name"),
        column("DroppedAttributesCount", pa.uint32(), SAFE, "Event.dropped_attributes_count"),
    ]
)

LINKS = pa.schema(
    [
        column("Owner", pa.int32(), SAFE, "row of the span"),
        column("TraceId", pa.string(), ID, "Link.trace_id, lower-case hex"),
        column("SpanId", pa.string(), ID, "Link.span_id, lower-case hex"),
        column("TraceState", pa.string(), TEXT, "Link.trace_state"),
        column("Flags", pa.uint32(), SAFE, "Link.flags"),
        column("DroppedAttributesCount", pa.uint32(), SAFE, "Link.dropped_attributes_count"),
    ]
)
