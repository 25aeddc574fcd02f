"""Foreign conventions → our columns: a table, a row a rename with its source; earlier rows are trusted more.

column          attribute key                     where the name comes from
InputTokens     gen_ai.usage.input_tokens         OTel GenAI
InputTokens     llm.token_count.prompt            OpenInference
"""

from typing import NamedTuple


class Rename(NamedTuple):
    """An attribute key whose value is a column's; ``source`` is the convention or library that says so."""

    column: str
    key: str
    source: str


def _table(text: str) -> tuple[Rename, ...]:
    rows = [line.split(None, 2) for line in text.strip().splitlines() if line.strip()]
    return tuple(Rename(column, key, source) for column, key, source in rows)


_STRINGS = _table("""
    RunId           agent.run.id                                        AgentTracer
    RunStatus       agent.run.status                                    AgentTracer
    AgentName       crewai.agent.role                                   CrewAI, whose gen_ai.agent.name is a hash
    AgentName       gen_ai.agent.name                                   OTel GenAI
    AgentName       agent.name                                          OpenInference
    AgentName       agent_name                                          pydantic-ai before 2
    AgentName       lc_agent_name                                       LangChain
    AgentName       langsmith.metadata.lc_agent_name                    LangSmith
    AgentName       traceloop.association.properties.lc_agent_name      OpenLLMetry LangChain
    AgentName       crewai.task.agent                                   OpenLLMetry CrewAI
    AgentName       ai.telemetry.functionId                             Vercel AI SDK
    AgentVersion    gen_ai.agent.version                                OTel GenAI
    AgentVersion    agent.version                                       AgentTracer
    StepName        agent.step.name                                     AgentTracer
    StepName        graph.node.name                                     OpenInference
    StepName        gen_ai.task.name                                    OpenLLMetry
    StepName        traceloop.entity.name                               OpenLLMetry
    StepName        langsmith.metadata.langgraph_node                   LangSmith
    StepName        traceloop.association.properties.langgraph_node     OpenLLMetry LangChain
    StepName        langgraph_node                                      LangGraph
    StepName        gen_ai.workflow.name                                OTel GenAI
    StepName        crewai.method.name                                  CrewAI
    StepName        haystack.component.name                             Haystack
    Operation       gen_ai.operation.name                               OTel GenAI
    Operation       llm.request.type                                    OTel GenAI before 1.27, OpenLLMetry 0.40
    Provider        gen_ai.provider.name                                OTel GenAI
    Provider        gen_ai.system                                       OTel GenAI before 1.37
    Provider        llm.provider                                        OpenInference
    Provider        llm.system                                          OpenInference
    Provider        langsmith.metadata.ls_provider                      LangSmith
    Provider        traceloop.association.properties.ls_provider        OpenLLMetry LangChain
    Provider        ai.model.provider                                   Vercel AI SDK
    Provider        mlflow.llm.provider                                 MLflow
    Model           gen_ai.response.model                               OTel GenAI
    Model           gen_ai.request.model                                OTel GenAI
    Model           llm.response.model_name                             OpenInference Anthropic
    Model           llm.model_name                                      OpenInference
    Model           llm.request.model_name                              OpenInference Anthropic
    Model           embedding.model_name                                OpenInference
    Model           reranker.model_name                                 OpenInference
    Model           langfuse.observation.model.name                     Langfuse
    Model           ai.response.model                                   Vercel AI SDK
    Model           ai.model.id                                         Vercel AI SDK
    Model           mlflow.llm.model                                    MLflow
    Model           langsmith.metadata.ls_model_name                    LangSmith
    Model           traceloop.association.properties.ls_model_name      OpenLLMetry LangChain
    Model           litellm.provider.model                              LiteLLM
    Model           model_name                                          pydantic-ai before 2
    Model           crewai.agent.llm                                    OpenLLMetry CrewAI
    ToolName        gen_ai.tool.name                                    OTel GenAI
    ToolName        tool.name                                           OpenInference
    ToolName        haystack.tool.name                                  Haystack
    ToolName        ai.toolCall.name                                    Vercel AI SDK
    ToolName        spring.ai.tool.definition.name                      Spring AI
    ToolName        tool_call.function.name                             OpenInference
    ConversationId  gen_ai.conversation.id                              OTel GenAI
    ConversationId  session.id                                          OTel, OpenInference, Langfuse
    ConversationId  langfuse.session.id                                 Langfuse 2
    ConversationId  traceloop.association.properties.session_id         OpenLLMetry
    ConversationId  traceloop.association.properties.thread_id          OpenLLMetry LangChain
    ConversationId  langsmith.metadata.session_id                       LangSmith
    ConversationId  langsmith.metadata.thread_id                        LangSmith
    ConversationId  ai.telemetry.metadata.sessionId                     Vercel AI SDK
    ConversationId  mlflow.trace.session                                MLflow
    ConversationId  spring.ai.chat.client.conversation.id               Spring AI
    ConversationId  mcp.session.id                                      OTel MCP
    ConversationId  gcp.vertex.agent.session_id                         Google ADK before 2
    ConversationId  anthropic.session.id                                Anthropic SDK
    UserHash        user.id                                             OTel, OpenInference, Langfuse
    UserHash        enduser.id                                          OTel before 1.27
    UserHash        langfuse.user.id                                    Langfuse 2
    UserHash        gen_ai.user                                         OpenLLMetry
    UserHash        llm.user                                            OpenLLMetry 0.40
    UserHash        gen_ai.user.id                                      LoongSuite, Dify
    UserHash        gen_ai.request.user                                 OpenLIT
    UserHash        traceloop.association.properties.user_id            OpenLLMetry
    UserHash        langsmith.metadata.user_id                          LangSmith
    UserHash        ai.telemetry.metadata.userId                        Vercel AI SDK
    UserHash        mlflow.trace.user                                   MLflow
    UserHash        crewai.principal.id                                 CrewAI
    FinishReason    gen_ai.response.finish_reasons                      OTel GenAI
    FinishReason    gen_ai.response.finish_reason                       OpenLLMetry
    FinishReason    gen_ai.response.stop_reason                         OpenLLMetry
    FinishReason    gen_ai.completion.0.finish_reason                   OpenLLMetry 0.40
    FinishReason    llm.finish_reason                                   OpenInference
    FinishReason    llm.response.finish_reason                          OpenLLMetry 0.40
    FinishReason    llm.response.stop_reason                            OpenLLMetry 0.40
    FinishReason    anthropic.message.stop_reason                       Anthropic SDK
    FinishReason    ai.response.finishReason                            Vercel AI SDK
    FinishReason    ai.finishReason                                     Vercel AI SDK 3
    ResponseId      gen_ai.response.id                                  OTel GenAI
    ResponseId      ai.response.id                                      Vercel AI SDK
    ResponseId      llm.response.id                                     OpenLLMetry 0.40
""")

_INTEGERS = _table("""
    StepSequence      agent.step.sequence                               AgentTracer
    Attempt           agent.step.attempt                                AgentTracer
    Attempt           pydantic_ai.tool.retry.attempt                    pydantic-ai
    InputTokens       gen_ai.usage.input_tokens                         OTel GenAI
    InputTokens       gen_ai.usage.prompt_tokens                        OTel GenAI before 1.27
    InputTokens       llm.token_count.prompt                            OpenInference
    InputTokens       llm.usage.prompt_tokens                           OpenLLMetry 0.40
    InputTokens       ai.usage.inputTokens                              Vercel AI SDK 5
    InputTokens       ai.usage.promptTokens                             Vercel AI SDK 4
    InputTokens       gen_ai.aggregated_usage.input_tokens              pydantic-ai agents
    OutputTokens      gen_ai.usage.output_tokens                        OTel GenAI
    OutputTokens      gen_ai.usage.completion_tokens                    OTel GenAI before 1.27
    OutputTokens      llm.token_count.completion                        OpenInference
    OutputTokens      llm.usage.completion_tokens                       OpenLLMetry 0.40
    OutputTokens      ai.usage.outputTokens                             Vercel AI SDK 5
    OutputTokens      ai.usage.completionTokens                         Vercel AI SDK 4
    OutputTokens      gen_ai.aggregated_usage.output_tokens             pydantic-ai agents
    CacheReadTokens   gen_ai.usage.cache_read.input_tokens              OTel GenAI
    CacheReadTokens   gen_ai.usage.cache_read_input_tokens              OpenLLMetry, Strands
    CacheReadTokens   llm.token_count.prompt_details.cache_read         OpenInference
    CacheReadTokens   llm.token_count.prompt_details.cache_input        OpenInference Anthropic
    CacheReadTokens   gen_ai.usage.details.cache_read_tokens            pydantic-ai
    CacheReadTokens   gen_ai.usage.details.cache_read_input_tokens      pydantic-ai 1
    CacheReadTokens   gen_ai.usage.details.cached_tokens                pydantic-ai 1
    CacheReadTokens   gen_ai.usage.cache_read_tokens                    OpenLIT
    CacheReadTokens   ai.usage.cachedInputTokens                        Vercel AI SDK 5
    CacheReadTokens   ai.usage.inputTokenDetails.cacheReadTokens        Vercel AI SDK 6
    CacheReadTokens   gen_ai.aggregated_usage.cache_read.input_tokens   pydantic-ai agents
    CacheWriteTokens  gen_ai.usage.cache_write.input_tokens             OTel GenAI
    CacheWriteTokens  gen_ai.usage.cache_creation.input_tokens          OTel GenAI before the rename
    CacheWriteTokens  gen_ai.usage.cache_creation_input_tokens          OpenLLMetry
    CacheWriteTokens  gen_ai.usage.cache_write_input_tokens             Strands
    CacheWriteTokens  llm.token_count.prompt_details.cache_write        OpenInference
    CacheWriteTokens  gen_ai.usage.details.cache_write_tokens           pydantic-ai
    CacheWriteTokens  gen_ai.usage.details.cache_creation_input_tokens  pydantic-ai 1
    CacheWriteTokens  gen_ai.usage.cache_creation_tokens                OpenLIT
    CacheWriteTokens  ai.usage.inputTokenDetails.cacheWriteTokens       Vercel AI SDK 6
    CacheWriteTokens  gen_ai.aggregated_usage.cache_write.input_tokens  pydantic-ai agents
    ReasoningTokens   gen_ai.usage.reasoning.output_tokens              OTel GenAI
    ReasoningTokens   gen_ai.usage.reasoning_tokens                     OpenLLMetry
    ReasoningTokens   llm.token_count.completion_details.reasoning      OpenInference
    ReasoningTokens   gen_ai.usage.details.reasoning_tokens             pydantic-ai
    ReasoningTokens   gen_ai.usage.details.thoughts_tokens              pydantic-ai, Gemini
    ReasoningTokens   gen_ai.usage.experimental.reasoning_tokens        Google ADK before 2
    ReasoningTokens   ai.usage.reasoningTokens                          Vercel AI SDK 5
    ReasoningTokens   ai.usage.outputTokenDetails.reasoningTokens       Vercel AI SDK 6
    ReasoningTokens   gen_ai.aggregated_usage.details.reasoning_tokens  pydantic-ai agents
    TotalTokens       gen_ai.usage.total_tokens                         OpenLLMetry, LangSmith
    TotalTokens       llm.usage.total_tokens                            OpenLLMetry 0.40
    TotalTokens       llm.token_count.total                             OpenInference
    TotalTokens       ai.usage.totalTokens                              Vercel AI SDK 5
    Resends           http.request.resend_count                         OTel HTTP: 1 is the second attempt
""")

_EVENTS = _table("""
    FinishReason      finish_reason                                                     Strands, gen_ai.choice
    Model             model_dict.model_name                                             LlamaIndex, LLMChatStartEvent
    Model             response.raw.model                                                LlamaIndex, LLMChatEndEvent
    ResponseId        response.raw.id                                                   LlamaIndex, LLMChatEndEvent
    InputTokens       response.raw.usage.prompt_tokens                                  LlamaIndex, LLMChatEndEvent
    InputTokens       response.raw.usage.input_tokens                                   LlamaIndex, LLMChatEndEvent
    OutputTokens      response.raw.usage.completion_tokens                              LlamaIndex, LLMChatEndEvent
    OutputTokens      response.raw.usage.output_tokens                                  LlamaIndex, LLMChatEndEvent
    CacheReadTokens   response.raw.usage.prompt_tokens_details.cached_tokens            LlamaIndex, LLMChatEndEvent
    CacheReadTokens   response.raw.usage.cache_read_input_tokens                        LlamaIndex, LLMChatEndEvent
    CacheWriteTokens  response.raw.usage.cache_creation_input_tokens                    LlamaIndex, LLMChatEndEvent
    ReasoningTokens   response.raw.usage.completion_tokens_details.reasoning_tokens     LlamaIndex, LLMChatEndEvent
""")

_CLAUDE_CODE = _table("""
    Model             model                    Claude Code
    InputTokens       input_tokens             Claude Code
    OutputTokens      output_tokens            Claude Code
    CacheReadTokens   cache_read_tokens        Claude Code
    CacheWriteTokens  cache_creation_tokens    Claude Code
    ToolName          tool_name                Claude Code
    Attempt           attempt                  Claude Code
    FinishReason      stop_reason              Claude Code
    ResponseId        response_id              Claude Code
""")

_RESOURCES = _table("""
    AgentName     gen_ai.agent.name        OTel GenAI
    AgentName     agent.name               AgentTracer
    AgentVersion  gen_ai.agent.version     OTel GenAI
    AgentVersion  agent.version            AgentTracer
    AgentVersion  service.version          OTel
""")

RENAMES: tuple[Rename, ...] = (*_STRINGS, *_INTEGERS, *_EVENTS, *_CLAUDE_CODE, *_RESOURCES)
"""Every row of the tables above."""


def _by_column(*tables: tuple[Rename, ...]) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {}
    for row in (row for table in tables for row in table):
        keys[row.column] = (*keys.get(row.column, ()), row.key)
    return keys


SPAN_STRINGS: dict[str, tuple[str, ...]] = _by_column(_STRINGS)
"""Column → attribute keys whose value is a string."""

SPAN_INTEGERS: dict[str, tuple[str, ...]] = _by_column(_INTEGERS)
"""Column → attribute keys whose value is a whole number. ``TotalTokens`` and ``Resends`` are no columns:
evidence for others."""

EVENT_KEYS: dict[str, tuple[str, ...]] = _by_column(_EVENTS)
"""Column → keys of a span's event that say it of the span."""

SCOPED_KEYS: dict[str, dict[str, tuple[str, ...]]] = {"claude_code": _by_column(_CLAUDE_CODE)}
"""A part of the scope's name → column → keys too common to be believed of anybody else."""

RESOURCE_STRINGS: dict[str, tuple[str, ...]] = _by_column(_RESOURCES)
"""Column → resource attribute keys that stand in where the row itself has none."""
