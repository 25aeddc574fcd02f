"""One file, two sides: what the SDK lets out under a policy is what the collector keeps under it."""

import json
from pathlib import Path
from typing import Any

import pytest

from agenttracer.instrumentation.policy import read_policy
from agenttracer.schemas.batch import Place
from tests.otlp_traces import request, span
from tests.processing import attributes_at, decoded, normalize, process, redaction

GIVEN: dict[str, Any] = {
    "gen_ai.agent.name": "support",
    "agent.step.name": "search_kb",
    "agent.step.sequence": 3,
    "agent.step.metadata.tier": "gold",
    "agent.step.metadata.order": "ORD-123456",
    "agent.step.metadata.count": 7,
    "agent.step.metadata.cached": True,
    "agent.run.result.label": "entry",
    "agent.run.result.score": 0.5,
    "http.response.status_code": 200,
    "error.type": "TimeoutError",
    "user.id": "u-1",
}
"""What the SDK sends: labels and numbers, under its own keys."""

MASKED = "****"
POLICIES: dict[str, dict[str, Any]] = {
    "default": {},
    "labels": {"mode": "labels"},
    "custom, nothing named": {"mode": "custom"},
    "custom, keys": {"mode": "custom", "allowed_keys": ["agent.step.metadata.count", "gen_ai.agent.name"]},
    "custom, patterns": {"mode": "custom", "allowed_key_patterns": ["^agent[.]step[.]"]},
    "custom, all": {"mode": "custom", "allow_all_keys": True},
    "blocked": {"blocked_key_patterns": ["metadata", "^user"]},
    "blocked and allowed": {
        "mode": "custom",
        "allowed_key_patterns": ["^agent[.]"],
        "blocked_key_patterns": ["(tier|count)$"],
    },
    "ignored before blocked": {
        "ignored_keys": ["agent.step.metadata.tier"],
        "ignored_key_patterns": ["[.]count$"],
        "blocked_key_patterns": ["metadata"],
    },
    "ignored in custom": {"mode": "custom", "ignored_keys": ["agent.step.metadata.count"]},
    "rules before blocked": {
        "rules": [
            {"keys": ["agent.step.metadata.tier"], "action": "keep"},
            {"key_patterns": ["metadata"], "action": "drop"},
            {"keys": ["agent.step.metadata.count"], "action": "keep"},
            {"keys": ["agent.run.result.label"], "action": "mask"},
            {"keys": ["error.type"], "action": "hash"},
        ],
        "blocked_key_patterns": ["tier$"],
    },
    "rules in custom": {
        "mode": "custom",
        "rules": [{"key_patterns": ["[.](label|order)$"], "action": "label"}],
    },
    "values": {"blocked_values": ["^ORD-[0-9]{6}$", "^gold$"], "allowed_values": ["^gold$"]},
    "values of every kind": {"blocked_values": ["^200$", "^7$"], "redact_all_types": True},
    "numbers are no texts": {"blocked_values": ["^200$", "^7$"]},
    "a detector of one's own": {"extra_detectors": {"order": "ORD-[0-9]+"}},
    "an override of the agent": {
        "overrides": [
            {"agents": ["another"], "mode": "labels"},
            {
                "agents": ["another", "support"],
                "mode": "custom",
                "allowed_keys": ["user.id", "gen_ai.agent.name"],
            },
        ]
    },
    "an override adds to the rest": {
        "blocked_key_patterns": ["metadata"],
        "overrides": [{"agents": ["support"], "rules": [{"keys": ["user.id"], "action": "drop"}]}],
    },
}


@pytest.mark.parametrize("options", POLICIES.values(), ids=POLICIES)
def test_both_sides_agree(tmp_path: Path, options: dict[str, Any]) -> None:
    """Key by key; what the collector would mask doesn't leave, what it would hash does."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"processors": {"redaction": options}}))

    left = read_policy(file, "support").apply(GIVEN)
    batch = process(decoded(request(span("a", GIVEN))), normalize(), redaction(tmp_path, **options))
    kept = attributes_at(batch, Place.ROW)

    assert {key for key, value in kept.items() if value != MASKED} == set(left)


@pytest.mark.parametrize("options", POLICIES.values(), ids=POLICIES)
def test_going_through_both_changes_nothing_more(tmp_path: Path, options: dict[str, Any]) -> None:
    """What left is stored as it would have been without the SDK's policy."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(options))
    left = read_policy(file, "support").apply(GIVEN) | {"gen_ai.agent.name": "support"}

    processors = normalize(), redaction(tmp_path, **options)
    first, second = (
        attributes_at(process(decoded(request(span("a", given))), *processors), Place.ROW)
        for given in (GIVEN, left)
    )

    assert {key: value for key, value in first.items() if value != MASKED} == second
