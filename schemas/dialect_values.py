"""Values in use → the conventions' own: providers, operations, finish reasons, and how tokens are counted."""

from typing import NamedTuple

PROVIDERS: dict[str, str] = {
    # the conventions' own, in whatever case they come
    **{
        name: name
        for name in """openai anthropic aws.bedrock azure.ai.openai azure.ai.inference gcp.gemini gcp.vertex_ai
    gcp.gen_ai cohere mistral_ai groq deepseek perplexity x_ai ibm.watsonx.ai ollama together_ai huggingface
    fireworks_ai openrouter cerebras nvidia vllm moonshot_ai alibaba_cloud""".split()
    },
    # OTel GenAI before 1.37 (gen_ai.system)
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "xai": "x_ai",
    # OpenLLMetry, OpenInference, LangChain, LiteLLM, agno, pydantic-ai, Semantic Kernel, Spring AI
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure.openai": "azure.ai.openai",
    "azureopenai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_ai_inference": "azure.ai.inference",
    "vertexai": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "anthropic_vertex": "gcp.vertex_ai",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "google-gla": "gcp.gemini",
    "googleai": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
    "mistral-ai": "mistral_ai",
    "watsonx": "ibm.watsonx.ai",
    "ibm": "ibm.watsonx.ai",
    "grok": "x_ai",
    "openai_chat": "openai",
    "openairesponses": "openai",
    # Vercel AI SDK: provider and API
    "openai.chat": "openai",
    "openai.responses": "openai",
    "openai.completion": "openai",
    "openai.embedding": "openai",
    "azure-openai.chat": "azure.ai.openai",
    "azure-openai.responses": "azure.ai.openai",
    "azure.chat": "azure.ai.openai",
    "azure.responses": "azure.ai.openai",
    "anthropic.messages": "anthropic",
    "vertex.anthropic.messages": "gcp.vertex_ai",
    "google.generative-ai": "gcp.gemini",
    "google.vertex.chat": "gcp.vertex_ai",
    "mistral.chat": "mistral_ai",
    "cohere.chat": "cohere",
    "groq.chat": "groq",
    "xai.chat": "x_ai",
    "deepseek.chat": "deepseek",
    "perplexity": "perplexity",
}
"""Provider values in use, in lower case → the conventions' values; others stay as they came."""

FRAMEWORKS: frozenset[str] = frozenset(
    """langgraph langchain crewai agno autogen ag2 strands-agents strands microsoft.agent_framework
    agent_framework gcp.vertex.agent llama_index llamaindex smolagents haystack pydantic_ai pydantic-ai
    openai_agents semantic_kernel semantic-kernel spring_ai litellm dspy mcp traceloop controlflow""".split()
)
"""Frameworks that put their own name where the provider's belongs: not a provider."""

MODEL_PROVIDERS: tuple[tuple[str, str], ...] = (
    (r"^([a-z]{2,6}\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|writer)\.[a-z]", "aws.bedrock"),
    (r"^arn:aws", "aws.bedrock"),
    (r"^azure(_ai)?/", "azure.ai.openai"),
    (r"^vertex_ai/|^claude-[\w.-]+@", "gcp.vertex_ai"),
    (r"^(openai/)?(gpt-|chatgpt-|o[1-9](-|$)|text-embedding-(3|ada))", "openai"),
    (r"^(anthropic/)?claude-", "anthropic"),
    (r"^((google|gemini)/)?gemini-", "gcp.gemini"),
    (r"^(deepseek/)?deepseek-(chat|reasoner)", "deepseek"),
    (r"^(xai/)?grok-", "x_ai"),
)
"""Who serves a model whose telemetry names nobody, or a framework: only names that one vendor owns."""

OPERATIONS: dict[str, str] = {
    "completion": "text_completion",
    "embedding": "embeddings",
    "call_llm": "chat",
    "chat.completions": "chat",
    "chat.streaming_completions": "chat",
    "text.completions": "text_completion",
    "text.streaming_completions": "text_completion",
    "messages": "chat",
}
"""Operation values in use (OpenLLMetry's llm.request.type, Semantic Kernel, Spring AI) → the conventions'."""

FINISH_REASONS: dict[str, str] = {
    **dict.fromkeys(
        "stop end_turn stop_sequence complete completed eos eos_token finish finished done".split(), "stop"
    ),
    **dict.fromkeys(
        "tool_call tool_calls tool_use tool-calls tooluse function_call toolcalls pause_turn".split(),
        "tool_call",
    ),
    **dict.fromkeys(
        "length max_tokens max_output_tokens model_length max_length token_limit error_limit".split(),
        "length",
    ),
    **dict.fromkeys(
        """content_filter content-filter content_filtered contentfilter refusal safety recitation blocklist
        prohibited_content spii image_safety language error_toxic""".split(),
        "content_filter",
    ),
    **{
        name: name
        for name in """error guardrail_intervened model_context_window_exceeded malformed_function_call max_steps
        max_turns insufficient_system_resource network_error""".split()
    },
}
"""Finish reasons of OpenAI, Anthropic, Gemini, Bedrock, Cohere, Mistral and the Vercel AI SDK, in lower case →
OTel GenAI's (stop, length, content_filter, tool_call, error); others stay as they came."""


class ExclusiveCount(NamedTuple):
    """A dialect that passes on a provider's count of input tokens in which cached ones are missing."""

    scope: str  # RE2, of the scope's name
    providers: frozenset[str]
    source: str


_CACHE_APART = frozenset({"anthropic", "aws.bedrock"})

EXCLUSIVE_COUNTS: tuple[ExclusiveCount, ...] = (
    ExclusiveCount(r"^strands", _CACHE_APART, "Strands passes the Converse API's usage on"),
    ExclusiveCount(r"^openlit", _CACHE_APART, "OpenLIT passes the API's usage on"),
    ExclusiveCount(r"^ai$", _CACHE_APART, "Vercel AI SDK before 6 passes the API's usage on"),
    ExclusiveCount(r"claude_code", _CACHE_APART, "Claude Code passes the Messages API's usage on"),
    ExclusiveCount(r"agno", _CACHE_APART, "agno passes the API's usage on"),
    ExclusiveCount(r"langfuse", _CACHE_APART, "Langfuse's usage details don't overlap"),
)
"""Everywhere else ``InputTokens`` comes with the cached ones, as OTel GenAI demands."""
