"""Foreign conventions → our columns: a table, a row a column, its sources in order of trust.

Sources: OpenTelemetry GenAI conventions (current and the deprecated names in use), OpenInference
semantic conventions, OpenLLMetry/Traceloop, and what frameworks were captured to send.
"""

SPAN_STRINGS: dict[str, tuple[str, ...]] = {
    "RunId": ("agent.run.id",),
    "RunStatus": ("agent.run.status",),
    "AgentName": ("gen_ai.agent.name", "crewai.agent.role", "agent.name", "agent_name", "lc_agent_name"),
    "AgentVersion": ("gen_ai.agent.version", "agent.version"),
    "StepName": (
        "agent.step.name",
        "graph.node.name",
        "gen_ai.task.name",
        "traceloop.entity.name",
        "gen_ai.workflow.name",
        "crewai.method.name",
        "haystack.component.name",
    ),
    "Operation": ("gen_ai.operation.name", "llm.request.type"),
    "Provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "Model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "model_name",
    ),
    "ToolName": ("gen_ai.tool.name", "tool.name", "haystack.tool.name"),
    "ConversationId": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
        "langsmith.metadata.session_id",
        "langsmith.metadata.thread_id",
        "mcp.session.id",
        "gcp.vertex.agent.session_id",
    ),
    "UserHash": (
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "llm.user",
        "traceloop.association.properties.user_id",
        "langsmith.metadata.user_id",
        "crewai.principal.id",
    ),
    "FinishReason": (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "gen_ai.response.stop_reason",
        "gen_ai.completion.0.finish_reason",
        "llm.finish_reason",
        "anthropic.message.stop_reason",
    ),
}
"""Column → attribute keys whose value is a string."""

SPAN_INTEGERS: dict[str, tuple[str, ...]] = {
    "StepSequence": ("agent.step.sequence",),
    "Attempt": ("agent.step.attempt",),
    "InputTokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "OutputTokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "CacheReadTokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "CacheWriteTokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "ReasoningTokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
}
"""Column → attribute keys whose value is a whole number."""

RESOURCE_STRINGS: dict[str, tuple[str, ...]] = {
    "AgentName": ("gen_ai.agent.name", "agent.name"),
    "AgentVersion": ("gen_ai.agent.version", "agent.version", "service.version"),
}
"""Column → resource attribute keys that stand in where the row itself has none."""

PROVIDERS: dict[str, str] = {
    "azure.openai": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure": "azure.ai.openai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "xai": "x_ai",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
}
"""Provider values in use → the conventions' values; others stay, in lower case."""

FRAMEWORKS: frozenset[str] = frozenset(
    """langgraph langchain crewai agno autogen strands-agents microsoft.agent_framework gcp.vertex.agent
    llama_index llamaindex smolagents haystack pydantic_ai openai_agents""".split()
)
"""Frameworks that put their own name where the provider's belongs: not a provider."""

STEP_TYPES: dict[str, dict[str, str]] = {
    "agent.step.type": {
        name: name for name in ("plan", "retrieve", "model", "tool", "respond", "memory", "agent", "other")
    },
    "openinference.span.kind": {
        "LLM": "model",
        "TOOL": "tool",
        "RETRIEVER": "retrieve",
        "RERANKER": "retrieve",
        "EMBEDDING": "retrieve",
        "AGENT": "agent",
        "CHAIN": "other",
        "GUARDRAIL": "other",
        "EVALUATOR": "other",
        "PROMPT": "other",
        "UNKNOWN": "other",
    },
    "langsmith.span.kind": {
        "llm": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "embedding": "retrieve",
        "chain": "other",
        "prompt": "other",
        "parser": "other",
    },
    "langfuse.observation.type": {
        "generation": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "embedding": "retrieve",
        "agent": "agent",
        "chain": "other",
        "guardrail": "other",
        "evaluator": "other",
        "span": "other",
    },
    "gen_ai.operation.name": {
        "chat": "model",
        "generate_content": "model",
        "text_completion": "model",
        "llm_request": "model",
        "embeddings": "retrieve",
        "retrieval": "retrieve",
        "vector_db_retrieve": "retrieve",
        "execute_tool": "tool",
        "plan": "plan",
        "invoke_agent": "agent",
        "invoke_workflow": "agent",
        "create_agent": "other",
        "execute_task": "other",
        "execute_method": "other",
        "execute_event_loop_cycle": "other",
        "chain": "other",
        "handoff": "other",
        "create_memory_store": "memory",
        "delete_memory_store": "memory",
        "create_memory": "memory",
        "update_memory": "memory",
        "upsert_memory": "memory",
        "search_memory": "retrieve",
        "delete_memory": "memory",
    },
    "traceloop.span.kind": {
        "workflow": "agent",
        "agent": "agent",
        "tool": "tool",
        "task": "other",
        "handoff": "other",
    },
    "llm.request.type": {
        "chat": "model",
        "completion": "model",
        "embedding": "retrieve",
        "rerank": "retrieve",
    },
    "mcp.method.name": {"tools/call": "tool"},
}
"""How a span shows its step type: attribute key → value → type, the keys in order of trust."""

PLANNING_NAMES = r"(?i)^(plan|planner|planning)$"
"""A step of no other type with such a name is a planning step."""
