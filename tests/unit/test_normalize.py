"""Facts in any dialect end in the same typed columns."""

from typing import Any

import pytest

from tests.otlp_traces import request, span
from tests.processing import column, decoded, normalize, process


def typed(given: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    rows = process(decoded(request(span("s", given), resource=resource)), normalize()).rows
    return {name: values[0] for name, values in rows.to_pydict().items() if values[0] is not None}


@pytest.mark.parametrize(
    "given",
    [
        {
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024",
            "gen_ai.system": "az.ai.openai",
            "gen_ai.usage.prompt_tokens": 21,
            "gen_ai.usage.completion_tokens": 9,
            "gen_ai.usage.cache_creation.input_tokens": 3,
            "gen_ai.usage.cache_read_input_tokens": 4,
            "gen_ai.response.finish_reasons": ["stop", "length"],
            "gen_ai.conversation.id": "sess-42",
            "enduser.id": "alice",
            "gen_ai.agent.name": "support",
        },
        {
            "llm.model_name": "gpt-4o-2024",
            "llm.provider": "azure",
            "llm.token_count.prompt": 21,
            "llm.token_count.completion": 9,
            "llm.token_count.prompt_details.cache_write": 3,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.finish_reason": "stop",
            "session.id": "sess-42",
            "user.id": "alice",
            "agent.name": "support",
        },
        {
            "gen_ai.provider.name": "azure.ai.openai",
            "gen_ai.response.model": "gpt-4o-2024",
            "gen_ai.usage.input_tokens": 21,
            "gen_ai.usage.output_tokens": 9,
            "gen_ai.usage.cache_write.input_tokens": 3,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.conversation.id": "sess-42",
            "user.id": "alice",
            "gen_ai.agent.name": "support",
        },
    ],
    ids=["old GenAI names", "OpenInference", "current GenAI names"],
)
def test_a_model_call_means_the_same_in_every_dialect(given: dict[str, Any]) -> None:
    """Model, provider, tokens, finish reason, conversation, user and agent are found under all their names."""
    found = typed(given)

    assert {
        name: found.get(name)
        for name in (
            "Model", "Provider", "InputTokens", "OutputTokens", "CacheWriteTokens", "CacheReadTokens",
            "FinishReason", "ConversationId", "UserHash", "AgentName",
        )
    } == {
        "Model": "gpt-4o-2024",
        "Provider": "azure.ai.openai",
        "InputTokens": 21,
        "OutputTokens": 9,
        "CacheWriteTokens": 3,
        "CacheReadTokens": 4,
        "FinishReason": "stop",
        "ConversationId": "sess-42",
        "UserHash": "alice",
        "AgentName": "support",
    }  # fmt: skip


def test_a_framework_is_not_a_provider() -> None:
    """Frameworks put their own name where the provider's belongs; it is not taken."""
    assert "Provider" not in typed({"gen_ai.provider.name": "langgraph"})


def test_the_row_comes_before_its_resource() -> None:
    """An agent's name on the span wins over the one on the resource, which stands in where there is none."""
    resource = {"gen_ai.agent.name": "of-resource", "service.version": "2.0"}

    assert typed({}, resource)["AgentName"] == "of-resource"
    assert typed({}, resource)["AgentVersion"] == "2.0"
    assert typed({"gen_ai.agent.name": "own"}, resource)["AgentName"] == "own"


def test_a_run_without_an_id_is_its_trace() -> None:
    """The run id is the trace id where the agent gave none."""
    assert typed({})["RunId"] == f"{1:032x}"


def test_the_run_id_of_one_span_holds_for_its_trace() -> None:
    """Spans that other libraries made inside a run belong to it; other traces don't."""
    batch = decoded(
        request(
            span("root", {"agent.run.id": "run-1"}, trace=1),
            span("HTTP call", trace=1),
            span("other", trace=2),
        )
    )

    assert column(process(batch, normalize()), "RunId") == ["run-1", "run-1", f"{2:032x}"]


@pytest.mark.parametrize("tokens", [-1, 2**40, "many"])
def test_senseless_counts_are_left_out(tokens: Any) -> None:
    """A negative, an impossible or a written-out number of tokens is no number of tokens."""
    assert "InputTokens" not in typed({"gen_ai.usage.input_tokens": tokens})


def test_statuses_under_other_names_are_known() -> None:
    """Run statuses of other systems are mapped; unknown ones are not made up."""
    assert typed({"agent.run.status": "completed"})["RunStatus"] == "success"
    assert typed({"agent.run.status": "failed"})["RunStatus"] == "failure"
    assert "RunStatus" not in typed({"agent.run.status": "dunno"})


def test_an_empty_batch_passes() -> None:
    """A batch without attributes gets its columns all the same."""
    assert typed({})["RunId"]
