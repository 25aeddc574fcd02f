"""agenttracer policy: explain, dry-run, diff and rotate-key."""

import json
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.cli.main import main
from tests.otlp_traces import request, span

CONFIG = """
receivers: {{otlp: {{protocols: {{grpc: {{}}}}}}}}
processors:
  normalize: {{}}
  redaction: {options}
exporters: {{debug: {{}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [normalize, redaction], exporters: [debug]}}
"""
MARKED = "CANARY alice@example.com"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(name: str = "otel-config.yaml", **options: Any) -> str:
    Path(name).write_text(CONFIG.format(options=json.dumps(options)))
    return name


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["policy", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("key", "action", "rule"),
    [
        ("gen_ai.operation.name", "label", "shape"),
        ("gen_ai.input.messages", "drop", "content"),
        ("user.id", "hash", "identity"),
        ("my.key", "number", "not_allowed"),
        ("Odd Key", "drop", "malformed_key"),
        ("body", "drop", "content"),
    ],
)
def test_explain_says_which_rule_decides(
    capsys: pytest.CaptureFixture[str], key: str, action: str, rule: str
) -> None:
    """Of any key, without a configuration by the defaults."""
    found = answer(capsys, "explain", key)

    assert (found["key"], found["action"], found["rule"]) == (key, action, rule)
    assert found["because"]


def test_explain_follows_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """The options in force for a tenant and an agent; the text names the one that decided."""
    config(allowed_keys=["my.note"], overrides=[{"tenants": ["acme"], "agents": ["a"], "mode": "labels"}])

    assert answer(capsys, "explain", "my.note")["action"] == "text"
    assert answer(capsys, "explain", "my.key", "--tenant", "acme", "--agent", "a")["action"] == "unknown"
    assert answer(capsys, "explain", "my.key", "--tenant", "acme")["action"] == "number"
    main(["policy", "explain", "my.note"])
    assert "because allowed_keys names it" in capsys.readouterr().out


def test_explain_tells_what_a_value_passes_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Classes, detectors, and what allowed text would become."""
    assert answer(capsys, "explain", "--value", "gpt-4o") == {
        "passes_as": ["label", "name", "tool"],
        "detectors": [],
        "as_text": "gpt-4o",
    }
    found = answer(capsys, "explain", "--value", "mail alice@example.com")
    assert found == {"passes_as": [], "detectors": ["email"], "as_text": "mail ****"}


def test_explain_wants_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    """A key or a value; neither or both is a mistake, told in a sentence."""
    assert main(["policy", "explain"]) == 2
    assert main(["policy", "explain", "my.key", "--value", "x"]) == 2
    assert "give a KEY or --value TEXT" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".pb", ".json"])
def test_dry_run_tells_what_would_become_of_a_request(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    """By place, key, action and rule, with sizes, and not a word of it."""
    given = {"gen_ai.prompt": MARKED, "user.id": "alice", "gen_ai.operation.name": "chat", MARKED: "x"}
    message = request(span(MARKED, given, error=MARKED))
    file = tmp_path / f"request{suffix}"
    if suffix == ".json":
        value = {"stringValue": MARKED}
        attributes = [{"key": "gen_ai.prompt", "value": value}, {"key": MARKED, "value": value}]
        spans = [{"traceId": "1" * 32, "spanId": "1" * 16, "name": MARKED, "attributes": attributes}]
        file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    else:
        file.write_bytes(message.SerializeToString())
    config()

    found = answer(capsys, "dry-run", str(file))
    main(["policy", "dry-run", str(file)])
    table = capsys.readouterr().out

    lines = {(line["place"], line["key"], line["action"], line["rule"]) for line in found["effects"]}
    wanted = {
        ("row", "gen_ai.prompt", "drop", "content"),
        ("row", "(malformed key)", "drop", "malformed_key"),
        ("rows column", "SpanName", "drop", "span_name"),
    }
    if suffix == ".pb":
        wanted |= {
            ("row", "gen_ai.operation.name", "keep", ""),
            ("row", "user.id", "hash", "identity"),
            ("rows column", "StatusMessage", "drop", "free_text"),
        }
    assert wanted <= lines
    assert "gen_ai.prompt" in table
    assert "CANARY" not in table + json.dumps(found)
    assert not Path("data").exists()


def test_dry_run_passes_the_shipped_pipeline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every processor that stands before redaction is started as the collector starts it."""
    root = Path(__file__).parents[2]
    Path("otel-config.yaml").write_text((root / "otel-config.yaml").read_text())
    capture = root / "tests" / "golden" / "captures" / "langgraph-openinference-bad_tool_args.pb"

    kept = [line for line in answer(capsys, "dry-run", str(capture))["effects"] if line["action"] == "keep"]

    assert ("row", "llm.model_name") in {(line["place"], line["key"]) for line in kept}


def test_dry_run_says_when_a_file_is_no_request(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One sentence, nothing of the file in it."""
    (tmp_path / "x.pb").write_bytes(b"CANARY")

    assert main(["policy", "dry-run", "x.pb"]) == 1
    assert main(["policy", "dry-run", "missing.pb"]) == 1
    error = capsys.readouterr().err
    assert "x.pb is no OTLP export request" in error
    assert "missing.pb can't be read" in error
    assert "CANARY" not in error


def test_diff_tells_where_two_configurations_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """Options, keys, and the hashes that rows carry; secrets are not told."""
    old = config("old.yaml")
    new = config("new.yaml", allowed_keys=["my.note"], hash_function="hmac-sha256", hmac_key="k" * 32)

    found = answer(capsys, "diff", old, new)

    assert found["policies"][0] != found["policies"][1]
    assert found["options"]["allowed_keys"] == {"old": [], "new": ["my.note"]}
    assert [(pair["old"]["key"], pair["old"]["action"], pair["new"]["action"]) for pair in found["keys"]] == [
        ("my.note", "number", "text")
    ]
    assert "kkk" not in json.dumps(found)
    assert answer(capsys, "diff", old, old)["keys"] == []


def test_rotate_key_makes_a_new_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    """In the configured file, for every tenant or for one."""
    config(key_file="secret.key")

    assert answer(capsys, "rotate-key")["epoch"] == 2
    assert answer(capsys, "rotate-key", "--tenant", "acme", "--forget")["epoch"] == 3
    lines = [line.split()[:2] for line in Path("secret.key").read_text().splitlines()[1:]]
    assert lines == [["*", "1"], ["*", "2"], ["acme", "3"]]
