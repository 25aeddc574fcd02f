"""Where dialects put content: what agents are told, say, look up and do. Never stored; its size is.

    SYSTEM      instructions and definitions that the agent was given
    INPUT       what went into a step: prompts, questions, arguments
    OUTPUT      what came out of it: responses, results
    DOCUMENTS   what was found
    ERROR       what exceptions say, which is made of all of these

Sources: OpenTelemetry GenAI conventions (current and the deprecated names in use), OpenInference,
OpenLLMetry, and what frameworks were captured to send. The list names content, it doesn't protect from
it: what is on no list is dropped as well.
"""

from functools import lru_cache

SYSTEM = "system"
INPUT = "input"
OUTPUT = "output"
DOCUMENTS = "documents"
ERROR = "error"

_KEYS = {
    SYSTEM: """
        gen_ai.system_instructions gen_ai.tool.definitions gen_ai.tool.description gen_ai.agent.description
        llm.tools llm.prompt_template.template llm.request.functions tool.description tool.json_schema
        model_request_parameters agent.goal agent.backstory haystack.agent.tools haystack.tool.description
        gen_ai.request.structured_output_schema traceloop.prompt.template logfire.json_schema
    """,
    INPUT: """
        gen_ai.input.messages gen_ai.prompt gen_ai.tool.call.arguments gen_ai.retrieval.query.text
        gen_ai.memory.query.text gen_ai.task.input gen_ai.content.prompt input.value llm.prompts
        llm.invocation_parameters llm.prompt_template.variables traceloop.entity.input
        traceloop.prompt.template_variables tool.arguments tool.parameters tool_arguments reranker.query
        embedding.text mcp.request.argument mcp.resource.uri crew_inputs crewai.crew.inputs crewai.flow.inputs
        crewai.method.params crewai.task.description crewai.task.expected_output task_description
        task_expected_output gcp.vertex.agent.llm_request gcp.vertex.agent.tool_call_args
        gcp.vertex.agent.data haystack.pipeline.input_data haystack.component.input haystack.agent.input
        langfuse.observation.input langfuse.trace.input llamaindex.step.input_summary ai.prompt
        ai.prompt.messages ai.toolCall.args mlflow.spanInputs request_data all_messages_events
        pydantic_ai.all_messages events prompt
    """,
    OUTPUT: """
        gen_ai.output.messages gen_ai.completion gen_ai.tool.call.result gen_ai.task.output
        gen_ai.content.completion gen_ai.event.content output.value llm.choices llm.function_call
        traceloop.entity.output mcp.response.value crewai.crew.output crewai.crew.result crewai.task.output
        crewai.flow.result crewai.method.result crewai.crew.tasks_output final_result tool_response
        gcp.vertex.agent.llm_response gcp.vertex.agent.tool_response haystack.pipeline.output_data
        haystack.component.output haystack.agent.output langfuse.observation.output langfuse.trace.output
        ai.response.text ai.response.object ai.response.toolCalls ai.toolCall.result mlflow.spanOutputs
        response_data answer anthropic.tool_result.content gen_ai.evaluation.explanation logfire.msg
    """,
    ERROR: """
        error.message error.stack_trace exception.message exception.stacktrace
        gen_ai.framework.error.message langfuse.observation.status_message crewai.tool.failure.message
    """,
    DOCUMENTS: """
        gen_ai.retrieval.documents gen_ai.memory.records retrieval.documents reranker.input_documents
        reranker.output_documents
    """,
}

CONTENT_KEYS: dict[str, str] = {key: role for role, keys in _KEYS.items() for key in keys.split()}
"""Key → role."""

CONTENT_PREFIXES: dict[str, str] = {
    "gen_ai.prompt.variable.": INPUT,
    "gen_ai.prompt.": INPUT,
    "gen_ai.completion.": OUTPUT,
    "llm.input_messages.": INPUT,
    "llm.output_messages.": OUTPUT,
    "llm.prompts.": INPUT,
    "llm.choices.": OUTPUT,
    "llm.request.functions.": SYSTEM,
    "llm.tools.": SYSTEM,
    "embedding.embeddings.": INPUT,
    "gen_ai.embeddings.vector": OUTPUT,
    "retrieval.documents.": DOCUMENTS,
    "reranker.input_documents.": DOCUMENTS,
    "reranker.output_documents.": DOCUMENTS,
    "db.query.result.": DOCUMENTS,
    "tool.parameters.": INPUT,
    "tool_arguments.": INPUT,
    "mlflow.spanInputs.": INPUT,
    "mlflow.spanOutputs.": OUTPUT,
}
"""The flattened forms: messages, documents and arguments as one attribute a part."""

REFERENCES: dict[str, str] = {
    SYSTEM: "gen_ai.system_instructions_ref",
    INPUT: "gen_ai.input.messages_ref",
    OUTPUT: "gen_ai.output.messages_ref",
    DOCUMENTS: "gen_ai.retrieval.documents_ref",
}
"""Role → the attribute that says where content rests that is kept on purpose, as OpenTelemetry's own
packages name it where they upload content."""


@lru_cache(10_000)
def content_role(key: str) -> str | None:
    """The role of the content that stands under a key, or None."""
    role = CONTENT_KEYS.get(key)
    if role is None:
        for prefix, named in CONTENT_PREFIXES.items():
            if key.startswith(prefix):
                return named
    return role
