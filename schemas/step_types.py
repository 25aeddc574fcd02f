"""How a span shows what kind of step it is: tables, the first that knows decides.

    1  agent.step.type                the agent's own word
    2  SCOPE_NAMES                    libraries whose attributes are wrong or missing: scope and span name
    3  EVENT_TYPES                    libraries that say it in span events
    4  STEP_TYPES                     attribute key → value → type, the keys in order of trust
    5  NAME_TYPES                     span names that the conventions fix, where no attribute says anything
    6  SCOPES_OF_STEPS                whatever else those libraries send is a step of type ``other``

Two types are of these tables only: ``embeddings`` is a ``retrieve`` step inside a run, ``other`` on its own;
``vector_store`` is a ``retrieve`` step when it reads, ``other`` when it writes.
"""

from typing import NamedTuple

EMBEDDINGS = "embeddings"
VECTOR_STORE = "vector_store"

STEP_TYPES: dict[str, dict[str, str]] = {
    # AgentTracer
    "agent.step.type": {
        name: name for name in ("plan", "retrieve", "model", "tool", "respond", "memory", "agent", "other")
    },
    # OpenInference semantic conventions
    "openinference.span.kind": {
        "llm": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "reranker": "retrieve",
        "embedding": EMBEDDINGS,
        "agent": "agent",
        "chain": "other",
        "guardrail": "other",
        "evaluator": "other",
        "prompt": "other",
        "unknown": "other",
    },
    # LangSmith's OTel exporter; it sends a retriever as gen_ai.operation.name=embeddings
    "langsmith.span.kind": {
        "llm": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "embedding": EMBEDDINGS,
        "chain": "other",
        "prompt": "other",
        "parser": "other",
    },
    # Langfuse SDK
    "langfuse.observation.type": {
        "generation": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "embedding": EMBEDDINGS,
        "agent": "agent",
        "chain": "other",
        "guardrail": "other",
        "evaluator": "other",
        "span": "other",
        "event": "other",
    },
    # Spring AI observations, which send gen_ai.operation.name=framework beside it
    "spring.ai.kind": {
        "chat_client": "agent",
        "advisor": "other",
        "tool_call": "tool",
        "vector_store": VECTOR_STORE,
    },
    # OTel GenAI; Semantic Kernel, Spring AI, OpenLLMetry and framework words behind
    "gen_ai.operation.name": {
        "chat": "model",
        "generate_content": "model",
        "text_completion": "model",
        "llm_request": "model",
        "chat.completions": "model",
        "chat.streaming_completions": "model",
        "text.completions": "model",
        "text.streaming_completions": "model",
        "completion": "model",
        "messages": "model",
        "call_llm": "model",
        "responses": "model",
        "image": "model",
        "audio": "model",
        "embeddings": EMBEDDINGS,
        "embedding": EMBEDDINGS,
        "retrieval": "retrieve",
        "retrieve": "retrieve",
        "rerank": "retrieve",
        "vector_db_retrieve": "retrieve",
        "search_memory": "retrieve",
        "vectordb": VECTOR_STORE,
        "execute_tool": "tool",
        "plan": "plan",
        "invoke_agent": "agent",
        "invoke_workflow": "agent",
        "create_memory_store": "memory",
        "delete_memory_store": "memory",
        "create_memory": "memory",
        "update_memory": "memory",
        "upsert_memory": "memory",
        "delete_memory": "memory",
        "create_agent": "other",
        "execute_task": "other",
        "execute_method": "other",
        "execute_event_loop_cycle": "other",
        "chain": "other",
        "handoff": "other",
        "guardrail": "other",
        "apply_guardrail": "other",
        "framework": "other",
        "task": "other",
        "workflow": "agent",
        "agent": "agent",
    },
    # OpenLLMetry 0.40, OTel GenAI before 1.27; says more than traceloop.span.kind=task beside it
    "llm.request.type": {
        "chat": "model",
        "completion": "model",
        "embedding": EMBEDDINGS,
        "rerank": "retrieve",
    },
    # OpenLLMetry, Traceloop SDK
    "traceloop.span.kind": {
        "workflow": "agent",
        "agent": "agent",
        "tool": "tool",
        "task": "other",
        "handoff": "other",
        "session": "other",
        "unknown": "other",
    },
    # OTel MCP
    "mcp.method.name": {
        "tools/call": "tool",
        **dict.fromkeys(
            """initialize ping server/discover tools/list resources/list resources/read
            resources/templates/list resources/subscribe resources/unsubscribe prompts/list prompts/get
            completion/complete logging/setLevel sampling/createMessage elicitation/create roots/list
            notifications/initialized notifications/cancelled notifications/progress notifications/message
            notifications/tools/list_changed notifications/resources/list_changed
            notifications/resources/updated notifications/prompts/list_changed
            notifications/roots/list_changed""".lower().split(),
            "other",
        ),
    },
    # MLflow, whose values are JSON strings
    "mlflow.spanType": {
        "llm": "model",
        "chat_model": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "reranker": "retrieve",
        "embedding": EMBEDDINGS,
        "agent": "agent",
        "workflow": "agent",
        "memory": "memory",
        "chain": "other",
        "parser": "other",
        "guardrail": "other",
        "evaluator": "other",
        "task": "other",
        "unknown": "other",
    },
    # Vercel AI SDK: the outer span is a loop of calls and tools
    "ai.operationId": {
        "ai.generatetext": "agent",
        "ai.streamtext": "agent",
        "ai.generateobject": "agent",
        "ai.streamobject": "agent",
        "ai.generatetext.dogenerate": "model",
        "ai.streamtext.dostream": "model",
        "ai.generateobject.dogenerate": "model",
        "ai.streamobject.dostream": "model",
        "ai.toolcall": "tool",
        "ai.embed": "other",
        "ai.embedmany": "other",
        "ai.embed.doembed": EMBEDDINGS,
        "ai.embedmany.doembed": EMBEDDINGS,
        "ai.rerank": "other",
        "ai.rerank.dorerank": "retrieve",
    },
    # LoongSuite, Dify, Alibaba Cloud
    "gen_ai.span.kind": {
        "llm": "model",
        "tool": "tool",
        "retriever": "retrieve",
        "reranker": "retrieve",
        "embedding": EMBEDDINGS,
        "agent": "agent",
        "workflow": "agent",
        "entry": "agent",
        "memory": "memory",
        "chain": "other",
        "task": "other",
        "step": "other",
    },
    # Laminar
    "lmnr.span.type": {
        "llm": "model",
        "tool": "tool",
        "executor": "other",
        "evaluator": "other",
    },
    # Claude Code
    "span.type": {
        "llm_request": "model",
        "interaction": "agent",
        "tool": "tool",
        "tool.blocked_on_user": "other",
        "tool.execution": "other",
        "hook": "other",
    },
    # OTel database, OpenLLMetry: databases that are there to be searched
    **dict.fromkeys(
        ("db.system.name", "db.system"),
        dict.fromkeys(
            """chroma chromadb pinecone qdrant milvus weaviate lancedb marqo astra vectara turbopuffer""".split(),
            VECTOR_STORE,
        ),
    ),
}
"""Attribute key → value in lower case → type, the keys in order of trust."""


class ScopeNames(NamedTuple):
    """Span names (RE2) of one library → type; they go before what its attributes say."""

    scope: str  # RE2, of the scope's name
    names: tuple[tuple[str, str], ...]
    source: str


SCOPE_NAMES: tuple[ScopeNames, ...] = (
    ScopeNames(
        r"^crewai$",
        (
            (r"^execute (crew|flow|agent)$", "agent"),
            (r"^execute task$|^tool failure$", "other"),
            (r"^call llm$", "model"),
            (r"^call (mcp )?tool$", "tool"),
        ),
        "CrewAI: a failed task or agent carries the operation of the call that failed in it; "
        "'tool failure' repeats the failed 'call tool'",
    ),
    ScopeNames(
        r"^openinference\.",
        ((r"\._prepare_chat_with_tools$|^handoff to |^transfer_to_\w+ handoff", "other"),),
        "OpenInference tags a handoff as a tool and LlamaIndex's preparation of a call as a call",
    ),
    ScopeNames(
        r"^llamaindex\.opentelemetry\.tracer$|\.llama_?index$",
        (
            (r"\._prepare_chat_with_tools(\.task)?$", "other"),
            (r"^(FunctionTool|QueryEngineTool|RetrieverTool)\.", "tool"),
            (r"Retriever\.(task$|_?a?retrieve)", "retrieve"),
            (r"Embedding\.(task$|_?a?get_)", EMBEDDINGS),
            (r"(Agent|AgentWorkflow)\.run(\.task)?$", "agent"),
        ),
        "LlamaIndex's own tracer has no attributes, OpenLLMetry's calls everything a task",
    ),
    ScopeNames(
        r"^haystack",
        (
            (r"^haystack\.agent\.step\.llm$", "model"),
            (r"^haystack\.agent\.step\.tool$", "tool"),
            (r"^haystack\.(async_)?pipeline\.run$|^haystack\.agent\.run$", "agent"),
            (r"^haystack\.agent\.step$", "other"),
        ),
        "Haystack's tracer",
    ),
    ScopeNames(
        r"^pydantic-ai$",
        (
            (r"^running (\d+ )?tools$", "other"),
            (r"^agent run$|^.{0,64} run$", "agent"),
        ),
        "pydantic-ai before 2, with 'running tool' below",
    ),
    ScopeNames(
        r"^logfire\.(openai|anthropic|google_genai|litellm)",
        (
            (r"^streaming response from ", "other"),
            (r"^Function: ", "tool"),
            (r"^(Agent run|OpenAI Agents trace)", "agent"),
            (r"^(Handoff|Guardrail)", "other"),
            (r"^Embedding", EMBEDDINGS),
            (r"^(Chat [Cc]ompletion|Completion|Responses API|Message|Generate|Image)", "model"),
        ),
        "Logfire names spans in words; a stream's end is a span of its own",
    ),
)

TYPES_BY_COMPONENT: tuple[tuple[str, str], ...] = (
    (r"Generator$|LLM$|ChatModel$", "model"),
    (r"Retriever$|Ranker$|WebSearch$", "retrieve"),
    (r"Embedder$", EMBEDDINGS),
    (r"^ToolInvoker$", "tool"),
    (r"Agent$", "agent"),
)
"""``haystack.component.type`` (RE2) → type: Haystack names its classes so."""

VECTOR_STORE_OPERATION: tuple[str, ...] = ("db.operation.name", "db.operation")
VECTOR_STORE_READS: frozenset[str] = frozenset(
    """query search get select peek fetch scroll recommend hybrid_search similarity_search near_text
    query_points retrieve""".split()
)
"""What a vector store does when it looks something up; no operation at all is believed to be one."""

EVENT_TYPES: dict[str, str] = {
    "LLMChatStartEvent": "model",
    "LLMCompletionStartEvent": "model",
    "RetrievalStartEvent": "retrieve",
    "ReRankStartEvent": "retrieve",
    "EmbeddingStartEvent": EMBEDDINGS,
}
"""Name of a span's event → type: LlamaIndex's instrumentation events."""

EVENT_SCOPES = r"llama_?index"
"""Only there do these events mean that."""

NAME_TYPES: tuple[tuple[str, str], ...] = (
    # OTel GenAI: {operation} {name}; Google ADK 1, Claude Code, pydantic-ai before 2
    (r"^execute_tool\b|^running tool\b|^claude_code\.tool$|[a-z]\.tool$", "tool"),
    (r"^(chat|generate_content|text_completion) \S+$|^call_llm$|^claude_code\.llm_request$", "model"),
    (r"^invoke_(agent|workflow)\b|^agent_run\b|^invocation$|^agent run$|^claude_code\.interaction$", "agent"),
    (r"^retrieval( \S+)?$|^retrieve$", "retrieve"),
    (r"^embeddings( \S+)?$", EMBEDDINGS),
    (r"^create_agent\b|^handoff to ", "other"),
)
"""Span name (RE2) → type, for a span whose attributes say nothing."""

GENERATED_NAMES = r"\.(task|workflow)$"
"""A step's name (RE2) that is only its class: no tool and no agent is called so (OpenLLMetry LlamaIndex)."""

INFRASTRUCTURE: tuple[str, ...] = (
    "http.request.method",
    "http.method",
    "db.system",
    "db.system.name",
    "messaging.system",
    "messaging.operation",
    "rpc.system",
)
"""A span with one of these and nothing of an agent's is no step, whatever its name."""

SCOPES_OF_STEPS = (
    r"^(crewai$|llamaindex\.opentelemetry|haystack|pydantic-ai$|gcp\.vertex\.agent$|openinference\.)"
)
"""Libraries that trace nothing but agents."""

PLANNING_NAMES = r"(?i)^(execute_task |call )?(plan|planner|planning)(\.task|\.run)?$"
"""A step of no other type with such a name (its own, or its span's) is a planning step."""

NAMED_AFTER_SPAN = r"^(openinference\.|langsmith|langfuse|mlflow|traceloop)"
"""Libraries that name a tool's span after the tool."""

AGENT_NAME_KEYS: tuple[str, ...] = (
    "crewai.crew.name",  # CrewAI
    "crewai.flow.name",
    "graph.node.id",  # OpenInference CrewAI
    "traceloop.workflow.name",  # OpenLLMetry
    "langfuse.trace.name",  # Langfuse
)
"""Attributes that name an agent when they stand on an agent's span."""

SPAN_NAME_PARTS: dict[str, str] = {
    "tool": (
        r"^(?:execute_tool|running tool:?|tools/call|MCP send tools/call|Function:) (?P<name>\S+)$"
        r"|^(?P<method>[\w.-]+?)\.(?:tool|__call__|run)$"
    ),
    "agent": (
        r"^(?:invoke_agent|invoke_workflow) (?P<name>.+)$|^agent_run \[(?P<listed>[^\]]+)\]$"
        r"|^(?P<method>[\w-]+)\.(?:run|kickoff)$"
    ),
}
"""Step type → RE2 expression that finds the tool's or agent's name in the span's, where no attribute has it."""
