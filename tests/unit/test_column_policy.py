"""Columns that are made from attributes follow what the operator says of those attributes' keys."""

from pathlib import Path
from typing import Any

import pytest

from agenttracer.schemas.batch import Batch
from tests.otlp_traces import request, span
from tests.processing import classify, column, decoded, normalize, process, redaction

GIVEN = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.agent.name": "acme ORD-123456",
    "gen_ai.tool.name": "lookup_order",
    "agent.run.id": "run-ORD-123456",
    "user.id": "alice",
}
SERVICE = "shop ORD-123456"


def clean(folder: Path, given: dict[str, Any] = GIVEN, **options: Any) -> Batch:
    message = request(span("a", given), resource={"service.name": SERVICE}, scope="scope ORD-123456")
    return process(decoded(message), normalize(), classify(), redaction(folder, **options))


def agent_facts(batch: Batch) -> list[str]:
    """What is left of agent, tool, run, user and service, in the columns."""
    names = ("AgentName", "ToolName", "RunId", "UserHash")
    service = batch.tables["resources"]["ServiceName"][0].as_py()
    return [*(batch.rows[name][0].as_py() or "" for name in names), service]


def strings_of(batch: Batch) -> str:
    return repr([table.to_pydict() for table in batch.tables.values()])


def test_without_options_columns_are_as_their_schema_declares(tmp_path: Path) -> None:
    """Names stay, who it was is hashed."""
    agent, tool, run, user, service = agent_facts(clean(tmp_path))

    assert (agent, tool, run, service) == (
        GIVEN["gen_ai.agent.name"],
        "lookup_order",
        GIVEN["agent.run.id"],
        SERVICE,
    )
    assert user.startswith("h1:")


def test_blocked_values_are_masked_in_every_column(tmp_path: Path) -> None:
    """Names of agents, runs, services, scopes and spans are no place where a blocked value may stand."""
    batch = clean(tmp_path, blocked_values=["ORD-[0-9]{6}"])

    assert "ORD-123456" not in strings_of(batch)
    assert agent_facts(batch)[:3] == ["acme ****", "lookup_order", "run-****"]
    assert {"blocked_value"} <= set(batch.tables["ledger"]["Rule"].to_pylist())


def test_allowed_values_pass_in_columns_too(tmp_path: Path) -> None:
    """What is exempt from masking is exempt wherever it stands."""
    batch = clean(tmp_path, blocked_values=["ORD-[0-9]{6}"], allowed_values=["^acme"])

    assert agent_facts(batch)[0] == "acme ORD-123456"


@pytest.mark.parametrize(
    "options",
    [
        {"blocked_key_patterns": ["^gen_ai.(agent|tool).name$", "^user.id$", "^service.name$"]},
        {
            "rules": [
                {
                    "keys": ["gen_ai.agent.name", "gen_ai.tool.name", "user.id", "service.name"],
                    "action": "drop",
                }
            ]
        },
    ],
    ids=["blocked", "rule"],
)
def test_a_key_that_may_not_be_kept_empties_its_column(tmp_path: Path, options: dict[str, Any]) -> None:
    """Nothing of the attribute is left under another name: not in a column, not in the span's name."""
    batch = clean(tmp_path, **options)

    assert agent_facts(batch) == ["", "", GIVEN["agent.run.id"], "", ""]
    assert column(batch, "SpanName") == ["execute_tool"]


def test_a_run_that_may_not_be_named_is_its_trace(tmp_path: Path) -> None:
    """Spans of one run can still be told from those of another."""
    batch = clean(tmp_path, rules=[{"keys": ["agent.run.id"], "action": "drop"}])

    assert column(batch, "RunId") == column(batch, "TraceId")


def test_a_hashed_key_hashes_its_column(tmp_path: Path) -> None:
    """The column's token is the attribute's."""
    batch = clean(tmp_path, rules=[{"keys": ["gen_ai.agent.name"], "action": "hash"}])
    attributes = dict(
        zip(batch.attributes["key"].to_pylist(), batch.attributes["string"].to_pylist(), strict=True)
    )

    assert column(batch, "AgentName") == [attributes["gen_ai.agent.name"]]
    assert column(batch, "AgentName")[0].startswith("h1:")


def test_a_rule_can_let_names_of_tools_be_freer(tmp_path: Path) -> None:
    """Frameworks that call their tools in several words keep them when the operator says so."""
    given = {**GIVEN, "gen_ai.tool.name": "Search Wikipedia"}

    strict = clean(tmp_path, given)
    free = clean(tmp_path, given, rules=[{"keys": ["gen_ai.tool.name"], "action": "name"}])

    assert column(strict, "ToolName")[0].startswith("h1:")
    assert column(free, "ToolName") == ["Search Wikipedia"]


def test_text_that_is_kept_in_a_column_is_masked(tmp_path: Path) -> None:
    """``keep`` takes any text, and detectors look for what is private in it."""
    given = {**GIVEN, "gen_ai.tool.name": "Ask (anything), of bob@example.com!"}

    batch = clean(tmp_path, given, rules=[{"keys": ["gen_ai.tool.name"], "action": "keep"}])

    assert column(batch, "ToolName") == ["Ask (anything), of ****!"]


def test_who_it_was_is_never_in_a_column(tmp_path: Path) -> None:
    """Users that an operator keeps by name stay hashed in the column that counts them."""
    batch = clean(tmp_path, rules=[{"keys": ["user.id"], "action": "keep"}])

    assert column(batch, "UserHash")[0].startswith("h1:")


def test_custom_fills_only_the_columns_of_named_keys(tmp_path: Path) -> None:
    """The built-in list is off for columns as well."""
    batch = clean(tmp_path, mode="custom", allowed_keys=["gen_ai.tool.name"])

    assert agent_facts(batch) == ["", "lookup_order", column(batch, "TraceId")[0], "", ""]


def test_counts_stay_whatever_their_keys_are_called(tmp_path: Path) -> None:
    """A pattern for secrets, as in the Collector's own example, takes no token counts."""
    batch = clean(
        tmp_path,
        {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7},
        blocked_key_patterns=[".*token.*"],
    )

    assert column(batch, "InputTokens") == [7]
