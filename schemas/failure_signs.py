"""What shows that a step failed, and where the reason stands: attribute keys with the libraries that send them."""

FAILED_WHEN: dict[str, frozenset[str]] = {
    "haystack.tool.error": frozenset({"true"}),  # Haystack
    "gen_ai.tool.status": frozenset({"error", "failure", "failed"}),  # Strands
    "gen_ai.task.status": frozenset({"failure", "failed", "error"}),  # OpenLLMetry
    "langfuse.observation.level": frozenset({"error"}),  # Langfuse
    "ai.response.finishReason": frozenset({"error"}),  # Vercel AI SDK
}
"""Attribute → values in lower case that say the step failed, whatever its status."""

FAILED_IF_PRESENT: tuple[str, ...] = (
    "error.type",  # OTel
    "crewai.tool.failure.reason",  # CrewAI
    "crewai.tool.failure.code",
    "pydantic_ai.tool.failure_stage",  # pydantic-ai
)
"""Attributes that only a failed step has."""

EVIDENCE_TYPES: dict[str, tuple[str, ...]] = {
    "error": ("error.type",),
    "exception": ("exception.type",),
    "code": ("error.code", "crewai.tool.failure.code", "pydantic_ai.tool.retry.cause"),
    "reason": ("crewai.tool.failure.reason", "rpc.response.status_code"),
}
"""Slot → attributes whose value names a kind of failure."""

EVIDENCE_STATUS: tuple[str, ...] = ("http.response.status_code", "http.status_code", "status_code")
"""Attributes whose value is an HTTP status."""

EVIDENCE_TEXTS: dict[str, tuple[str, ...]] = {
    "message": ("exception.message", "error.message"),  # OTel, LiteLLM
    "framework": ("gen_ai.framework.error.message", "crewai.tool.failure.message"),  # OpenLIT, CrewAI
    "observation": ("langfuse.observation.status_message",),  # Langfuse
    "result": ("haystack.agent.step.tool.output",),  # Haystack, of a failed tool
}
"""Slot → attributes whose value describes the failure."""

CONTROL_FLOW = (
    r"(^|\.)(CancelledError|GeneratorExit|StopIteration|StopAsyncIteration"  # Python
    r"|GraphInterrupt|NodeInterrupt|GraphBubbleUp|ParentCommand"  # LangGraph: a human is asked, or a jump
    r"|ApprovalRequired|CallDeferred)$"  # pydantic-ai: a tool to be approved, or run elsewhere
)
"""Exceptions (RE2) that are no failures: somebody stopped the step, or it went on elsewhere."""

CANCELLED = r"(^|\.)(CancelledError|GeneratorExit)$"
"""Exceptions (RE2) that end a run as cancelled."""

TOOL_RESULTS: tuple[str, ...] = (
    "gen_ai.tool.call.result",  # OTel GenAI
    "ai.toolCall.result",  # Vercel AI SDK
    "mcp.response.value",  # OpenLLMetry MCP
    "traceloop.entity.output",  # OpenLLMetry
    "output.value",  # OpenInference
)
"""Attributes that hold what a tool answered."""

FAILED_RESULT = r'\bis_?[eE]rror\\?"?\s*[:=]\s*[tT]rue|^\s*\{"error"\s*:\s*["{]|"status"\s*:\s*"error"'
"""A tool's answer (RE2) that says it failed: MCP's isError, LangChain's and Strands' status."""

DOCUMENT_COUNTS: tuple[str, ...] = (
    "agent.retrieval.document_count",  # AgentTracer
    "gen_ai.retrieval.document_count",  # OpenLIT
    "retrieval.document_count",
    "db.response.returned_rows",  # OTel database
)
"""A retrieval that found nothing: one of these is 0."""

DOCUMENT_LISTS: tuple[str, ...] = ("retrieval.documents", "gen_ai.retrieval.documents")
"""… or one of these is an empty list (OpenInference, OTel GenAI)."""

DOCUMENT_TEXTS: tuple[str, ...] = (
    "gen_ai.retrieval.documents",  # OTel GenAI, as JSON
    "output.value",  # OpenInference
    "traceloop.entity.output",  # OpenLLMetry
    "gen_ai.task.output",
    "gen_ai.completion",  # LangSmith
    "haystack.component.output",  # Haystack
    "langfuse.observation.output",  # Langfuse
    "mlflow.spanOutputs",  # MLflow
)
"""… or the JSON text of one of these says so."""

DOCUMENT_EVENTS: tuple[str, ...] = ("nodes", "gen_ai.retrieval.documents")
"""… or that of one of these attributes of an event (LlamaIndex' RetrievalEndEvent)."""

NO_DOCUMENTS = r'^\s*\[\s*\]\s*$|^\s*\{\s*"(documents|nodes|results|matches|docs|outputs?)"\s*:\s*\[\s*\]'
"""JSON text (RE2) of an answer without documents."""
