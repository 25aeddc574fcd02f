"""The collector's policy in the SDK: what it forbids does not leave, and a file that can't be read stops everything."""

import json
import sys
from pathlib import Path

import pytest

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.policy import read_policy
from tests.sdk_fakes import Recording

COLLECTOR = """
receivers: {otlp: {}}
processors:
  normalize: {}
  redaction:
    key_file: ./key
    mode: custom
    allowed_keys: [agent.step.metadata.tier]
    allowed_key_patterns: ['^agent[.]step[.](type|name)$']
    blocked_key_patterns: ['metadata[.]cost']
"""


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


def test_the_collectors_own_file_is_understood(tmp_path: Path) -> None:
    """Its redaction processor's keys count; blocked wins over everything, numbers need no permission."""
    file = tmp_path / "otel-config.yaml"
    file.write_text(COLLECTOR)

    policy = read_policy(file)

    given = {
        "agent.step.metadata.tier": "gold",
        "agent.step.name": "x",
        "agent.run.name": "x",
        "agent.step.metadata.count": 3,
        "agent.step.metadata.cost": 1.5,
    }
    assert ["agent.step.metadata.tier", "agent.step.name", "agent.step.metadata.count"] == list(
        policy.apply(given)
    )


def test_nothing_that_is_blocked_leaves(tmp_path: Path) -> None:
    """Not on runs, not on steps, not on events."""
    file = tmp_path / "policy.json"
    file.write_text(
        json.dumps({"blocked_key_patterns": ["user", "metadata[.]tier$", "result", "memory[.]kind"]})
    )
    recording = Recording(policy_file=file)

    with recording.tracer.start_run(user_id="u-1", metadata={"tier": "gold", "kept": 1}) as run:
        run.set_result({"frames": 3})
        run.store_memory("x", kind="fact")
        with run.step("tool", "x", metadata={"tier": "gold"}) as step:
            step.add_metadata({"tier": "gold", "kept": 2})

    keys = {key for span in recording.spans for key in span.attributes or {}}
    keys |= {key for event in recording.events for key in event.attributes}
    assert {"agent.run.metadata.kept", "agent.step.metadata.kept", "agent.memory.id"} <= keys
    assert not [key for key in keys if "tier" in key or "user" in key or "result" in key or "kind" in key]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "the policy file must hold a mapping"),
        ("{", "the policy file is neither JSON nor YAML"),
        ('{"mode": "open"}', "the policy's mode must be one of strict, labels, custom"),
        ('{"allowed_keys": "a"}', "the policy's allowed_keys must be a list of strings"),
        ('{"blocked_key_patterns": ["("]}', "the policy has a pattern that is not a regular expression"),
        ('{"processors": {"normalize": {}}}', "the policy file has 0 redaction processors, not one"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_nothing_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, message: str
) -> None:
    """It fails closed: without a policy there is no telling what may leave."""
    file = tmp_path / "policy"
    file.write_text(text)
    recording = Recording(policy_file=file)

    with recording.tracer.start_run() as run:
        pass

    assert [f"agenttracer: nothing will be sent: {message}"] == caplog.messages
    assert ((), "success") == (recording.spans, run.status)


def test_a_file_that_is_not_there_sends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same as one that can't be read."""
    recording = Recording(policy_file=tmp_path / "none.yaml")
    with recording.tracer.start_run():
        pass

    assert () == recording.spans
    assert [
        "agenttracer: nothing will be sent: the policy file can't be read: FileNotFoundError"
    ] == caplog.messages


def test_without_pyyaml_json_is_read_and_yaml_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base install has no PyYAML; the error says what to do."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "a.json").write_text('{"allowed_keys": ["a"]}')
    (tmp_path / "a.yaml").write_text("allowed_keys: [a]")

    assert frozenset({"a"}) == read_policy(tmp_path / "a.json").allowed_keys
    with pytest.raises(ValueError, match="pip install pyyaml"):
        read_policy(tmp_path / "a.yaml")
