"""How a span shows each failure code: a table, a row a rule, the first that matches decides.

The evidence is ``error.type``, ``exception.type``, ``http.response.status_code``, the exception's message and
the status message, joined by newlines. It is read in memory and dropped by redaction afterwards.
"""

from typing import NamedTuple


class Rule(NamedTuple):
    """Evidence that matches ``pattern`` (RE2, case ignored) means ``code``; ``name`` is kept with the row."""

    name: str
    code: str
    pattern: str


EVIDENCE_RULES: tuple[Rule, ...] = (
    Rule(
        "context_window",
        "context_length_exceeded",
        r"context.?(window|length)|maximum context|too many tokens",
    ),
    Rule(
        "quota", "quota_exceeded", r"insufficient_quota|quota.?exceeded|exceeded your current quota|billing"
    ),
    Rule("rate_limit", "rate_limited", r"rate.?limit|\b429\b|resource_exhausted|throttl|too many requests"),
    Rule("content_filter", "content_filtered", r"content.?filter|content.?policy|responsible.?ai|\bsafety\b"),
    Rule("guardrail", "guardrail_blocked", r"guardrail|tripwire"),
    Rule(
        "max_steps",
        "max_steps",
        r"recursion|max.?(turns|steps|iter)|usagelimit|request_limit|iteration limit|loop limit",
    ),
    Rule("budget", "budget_exceeded", r"budget"),
    Rule("tool_unknown", "tool_not_found", r"unknown tool|tool.{0,64}not found|no such tool|tool_not_found"),
    Rule("handoff", "handoff_failed", r"handoff"),
    Rule(
        "schema",
        "schema_invalid",
        r"validation.?error|invalid json|jsondecode|modelbehavior|adapterparse|field required|outputparser|schema",
    ),
    Rule("timeout", "timeout", r"time(d)?.?out|deadline|\b408\b|\b504\b"),
    Rule("auth", "auth", r"authenticat|unauthori|permission.?denied|\b401\b|\b403\b|api.?key|forbidden"),
    Rule("not_found", "not_found", r"not.?found|\b404\b"),
    Rule("connection", "connection", r"connect|econnrefused|dns|name resolution|network|broken pipe"),
    Rule(
        "server_error",
        "server_error",
        r"internalserver|internal server|\b5\d\d\b|overloaded|unavailable|bad gateway",
    ),
    Rule(
        "invalid_request",
        "invalid_request",
        r"bad.?request|invalid.?request|\b400\b|\b422\b|invalid.?argument",
    ),
    Rule("cancelled", "cancelled", r"cancel"),
    Rule("unspecific", "error", r""),
)

FINISH_REASONS: dict[str, str] = {
    "content_filter": "content_filtered",
    "content_filtered": "content_filtered",
    "refusal": "content_filtered",
    "SAFETY": "content_filtered",
    "safety": "content_filtered",
    "length": "truncated",
    "max_tokens": "truncated",
    "MAX_TOKENS": "truncated",
    "max_steps": "max_steps",
}
"""Finish reasons that are failures although the call itself succeeded."""

DOCUMENT_COUNTS: tuple[str, ...] = ("agent.retrieval.document_count", "gen_ai.retrieval.document_count")
"""A retrieval step that found nothing: one of these is 0."""

TYPE_OF_STEP: dict[str, str] = {
    "model": "model",
    "respond": "model",
    "tool": "tool",
    "retrieve": "retrieval",
    "memory": "retrieval",
}
"""Step type → failure type; everything else is orchestration."""
