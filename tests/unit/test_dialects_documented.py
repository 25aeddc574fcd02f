"""Dialects that are documented but not among the captures mean the same as all others."""

from typing import Any

import pytest

from tests.otlp_traces import request, span
from tests.processing import classify, decoded, normalize, process


def row(name: str, given: dict[str, Any], scope: str = "tests", **fields: Any) -> dict[str, Any]:
    """The columns that a span gets, those that are set."""
    batch = process(decoded(request(span(name, given, **fields), scope=scope)), normalize(), classify())
    return {key: values[0] for key, values in batch.rows.to_pydict().items() if values[0] not in (None, "")}


CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "Vercel AI SDK 4, a call": (
        "ai",
        "ai.generateText.doGenerate",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "openai.chat",
            "ai.model.id": "gpt-4o",
            "ai.response.model": "gpt-4o-2024",
            "ai.usage.promptTokens": 10,
            "ai.usage.completionTokens": 4,
            "ai.response.finishReason": "tool-calls",
            "ai.response.id": "chatcmpl-1",
            "ai.telemetry.functionId": "support",
        },
        {
            "StepType": "model",
            "Provider": "openai",
            "Model": "gpt-4o-2024",
            "InputTokens": 10,
            "OutputTokens": 4,
            "FinishReason": "tool_call",
            "ResponseId": "chatcmpl-1",
            "AgentName": "support",
        },
    ),
    "Vercel AI SDK, the loop around calls": (
        "ai",
        "ai.streamText",
        {"ai.operationId": "ai.streamText"},
        {"StepType": "agent", "Operation": "invoke_agent"},
    ),
    "Vercel AI SDK, a tool": (
        "ai",
        "ai.toolCall",
        {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search"},
        {"StepType": "tool", "ToolName": "search", "Operation": "execute_tool"},
    ),
    "MLflow, whose values are JSON": (
        "mlflow",
        "ChatModel",
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}',
        },
        {"StepType": "model", "Model": "gpt-4o", "Provider": "openai", "InputTokens": 7, "OutputTokens": 3},
    ),
    "MLflow, a tool named by its span": (
        "mlflow",
        "lookup_order",
        {"mlflow.spanType": '"TOOL"'},
        {"StepType": "tool", "ToolName": "lookup_order"},
    ),
    "Langfuse, a generation": (
        "langfuse-sdk",
        "answer",
        {
            "langfuse.observation.type": "GENERATION",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": '{"input": 5, "output": 2}',
            "langfuse.session.id": "s",
            "langfuse.user.id": "u",
        },
        {
            "StepType": "model",
            "Model": "gpt-4o",
            "InputTokens": 5,
            "OutputTokens": 2,
            "ConversationId": "s",
            "UserHash": "u",
        },
    ),
    "LangSmith, usage in JSON": (
        "langsmith",
        "ChatAnthropic",
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "anthropic",
            "langsmith.metadata.ls_model_name": "claude-sonnet-4-5",
            "langsmith.metadata.usage_metadata": (
                '{"input_tokens": 29, "output_tokens": 9, "input_token_details": {"cache_read": 5},'
                ' "output_token_details": {"reasoning": 2}}'
            ),
        },
        {
            "StepType": "model",
            "Provider": "anthropic",
            "InputTokens": 29,
            "CacheReadTokens": 5,
            "ReasoningTokens": 2,
        },
    ),
    "Spring AI, the chat client around a call": (
        "org.springframework.boot",
        "spring_ai chat_client",
        {"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai", "spring.ai.kind": "chat_client"},
        {"StepType": "agent"},
    ),
    "Spring AI, the call": (
        "org.springframework.boot",
        "chat mistral-large",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "mistral_ai",
            "gen_ai.request.model": "mistral-large",
            "gen_ai.usage.input_tokens": "12",
            "gen_ai.usage.output_tokens": "6",
            "gen_ai.response.finish_reasons": '["STOP"]',
        },
        {
            "StepType": "model",
            "Provider": "mistral_ai",
            "InputTokens": 12,
            "OutputTokens": 6,
            "FinishReason": "stop",
        },
    ),
    "Semantic Kernel": (
        "semantic_kernel",
        "chat.completions gpt-4o",
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
        },
        {"StepType": "model", "Operation": "chat", "Provider": "openai"},
    ),
    "OpenLIT, whose chat spans name a tool": (
        "openlit.otel.tracing",
        "chat gpt-4o",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.tool.name": "search",
            "gen_ai.usage.cache_read_tokens": 3,
            "gen_ai.usage.input_tokens": 10,
        },
        {"StepType": "model", "InputTokens": 10, "CacheReadTokens": 3},
    ),
    "Logfire, a call in words": (
        "logfire.openai",
        "Chat Completion with 'gpt-4o'",
        {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"},
        {"StepType": "model", "Operation": "chat"},
    ),
    "Claude Code, whose input leaves the cache out": (
        "com.anthropic.claude_code.tracing",
        "claude_code.llm_request",
        {
            "span.type": "llm_request",
            "gen_ai.system": "anthropic",
            "model": "claude-opus-4-5",
            "input_tokens": 100,
            "output_tokens": 5,
            "cache_read_tokens": 60,
            "cache_creation_tokens": 7,
            "attempt": 2,
        },
        {
            "StepType": "model",
            "Model": "claude-opus-4-5",
            "InputTokens": 167,
            "OutputTokens": 5,
            "CacheReadTokens": 60,
            "CacheWriteTokens": 7,
            "Attempt": 2,
        },
    ),
    "Bedrock through Strands": (
        "strands.telemetry.tracer",
        "chat",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 40,
        },
        {"StepType": "model", "Provider": "aws.bedrock", "InputTokens": 140},
    ),
    "DSPy, a tool named by its span": (
        "openinference.instrumentation.dspy",
        "lookup_order.__call__",
        {"openinference.span.kind": "TOOL"},
        {"StepType": "tool", "ToolName": "lookup_order"},
    ),
    "LlamaIndex under OpenLLMetry, where all is a task": (
        "opentelemetry.instrumentation.llamaindex",
        "OpenAI.chat.task",
        {"traceloop.span.kind": "task", "llm.request.type": "chat", "gen_ai.system": "OpenAI"},
        {"StepType": "model", "Provider": "openai", "Operation": "chat"},
    ),
    "LlamaIndex under OpenLLMetry, a tool": (
        "opentelemetry.instrumentation.llamaindex",
        "FunctionTool.task",
        {"traceloop.span.kind": "task", "traceloop.entity.name": "FunctionTool.task"},
        {"StepType": "tool", "ToolName": None},
    ),
    "LlamaIndex under OpenLLMetry, a retriever": (
        "opentelemetry.instrumentation.llamaindex",
        "VectorIndexRetriever.task",
        {"traceloop.span.kind": "task", "traceloop.entity.output": "[]"},
        {"StepType": "retrieve", "FailureCode": "empty_retrieval"},
    ),
    "OpenLLMetry, a vector store that is read": (
        "opentelemetry.instrumentation.chromadb",
        "chroma.query",
        {"db.system": "chroma", "db.operation": "query"},
        {"StepType": "retrieve"},
    ),
    "OpenLLMetry, a vector store that is written": (
        "opentelemetry.instrumentation.chromadb",
        "chroma.add",
        {"db.system": "chroma", "db.operation": "add"},
        {"StepType": "other"},
    ),
    "Spring AI, a vector store": (
        "org.springframework.boot",
        "pg_vector query",
        {"spring.ai.kind": "vector_store", "db.system": "pg_vector", "db.operation.name": "query"},
        {"StepType": "retrieve"},
    ),
    "LoongSuite and Dify": (
        "loongsuite",
        "rerank",
        {"gen_ai.span.kind": "RERANKER"},
        {"StepType": "retrieve"},
    ),
    "a memory search of the current conventions": (
        "tests",
        "search_memory notes",
        {"gen_ai.operation.name": "search_memory"},
        {"StepType": "retrieve"},
    ),
    "an upserted memory": (
        "tests",
        "upsert_memory",
        {"gen_ai.operation.name": "upsert_memory"},
        {"StepType": "memory"},
    ),
    "a tool's span without a single attribute": (
        "gcp.vertex.agent",
        "execute_tool lookup_order",
        {},
        {"StepType": "tool", "ToolName": "lookup_order", "Operation": "execute_tool"},
    ),
    "an embedding on its own": (
        "tests",
        "embeddings text-embedding-3-small",
        {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 7},
        {"StepType": "other", "Operation": "embeddings", "InputTokens": 7},
    ),
}


@pytest.mark.parametrize(("scope", "name", "given", "expected"), CASES.values(), ids=CASES.keys())
def test_documented_shapes(scope: str, name: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A span as its library's documentation shows it gets the columns that every other dialect's gets."""
    found = row(name, given, scope)

    assert expected == {key: found.get(key) for key in expected}


@pytest.mark.parametrize(
    ("scope", "name", "given"),
    [
        ("app", "chat support", {"http.request.method": "GET", "http.route": "/chat"}),
        ("app", "GET /v1/messages", {}),
        ("app", "retrieve", {"db.system": "postgresql"}),
        ("autogen SingleThreadedAgentRuntime", "autogen process x", {"messaging.operation": "process"}),
    ],
)
def test_infrastructure_is_no_step(scope: str, name: str, given: dict[str, Any]) -> None:
    """Calls of protocols and databases are no steps, whatever their names."""
    assert "StepType" not in row(name, given, scope)


def test_an_embedding_inside_a_run_retrieves() -> None:
    """Inside a run an embedding looks something up for the step around it."""
    found = row("embed", {"openinference.span.kind": "EMBEDDING"}, parent=7)

    assert ("retrieve", "embeddings") == (found["StepType"], found["Operation"])


@pytest.mark.parametrize(
    "key", ["model", "input_tokens", "tool_name", "attempt"], ids=lambda key: f"{key} of anybody"
)
def test_common_words_are_believed_of_one_library_only(key: str) -> None:
    """``model`` or ``attempt`` on a span of another library is no fact about a model call, though that one
    library's spans are in the same batch."""
    made = request(span("x", {key: 7 if key in ("input_tokens", "attempt") else "alice"}), scope="app")
    made.resource_spans.extend(request(span("y"), scope="com.anthropic.claude_code.tracing").resource_spans)
    columns = process(decoded(made), normalize()).rows.to_pydict()

    assert [None] * 4 == [
        columns.get(name, [None])[0] for name in ("Model", "InputTokens", "ToolName", "Attempt")
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gen_ai.system": "Langchain"}, None),
        ({"gen_ai.system": "Langchain", "gen_ai.request.model": "gpt-4o-mini"}, "openai"),
        ({"gen_ai.request.model": "azure/gpt-4o"}, "azure.ai.openai"),
        ({"gen_ai.request.model": "gemini-2.5-flash"}, "gcp.gemini"),
        ({"gen_ai.request.model": "claude-sonnet-4@20250514"}, "gcp.vertex_ai"),
        ({"gen_ai.request.model": "my-own-model"}, None),
        ({"gen_ai.provider.name": "MyGateway", "gen_ai.request.model": "gpt-4o"}, "MyGateway"),
        ({"gen_ai.system": "AWS"}, "aws.bedrock"),
        ({"gen_ai.system": "xai"}, "x_ai"),
        ({"gen_ai.system": "OpenAI"}, "openai"),
    ],
)
def test_providers(given: dict[str, Any], expected: str | None) -> None:
    """The provider as named, in the conventions' words; a framework's name is none; else the one who alone
    owns such models. What the tables don't know keeps its case."""
    assert expected == row("chat", {"gen_ai.operation.name": "chat", **given}).get("Provider")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gen_ai.usage.input_tokens": 29, "gen_ai.usage.cache_read.input_tokens": 5}, 29),
        ({"gen_ai.usage.input_tokens": 3, "gen_ai.usage.cache_read.input_tokens": 2000}, 2003),
        (
            {
                "gen_ai.usage.input_tokens": 21,
                "gen_ai.usage.output_tokens": 9,
                "gen_ai.usage.cache_read.input_tokens": 5,
                "gen_ai.usage.cache_creation.input_tokens": 3,
                "gen_ai.usage.total_tokens": 38,
            },
            29,
        ),
        (
            {
                "llm.token_count.prompt": 21,
                "llm.token_count.completion": 9,
                "llm.token_count.total": 30,
                "llm.token_count.prompt_details.cache_read": 5,
            },
            21,
        ),
    ],
    ids=["inclusive", "more cached than read", "a total that holds both", "a total that doesn't"],
)
def test_input_tokens_hold_the_cached_ones(given: dict[str, Any], expected: int) -> None:
    """Where the figures show that cached tokens were counted apart, they are added."""
    assert expected == row("chat", {"gen_ai.operation.name": "chat", **given})["InputTokens"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"http.request.resend_count": 1}, 2), ({"agent.step.attempt": 3, "http.request.resend_count": 1}, 3)],
)
def test_attempts(given: dict[str, Any], expected: int) -> None:
    """A resend is the second attempt, unless the agent counted itself."""
    assert expected == row("chat", {"gen_ai.operation.name": "chat", **given})["Attempt"]
