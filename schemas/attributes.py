"""The allow-list: every string attribute that may be stored, by what it means. Nothing else is.

    LABEL   an enum-like value, a version, an opaque id: kept when it passes as one (charset, length)
    LABELS  a list of labels, or a flat map of labels and numbers, as a value or as JSON text
    NAME    of a service, host, run, prompt: kept when it passes as a name
    AGENT   the name of an agent; MODEL, of a model; STEP, of a step: kept when they pass as names and a
            tenant doesn't bring more of them than its share
    TOOL    the name of a tool, which models can invent: the same, and in one style of writing
    HASHED  who or which session: kept as a keyed hash, so that it can be counted and joined, not read

Numbers and booleans are kept under any well-formed key, except where content stands (``schemas/content.py``)
and under NO_NUMBERS.
Sources: OpenTelemetry semantic conventions (general and GenAI), OpenInference, OpenLLMetry, and the
attributes that frameworks were captured to send. A key is added here only with a reason to need it.
"""

LABEL = "label"
LABELS = "labels"
NAME = "name"
AGENT = "agent"
MODEL = "model"
STEP = "step"
TOOL = "tool"
HASHED = "hashed"

_LABELS = """
    error.type error.code exception.type exception.escaped
    otel.status_code otel.library.version otel.scope.version
    http.request.method http.method http.route http.scheme http.flavor http.response.status_code http.status_code
    network.protocol.name network.protocol.version network.transport network.type server.port
    rpc.system rpc.service rpc.method rpc.response.status_code rpc.grpc.status_code
    db.system db.system.name db.operation db.operation.name messaging.system messaging.operation
    messaging.operation.name messaging.operation.type
    telemetry.sdk.language telemetry.sdk.name telemetry.sdk.version telemetry.auto.version telemetry.distro.version
    service.version service.instance.id
    process.runtime.version os.type os.version host.arch container.id
    cloud.provider cloud.region cloud.availability_zone cloud.platform k8s.pod.uid faas.version
    vcs.ref.head.revision schema_url

    gen_ai.operation.name gen_ai.provider.name gen_ai.system gen_ai.output.type gen_ai.agent.id gen_ai.agent.version
    gen_ai.response.id gen_ai.tool.type gen_ai.tool.call.id gen_ai.tool.status gen_ai.task.status
    gen_ai.token.type gen_ai.token.modality gen_ai.prompt.version gen_ai.request.reasoning.level
    gen_ai.openai.request.service_tier gen_ai.openai.response.service_tier
    gen_ai.openai.response.system_fingerprint openai.request.service_tier openai.response.service_tier
    openai.response.system_fingerprint openai.api.type gen_ai.response.finish_reason gen_ai.response.stop_reason
    gen_ai.response.status gen_ai.evaluation.score.label gen_ai.data_source.id gen_ai.memory.store.id
    anthropic.message.stop_reason finish_reason
    mcp.method.name mcp.protocol.version jsonrpc.protocol.version jsonrpc.request.id

    openinference.span.kind llm.provider llm.system llm.finish_reason llm.request.type input.mime_type output.mime_type
    embedding.model_name reranker.model_name tool.call_id tool_call.id
    langsmith.span.kind langfuse.observation.type langfuse.observation.level
    traceloop.span.kind mlflow.spanType ai.operationId ai.model.provider ai.response.id ai.response.finishReason
    ai.finishReason ai.toolCall.id spring.ai.kind span.type gen_ai.span.kind lmnr.span.type
    crewai.event_name crewai.tool.failure.code crewai.tool.failure.reason crewai.tool.failure.policy
    crewai.crew.process crewai.llm.call_type crewai.principal.type
    pydantic_ai.tool.failure_stage pydantic_ai.tool.retry.cause haystack.component.type haystack.tool.error
    llamaindex.step.input_event flow.node.type

    agent.run.status agent.step.type agent.failure.type agent.failure.code agent.type agent.category
    agent.deployment.type agent.version agent.code.hash agent.config.hash agent.prompt.hash agent.prompt.version
    agent.artifact.content_type agent.artifact.sha256 agent.artifact.key agent.health.check.status
    agent.memory.kind agent.memory.id agent.metric.unit agent.metric.label agent.tool.definition.hash agent.tool.version
    agent.learning.pattern
"""

_NAMES = """
    service.name service.namespace host.name host.type deployment.environment deployment.environment.name
    process.runtime.name
    k8s.cluster.name k8s.namespace.name k8s.pod.name k8s.node.name k8s.deployment.name k8s.container.name
    k8s.job.name k8s.cronjob.name container.name container.image.name cloud.resource_id faas.name
    otel.library.name otel.scope.name server.address
    gen_ai.evaluation.name graph.node.id graph.node.parent_id traceloop.entity.path
    agent.run.id agent.run.name agent.id agent.artifact.name agent.health.check.name agent.metric.name
    agent.prompt.name gen_ai.prompt.name
"""

_AGENTS = """
    gen_ai.agent.name gen_ai.workflow.name gen_ai.handoff.from_agent gen_ai.handoff.to_agent
    agent.name agent_name lc_agent_name langsmith.trace.name traceloop.workflow.name
    crewai.agent.role crewai.crew.name crewai.flow.name crewai.task.agent ai.telemetry.functionId
"""

_MODELS = """
    gen_ai.request.model gen_ai.response.model llm.model_name llm.request.model_name llm.response.model_name
    model_name langfuse.observation.model.name litellm.provider.model ai.model.id ai.response.model
"""

_STEPS = """
    agent.step.name gen_ai.task.name graph.node.name langgraph_node crewai.method.name haystack.component.name
"""

_TOOLS = """
    gen_ai.tool.name tool.name haystack.tool.name ai.toolCall.name spring.ai.tool.definition.name
"""

_HASHED = """
    user.id enduser.id session.id session.previous_id gen_ai.conversation.id mcp.session.id gen_ai.user llm.user
    traceloop.association.properties.user_id traceloop.association.properties.session_id
    traceloop.association.properties.thread_id langsmith.metadata.user_id langsmith.metadata.session_id
    langsmith.metadata.thread_id crewai.principal.id gcp.vertex.agent.session_id anthropic.session.id
    langfuse.user.id langfuse.session.id gen_ai.user.id gen_ai.request.user ai.telemetry.metadata.userId
    ai.telemetry.metadata.sessionId mlflow.trace.user mlflow.trace.session spring.ai.chat.client.conversation.id
    agent.memory.hash agent.run.input.hash
"""

_LISTS = """
    gen_ai.response.finish_reasons gen_ai.request.encoding_formats agent.capabilities agent.data_sources
    agent.artifact.meta agent.tags agent.prompt.variables agent.run.input.fields
"""

ALLOWED: dict[str, str] = {
    **dict.fromkeys(_LABELS.split(), LABEL),
    **dict.fromkeys(_NAMES.split(), NAME),
    **dict.fromkeys(_AGENTS.split(), AGENT),
    **dict.fromkeys(_MODELS.split(), MODEL),
    **dict.fromkeys(_STEPS.split(), STEP),
    **dict.fromkeys(_TOOLS.split(), TOOL),
    **dict.fromkeys(_HASHED.split(), HASHED),
    **dict.fromkeys(_LISTS.split(), LABELS),
}
"""Key → class, of every string attribute that may be stored."""

ALLOWED_PREFIXES: dict[str, str] = {
    "agent.step.metadata.": LABEL,
    "agent.run.metadata.": LABEL,
    "agent.metadata.": LABEL,
    "agent.run.result.": LABEL,
    "agent.artifact.meta.": LABEL,
    "agent.health.": LABEL,
}
"""Prefixes of ours under which the SDK puts only labels; checked again here."""

NO_NUMBERS: tuple[str, ...] = ("http.request.header.", "http.response.header.", "metadata.", "url.")
"""Under these even a number may be somebody's data: nothing is kept."""
