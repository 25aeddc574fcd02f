"""Facts that stand in JSON text: usage in attributes of its own, or the whole answer of a model.

The text is read in memory, one expression a column and only for rows that lack the fact; redaction drops it.
"""

_TOKENS = ("InputTokens", "OutputTokens", "CacheReadTokens", "CacheWriteTokens", "ReasoningTokens")

USAGE_KEYS: dict[str, str] = {
    "langfuse.observation.usage_details": "Langfuse",
    "langsmith.metadata.usage_metadata": "LangSmith, LangChain's UsageMetadata",
    "mlflow.chat.tokenUsage": "MLflow",
    "crewai.crew.usage_metrics": "CrewAI, of a whole crew",
    "crewai.flow.aggregated_crew_usage_metrics": "CrewAI, of a whole flow",
    "crewai.crew.token_usage": "OpenLLMetry CrewAI, of a whole crew",
}
"""Attributes that hold nothing but counts of tokens → who sends them."""

ANSWER_KEYS: dict[str, tuple[str, ...]] = {
    "haystack.agent.step.llm.output": ("Model", "FinishReason", *_TOKENS),  # Haystack 3
    "haystack.component.output": ("Model", "FinishReason", *_TOKENS),  # Haystack
    "gcp.vertex.agent.llm_response": ("CacheReadTokens", "ReasoningTokens"),  # Google ADK before 2
    "gen_ai.completion": ("FinishReason",),  # LangSmith
    "gen_ai.output.messages": ("FinishReason",),  # OTel GenAI from 1.37
    "output.value": ("FinishReason", "ResponseId"),  # OpenInference
}
"""Attributes that hold a model's answer → the columns that may be read from them."""

EVENT_KEYS: dict[str, str] = {
    "gen_ai.output.messages": "FinishReason",  # OTel GenAI from 1.37 as a span event, Strands
    "response.raw.choices": "FinishReason",  # LlamaIndex, LLMChatEndEvent
}
"""Attributes of a span's event → the column that may be read from them for the span."""

NEEDS_MODEL: frozenset[str] = frozenset({"gen_ai.completion", "gen_ai.output.messages", "output.value"})
"""Keys that containers carry too: read only on a row that names a model."""

_NUMBER = r"""["']?\s*[:=]\s*(?P<value>\d{1,10})\b"""

PATTERNS: dict[str, str] = {
    "InputTokens": r"\b(?:input|input_tokens|prompt_tokens|prompt_token_count|promptTokens|inputTokens)"
    + _NUMBER,
    "OutputTokens": (
        r"\b(?:output|output_tokens|completion_tokens|candidates_token_count|completionTokens|outputTokens)"
        + _NUMBER
    ),
    "CacheReadTokens": (
        r"\b(?:cache_read_input_tokens|cached_prompt_tokens|cached_tokens|cache_read|cache_read_tokens"
        r"|input_cached_tokens|input_cache_read|cached_content_token_count|cachedInputTokens)" + _NUMBER
    ),
    "CacheWriteTokens": (
        r"\b(?:cache_creation_input_tokens|cache_creation_tokens|cache_creation|cache_write_tokens"
        r"|input_cache_creation)" + _NUMBER
    ),
    "ReasoningTokens": (
        r"\b(?:reasoning|reasoning_tokens|output_reasoning_tokens|output_reasoning|thoughts_token_count"
        r"|reasoningTokens)" + _NUMBER
    ),
    # A model's name among the facts of its answer: documents and arguments may have a "model" of their own.
    "Model": (
        r'"model":\s*"(?P<value>[A-Za-z0-9][A-Za-z0-9._:/@-]{1,127})",'
        r'\s*"(?:index|finish_reason|stop_reason|usage|created|created_at)"'
    ),
    # Inside a JSON string the quotes are escaped, so no text that a user wrote can look like this; an answer
    # that is JSON itself can, so only known reasons are taken.
    "FinishReason": (
        r'"(?:finish_reason|stop_reason|finishReason|stopReason)"\s*:\s*"(?P<value>[A-Za-z_]{1,32})"'
    ),
    "ResponseId": r'^\{"id":\s*"(?P<value>(?:chatcmpl|resp|msg|cmpl|gen)[-_][A-Za-z0-9_-]{4,100})"',
}
"""Column → RE2 expression whose group ``value`` is the fact."""
