"""What docs/privacy.md says, example by example: what stays, what goes, and what can't be told apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agenttracer.collector.processors.redaction import RedactionOptions
from agenttracer.schemas.batch import Batch, Place
from tests.otlp_traces import request, span
from tests.processing import attributes_at, column, decoded, normalize, process, redaction

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text()
TEXT = "my.note"


def clean(folder: Path, given: dict[str, Any], **options: Any) -> Batch:
    return process(decoded(request(span("a", given))), normalize(), redaction(folder, **options))


def kept(folder: Path, given: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What stays of a span's attributes."""
    return attributes_at(clean(folder, given, **options), Place.ROW)


def test_every_example_of_a_configuration_is_one() -> None:
    """Its YAML, with every key that it names, is what the processor takes."""
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    policies = [example.get("processors", {}).get("redaction", example) for example in examples]

    assert len(policies) >= 2
    for policy in policies:
        RedactionOptions(**policy)


@pytest.mark.parametrize(
    ("column_name", "key", "name"),
    [
        ("AgentName", "gen_ai.agent.name", "Head of Research for the EU"),
        ("ToolName", "gen_ai.tool.name", "mcp__github__create_issue"),
        ("ToolName", "gen_ai.tool.name", "server/get_weather.v2"),
        ("ToolName", "gen_ai.tool.name", "lookupOrder"),
        ("ToolName", "gen_ai.tool.name", "look-up-order"),
    ],
)
def test_names_that_pass_are_kept(tmp_path: Path, column_name: str, key: str, name: str) -> None:
    """The page's examples of names, in the columns that are named after them."""
    assert [name] == column(clean(tmp_path, {key: name, "gen_ai.operation.name": "chat"}), column_name)


@pytest.mark.parametrize(
    ("column_name", "key", "name"),
    [
        ("ToolName", "gen_ai.tool.name", "Search Wikipedia"),
        ("ToolName", "gen_ai.tool.name", "find the order of my sister please"),
        ("AgentName", "gen_ai.agent.name", "an agent whose name has more words than a title has"),
        ("AgentName", "gen_ai.agent.name", "alice@example.com"),
    ],
)
def test_names_that_do_not_pass_become_hashes(tmp_path: Path, column_name: str, key: str, name: str) -> None:
    """One tool can still be told from another, and nobody can read it; a rule shows the tool's."""
    (hashed,) = column(clean(tmp_path, {key: name}), column_name)

    assert re.fullmatch(r"_?[0-9a-zA-Z:_]{8,40}", hashed), "a hash"
    assert not set(name.lower().split()) & set(re.split(r"\W", hashed.lower()))
    if name == "Search Wikipedia":
        rules = [{"keys": ["gen_ai.tool.name"], "action": "name"}]
        assert [name] == column(clean(tmp_path, {key: name}, rules=rules), column_name)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        pytest.param({"gen_ai.agent.name": "alice"}, {}, id="a word that reads like a name"),
        pytest.param({"host.name": "alices-laptop"}, {}, id="a host that is named after somebody"),
        pytest.param({"patient_alice.visits": 3}, {}, id="a key that is formed like a name"),
        pytest.param({"my.customer_number": 4711}, {}, id="a number under a well-formed key"),
        pytest.param(
            {TEXT: "Alice Doe, 5 Elm Street"}, {"allowed_keys": [TEXT]}, id="a person in allowed text"
        ),
        pytest.param(
            {TEXT: "alice at example dot com"}, {"allowed_keys": [TEXT]}, id="an address spelled out"
        ),
        pytest.param({TEXT: "123456789"}, {"allowed_keys": [TEXT]}, id="digits that nobody calls a number"),
        pytest.param({TEXT: "seen at 203.0.113.7"}, {"allowed_keys": [TEXT]}, id="the address of a machine"),
        pytest.param({TEXT: "alice@example.com"}, {"ignored_keys": [TEXT]}, id="an ignored key"),
    ],
)
def test_what_it_can_not_do_it_does_not(
    tmp_path: Path, given: dict[str, Any], options: dict[str, Any]
) -> None:
    """The limits that the page admits: should one of them fall, the page is to be changed."""
    assert given == kept(tmp_path, given, **options)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        pytest.param({"patient_alice@example.com": 3}, {}, id="a key with an address"),
        pytest.param({"patient_4929770700000001": 3}, {}, id="a key with a card"),
        pytest.param({"patient_1234567.visits": 3}, {}, id="a key with seven digits in a row"),
        pytest.param({TEXT: "any text"}, {}, id="text that nobody allowed"),
        pytest.param({TEXT: b"bytes"}, {"allowed_keys": [TEXT]}, id="bytes"),
    ],
)
def test_beside_its_limits_nothing_stays(
    tmp_path: Path, given: dict[str, Any], options: dict[str, Any]
) -> None:
    """What stands next to them on the page as what it does do."""
    assert {} == kept(tmp_path, given, **options)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("seen at 203.0.113.7", {"detectors": ["ipv4"]}),
        ("her SSN is 577-07-1234", {}),
        ("call +49 170 1234567", {}),
        ("call (212) 555-0187", {}),
    ],
)
def test_detectors_find_what_the_page_says(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    """Machines' addresses when asked for, national ids beside a word, numbers with a + or in North America's form."""
    found = kept(tmp_path, {TEXT: text}, allowed_keys=[TEXT], **options)[TEXT]

    assert "****" in found
    assert not re.search(r"\d{2}", found.replace("****", ""))
