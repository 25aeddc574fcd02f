"""How a failure's evidence shows its code: a table, a row a rule, the first that matches decides.

    type:openai.ratelimiterror        error.type, exception.type, error.code
    status:429                        http.response.status_code and its kin
    error code: 429 - rate limit …    status message, exception message

The evidence is joined by newlines, in lower case. It is read in memory and dropped by redaction afterwards.
"""

from typing import NamedTuple


class Rule(NamedTuple):
    """Evidence that matches ``pattern`` (RE2) means ``code``; ``name`` is kept with the row, ``kind`` is the
    failure type where the evidence says that too."""

    name: str
    code: str
    pattern: str
    kind: str | None = None


def _http(codes: str) -> str:
    """A status code that says it is one, or is all of a line's beginning: any number could stand in a message."""
    word = r"(?:status|code|error|http(?:/[\d.]+)?)['\"]?\W{0,4}(?:code)?\W{0,4}"
    return rf"{word}(?:{codes})\b|(?m:^)\W{{0,2}}(?:{codes})\s*(?:[:,;-]|(?m:$))"


EVIDENCE_RULES: tuple[Rule, ...] = (
    Rule(
        "context_window",
        "context_length_exceeded",
        r"context.?(window|length)|maximum context|prompt is too long|input is too long|too many (input )?tokens"
        r"|input token count .{0,40}exceeds",
    ),
    Rule(
        "quota",
        "quota_exceeded",
        r"insufficient_quota|quota.?exceeded|exceeded your current quota|billing_|credit balance|out of credits",
    ),
    Rule(
        "rate_limit",
        "rate_limited",
        rf"rate.?limit|resource_exhausted|throttl|too many requests|{_http('429')}",
    ),
    Rule(
        "content_filter",
        "content_filtered",
        r"content.?filter|content.?policy|responsible.?ai|safety_?(block|settings)",
    ),
    Rule("guardrail", "guardrail_blocked", r"guardrail|tripwire"),
    Rule(
        "token_budget",
        "budget_exceeded",
        r"(total|input|output|request|response)_tokens_limit|budget.?exceeded|exceeded.{0,30}budget|max_budget_usd",
    ),
    Rule(
        "max_steps",
        "max_steps",
        r"recursion.?(limit|error)|max.?(turns|steps|iter)|maximum (number of )?(turns|steps|iterations)"
        r"|usagelimit|request_limit|tool_calls_limit|(iteration|loop) limit",
    ),
    Rule(
        "tool_unknown",
        "tool_not_found",
        r"unknown tool|no such tool|tool_?not_?found|nonexistent tool"
        r"|\btool:?\s+['\"`]?[\w.-]+['\"`]?\s+(was |is )?(not found|does not exist|not registered)",
    ),
    Rule("handoff", "handoff_failed", r"handoff.{0,40}(fail|error|not found|unknown|invalid)|handoff_?error"),
    Rule(
        "schema",
        "schema_invalid",
        r"validation.?error|invalid json|jsondecode|json_invalid|modelbehavior|adapterparse|field required"
        r"|outputpars(er|ing)|structuredoutput|schema_?(validation|invalid|error)|does not match.{0,20}schema"
        r"|invalid (tool )?arguments|malformed_function_call",
    ),
    Rule(
        "workflow_timeout",
        "timeout",
        r"workflow\w*timeout|timed out after [\d.]+ seconds?\. currently active steps",
        "orchestration",
    ),
    Rule("timeout", "timeout", rf"time(d)?[ _.-]?out|deadline|{_http('408|504')}"),
    Rule(
        "auth",
        "auth",
        r"authenticat|unauthori[sz]ed|permission_?denied|permission_error|incorrect api.?key"
        rf"|invalid.{{0,3}}(x-)?api.?key|api.?key (not|is )|forbidden|accessdenied|{_http('401|403')}",
    ),
    Rule(
        "not_found",
        "not_found",
        rf"(?m:^)type:.*not_?found|not_found_error|404 not found|model_not_found|{_http('404')}",
    ),
    Rule(
        "connection",
        "connection",
        r"connection.?(error|refused|reset|aborted|closed)|connect(ion)?_?error|econn(refused|reset)|name resolution"
        r"|getaddrinfo|broken pipe|cannot connect|network is unreachable|remoteprotocolerror",
    ),
    Rule(
        "server_error",
        "server_error",
        rf"internal.?server|server_error|overloaded|unavailable|bad gateway|server had an error|{_http('5[0-9][0-9]')}",
    ),
    Rule(
        "invalid_request",
        "invalid_request",
        rf"bad.?request|invalid.?request|invalid.?argument|unprocessable|{_http('400|422')}",
    ),
    Rule("cancelled", "cancelled", r"(?m:^)type:.*cancel|\bcancelled\b|\bcanceled\b|user_abort"),
    Rule("unspecific", "error", r""),
)

FINISH_FAILURES: dict[str, str] = {
    "length": "truncated",
    "content_filter": "content_filtered",
    "guardrail_intervened": "guardrail_blocked",
    "model_context_window_exceeded": "context_length_exceeded",
    "malformed_function_call": "schema_invalid",
    "max_steps": "max_steps",
    "max_turns": "max_steps",
    "insufficient_system_resource": "server_error",
    "network_error": "connection",
    "error": "error",
}
"""Finish reasons (as ``normalize`` writes them) that are failures although the call itself succeeded."""

OWN_CODES: frozenset[str] = frozenset({"max_steps", "guardrail_blocked", "budget_exceeded", "handoff_failed"})
"""Failures of a container's own: they stand beside the failure of a step inside it."""

SOFT_CODES: frozenset[str] = frozenset({"empty_retrieval", "truncated", "content_filtered"})
"""Failures after which a run goes on by itself: a run that ends with one is partial, not failed."""

MODEL_CODES: frozenset[str] = frozenset(
    """rate_limited quota_exceeded context_length_exceeded content_filtered truncated auth timeout
    server_error schema_invalid connection""".split()
)
"""Codes that come from a model's provider, where no step below the failed container shows whose they are."""

TYPE_OF_STEP: dict[str, str] = {
    "model": "model",
    "respond": "model",
    "tool": "tool",
    "retrieve": "retrieval",
    "embeddings": "retrieval",
    "memory": "retrieval",
}
"""Step type → failure type; a container's is orchestration, or model for ``MODEL_CODES``."""
