"""The names of what agents do: attributes, step types, statuses, failures, events. Standard library only.

Identity and model facts use OpenTelemetry's GenAI names; ``agent.*`` is what that standard lacks. The SDK,
the collector and its tables all take their names from here.
"""

from enum import StrEnum
from typing import Final

# The run: one execution of an agent, a root span.
AGENT_RUN_ID: Final = "agent.run.id"  # the run's own id, on every span and event of the run
AGENT_RUN_NAME: Final = "agent.run.name"  # a short name for this kind of run
AGENT_RUN_STATUS: Final = "agent.run.status"  # a RunStatus, on the root span and on run events
AGENT_RUN_METADATA: Final = "agent.run.metadata"  # prefix of the run's numbers, booleans and labels
AGENT_RUN_RESULT: Final = "agent.run.result"  # prefix of the summary of what came out
AGENT_RUN_INPUT_SIZE: Final = "agent.run.input.size_bytes"  # size of what went in, as JSON
AGENT_RUN_INPUT_HASH: Final = "agent.run.input.hash"  # SHA-256 of it; stored as a keyed hash
AGENT_RUN_INPUT_FIELDS: Final = "agent.run.input.fields"  # its field names and their types, name:type

# The step: one thing the agent did, a child span.
AGENT_STEP_TYPE: Final = "agent.step.type"  # a StepType
AGENT_STEP_NAME: Final = "agent.step.name"  # what the code calls the step
AGENT_STEP_SEQUENCE: Final = "agent.step.sequence"  # order in which the run's steps started, from 1
AGENT_STEP_ATTEMPT: Final = "agent.step.attempt"  # which try this is, from 1
AGENT_STEP_METADATA: Final = "agent.step.metadata"  # prefix of the step's numbers, booleans and labels
AGENT_STEP_CHUNK_COUNT: Final = "agent.step.chunk_count"  # pieces that a stream came in
AGENT_RETRY_COUNT: Final = "agent.retry.count"  # tries after the first, of a step or a run
AGENT_RETRIEVAL_DOCUMENT_COUNT: Final = "agent.retrieval.document_count"  # documents that a retrieval found

# Failures.
AGENT_FAILURE_TYPE: Final = "agent.failure.type"  # a FailureType
AGENT_FAILURE_CODE: Final = "agent.failure.code"  # a FailureCode
AGENT_FAILURE_MESSAGE: Final = (
    "agent.failure.message"  # free text: sent only on request, never stored by default
)
ERROR_TYPE: Final = "error.type"  # the exception's class name
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"  # what a tool or model answered

# The agent.
AGENT_CATEGORY: Final = "agent.category"  # strategic, operational, support
AGENT_TYPE: Final = "agent.type"  # llm_agent, ml_model, chatbot, api_agent, workflow_agent, custom
AGENT_CAPABILITIES: Final = "agent.capabilities"  # labels of what the agent can do
AGENT_DATA_SOURCES: Final = "agent.data_sources"  # labels of what the agent reads
AGENT_DEPLOYMENT_TYPE: Final = "agent.deployment.type"  # docker, kubernetes, local, cloud, serverless
AGENT_TAGS: Final = "agent.tags"  # labels to find the agent by
AGENT_METADATA: Final = "agent.metadata"  # prefix of the agent's numbers, booleans and labels
AGENT_PORT: Final = "agent.port"  # where the agent listens
AGENT_PROMPT_VARIABLES: Final = "agent.prompt.variables"  # names of what a prompt template leaves open
AGENT_PROMPT_SIZE: Final = "agent.prompt.size_bytes"  # of the prompt template
AGENT_PROMPT_HASH: Final = "agent.prompt.hash"  # hash of the prompt template
AGENT_CODE_HASH: Final = "agent.code.hash"  # hash of the agent's code
AGENT_CONFIG_HASH: Final = "agent.config.hash"  # hash of the agent's configuration

# Tools, metrics and what was learned: log events.
AGENT_TOOL_DEFINITION_HASH: Final = "agent.tool.definition.hash"  # SHA-256 of a tool's definition
AGENT_TOOL_DEFINITION_SIZE: Final = "agent.tool.definition.size_bytes"  # its size, as JSON
AGENT_TOOL_VERSION: Final = "agent.tool.version"  # the tool's version
AGENT_METRIC_NAME: Final = "agent.metric.name"  # what was measured
AGENT_METRIC_VALUE: Final = "agent.metric.value"  # the number
AGENT_METRIC_LABEL: Final = "agent.metric.label"  # or the label, where the value is not a number
AGENT_METRIC_UNIT: Final = "agent.metric.unit"  # its unit
AGENT_LEARNING_PATTERN: Final = "agent.learning.pattern"  # label of what was learned
AGENT_LEARNING_CONFIDENCE: Final = "agent.learning.confidence"  # how sure that is, 0 to 1
AGENT_LEARNING_EVIDENCE_COUNT: Final = "agent.learning.evidence_count"  # runs that speak for it

# Artifacts: a log event whose body is the bytes.
AGENT_ARTIFACT_NAME: Final = "agent.artifact.name"  # file name of the artifact
AGENT_ARTIFACT_CONTENT_TYPE: Final = "agent.artifact.content_type"  # media type
AGENT_ARTIFACT_META: Final = "agent.artifact.meta"  # JSON object of numbers, booleans and labels
AGENT_ARTIFACT_SIZE: Final = "agent.artifact.size_bytes"  # bytes of the body
AGENT_ARTIFACT_SHA256: Final = "agent.artifact.sha256"  # of the body, in hex; the collector sets it
AGENT_ARTIFACT_KEY: Final = "agent.artifact.key"  # tenant/agent/run/uuid/name; the collector sets it

# Health and memory.
AGENT_HEALTH_CHECK_NAME: Final = "agent.health.check.name"  # which check
AGENT_HEALTH_CHECK_STATUS: Final = "agent.health.check.status"  # its outcome
AGENT_HEALTH_CHECK_DURATION: Final = "agent.health.check.duration_ms"  # how long the check took
AGENT_HEALTH_STATUS: Final = "agent.health.status"  # online, warning, error, maintenance
AGENT_HEALTH_SCORE: Final = "agent.health.score"  # share of the checks that passed, 0 to 1
AGENT_UPTIME_SECONDS: Final = "agent.uptime_seconds"  # since the process began to report
AGENT_TASKS_PENDING: Final = "agent.tasks.pending"  # runs queued or running in the process
AGENT_TASKS_COMPLETED: Final = "agent.tasks.completed"  # runs that did not fail, since it began to report
AGENT_TASKS_FAILED: Final = "agent.tasks.failed"  # runs that failed
AGENT_MEMORY_ID: Final = "agent.memory.id"  # which memory
AGENT_MEMORY_KIND: Final = "agent.memory.kind"  # what kind of memory
AGENT_MEMORY_IMPORTANCE: Final = "agent.memory.importance"  # how much it matters, 0 to 1
AGENT_MEMORY_HASH: Final = "agent.memory.hash"  # SHA-256 of its content; stored as a keyed hash
AGENT_MEMORY_SIZE: Final = "agent.memory.size_bytes"  # of its content

# OpenTelemetry's GenAI names.
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"  # an Operation
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"  # who serves the model
GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"  # the agent's stable id
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"  # the agent's name
GEN_AI_AGENT_VERSION: Final = "gen_ai.agent.version"  # the agent's version
GEN_AI_AGENT_DESCRIPTION: Final = "gen_ai.agent.description"  # free text: never stored
GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"  # the workflow that the agent is part of
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"  # the session; stored as a hash
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"  # the model that was asked for
GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"  # sampling seed
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"  # sampling temperature
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"  # limit on the answer
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"  # the model that answered
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"  # the provider's id of the answer
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"  # why each answer ended
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # seconds, when streaming
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"  # tokens read, cached ones included
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"  # tokens written, reasoning included
GEN_AI_USAGE_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"  # tokens read from a cache
GEN_AI_USAGE_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"  # tokens put into a cache
GEN_AI_USAGE_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"  # tokens spent on reasoning
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"  # which tool ran
GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"  # function, extension, datastore
GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"  # the model's id of the call
GEN_AI_PROMPT_NAME: Final = "gen_ai.prompt.name"  # the prompt template's name
GEN_AI_PROMPT_VERSION: Final = "gen_ai.prompt.version"  # the prompt template's version
USER_ID: Final = "user.id"  # who the run was for; stored as a hash

# OpenTelemetry's resource names.
SERVICE_NAME: Final = "service.name"  # the program
SERVICE_VERSION: Final = "service.version"  # its version
SERVICE_INSTANCE_ID: Final = "service.instance.id"  # this one of its processes
HOST_NAME: Final = "host.name"  # where it runs
VCS_REF_HEAD_REVISION: Final = "vcs.ref.head.revision"  # the commit it was built from
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"  # production, staging, ...
TELEMETRY_DISTRO_NAME: Final = "telemetry.distro.name"  # what set OpenTelemetry up
TELEMETRY_DISTRO_VERSION: Final = "telemetry.distro.version"  # its version


class RunStatus(StrEnum):
    """Where a run stands. A run that stopped reporting is stalled: derived, never stored."""

    QUEUED = "queued"  # known, not started
    RUNNING = "running"  # started, its root span still open
    SUCCESS = "success"  # ended well
    FAILURE = "failure"  # did not do what it was asked
    PARTIAL = "partial"  # ended well although a step failed
    CANCELLED = "cancelled"  # stopped on purpose


RUN_STATUS_ALIASES: Final = {
    "pending": RunStatus.QUEUED,
    "completed": RunStatus.SUCCESS,
    "failed": RunStatus.FAILURE,
    "canceled": RunStatus.CANCELLED,
}
"""Other words for a status, accepted at the edges."""


def parse_run_status(word: str) -> RunStatus:
    """The status that a word stands for, aliases included; raises ``ValueError`` for any other word."""
    word = word.lower()
    return RUN_STATUS_ALIASES.get(word) or RunStatus(word)


class StepType(StrEnum):
    """What kind of thing the agent did."""

    PLAN = "plan"  # decided what to do
    RETRIEVE = "retrieve"  # looked something up
    MODEL = "model"  # called a model on the way
    TOOL = "tool"  # ran a tool
    RESPOND = "respond"  # made the answer
    MEMORY = "memory"  # read or wrote its memory
    AGENT = "agent"  # handed over to another agent
    OTHER = "other"  # anything else


class FailureType(StrEnum):
    """Which part of the agent failed."""

    TOOL = "tool"  # a tool
    MODEL = "model"  # a model or its provider
    RETRIEVAL = "retrieval"  # a search, or the memory
    ORCHESTRATION = "orchestration"  # the agent's own logic


class FailureCode(StrEnum):
    """How it failed. The list is closed."""

    TIMEOUT = "timeout"  # no answer in time
    RATE_LIMITED = "rate_limited"  # too many requests
    QUOTA_EXCEEDED = "quota_exceeded"  # the account's allowance is used up
    AUTH = "auth"  # credentials missing, wrong or not enough
    INVALID_REQUEST = "invalid_request"  # the other side refused what was asked
    SCHEMA_INVALID = "schema_invalid"  # data not in the agreed shape
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"  # more than the model can read
    CONTENT_FILTERED = "content_filtered"  # a provider's filter or a refusal
    TRUNCATED = "truncated"  # the answer hit its length limit
    EMPTY_RETRIEVAL = "empty_retrieval"  # a search that found nothing
    NOT_FOUND = "not_found"  # what was asked for does not exist
    TOOL_NOT_FOUND = "tool_not_found"  # a call of a tool that does not exist
    CONNECTION = "connection"  # the other side could not be reached
    SERVER_ERROR = "server_error"  # the other side broke
    MAX_STEPS = "max_steps"  # the agent's step limit
    GUARDRAIL_BLOCKED = "guardrail_blocked"  # a guardrail said no
    HANDOFF_FAILED = "handoff_failed"  # another agent could not take over
    BUDGET_EXCEEDED = "budget_exceeded"  # a limit on cost or tokens
    CANCELLED = "cancelled"  # stopped on purpose
    ERROR = "error"  # failed, with no more specific evidence


class EventName(StrEnum):
    """``event_name`` of the log records that carry what is not a span."""

    RUN_QUEUED = "agent.run.queued"  # a run is known
    RUN_STARTED = "agent.run.started"  # its root span is open
    RUN_CANCELLED = "agent.run.cancelled"  # it was stopped on purpose
    REGISTERED = "agent.registered"  # an agent came up
    DEREGISTERED = "agent.deregistered"  # an agent went down
    HEARTBEAT = "agent.heartbeat"  # an agent is alive
    HEALTH_CHECK = "agent.health_check"  # the outcome of a check
    ARTIFACT = "agent.artifact"  # bytes in the body
    PROMPT_TEMPLATE = "agent.prompt_template"  # a prompt template, by hash
    TOOL_DEFINITION = "agent.tool_definition"  # a tool's definition, by hash
    MEMORY = "agent.memory"  # a memory was stored
    LEARNING_PATTERN = "agent.learning_pattern"  # something the agents learned
    METRIC = "agent.metric"  # one measured value of a run


class Operation(StrEnum):
    """``gen_ai.operation.name``, as far as steps map onto it."""

    INVOKE_AGENT = "invoke_agent"  # a run, or a sub-agent
    PLAN = "plan"  # planning
    RETRIEVAL = "retrieval"  # a search
    CHAT = "chat"  # a model call
    EXECUTE_TOOL = "execute_tool"  # a tool call
    UPSERT_MEMORY = "upsert_memory"  # a memory was stored
    SEARCH_MEMORY = "search_memory"  # memories were looked up


STEP_OPERATIONS: Final = {
    StepType.PLAN: Operation.PLAN,
    StepType.RETRIEVE: Operation.RETRIEVAL,
    StepType.MODEL: Operation.CHAT,
    StepType.TOOL: Operation.EXECUTE_TOOL,
    StepType.RESPOND: Operation.CHAT,
    StepType.AGENT: Operation.INVOKE_AGENT,
}
"""The operation of each step type that has one."""

STEP_FAILURE_TYPES: Final = {
    StepType.PLAN: FailureType.ORCHESTRATION,
    StepType.RETRIEVE: FailureType.RETRIEVAL,
    StepType.MODEL: FailureType.MODEL,
    StepType.TOOL: FailureType.TOOL,
    StepType.RESPOND: FailureType.MODEL,
    StepType.MEMORY: FailureType.RETRIEVAL,
    StepType.AGENT: FailureType.ORCHESTRATION,
    StepType.OTHER: FailureType.ORCHESTRATION,
}
"""Which part of the agent failed when a step of this type failed."""
