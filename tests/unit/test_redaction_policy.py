"""What an operator can allow, block, mask and hash, and that nothing else follows from it."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from agenttracer.collector.privacy.nested_keys import NestedKeys
from agenttracer.collector.privacy.options import RedactionOptions
from agenttracer.schemas.batch import Batch, Place
from tests.otlp_traces import request, span
from tests.processing import attributes_at, column, decoded, normalize, process, redaction

SENTENCE = "please call the office"
CARD = "4111 1111 1111 1111"


def kept(folder: Path, given: dict[str, Any], tenant: str = "default", **options: Any) -> dict[str, Any]:
    """What stays of a span's attributes under a policy."""
    return attributes_at(clean(folder, given, tenant, **options), Place.ROW)


def clean(folder: Path, given: dict[str, Any], tenant: str = "default", **options: Any) -> Batch:
    return process(
        decoded(request(span("a", given)), tenant=tenant), normalize(), redaction(folder, **options)
    )


def test_strict_keeps_no_text_under_unknown_keys(tmp_path: Path) -> None:
    """By default only the built-in list's keys may hold text; numbers and booleans may stand elsewhere."""
    given = {"my.team": "payments", "my.size": 3, "my.flag": True, "gen_ai.operation.name": "chat"}

    assert kept(tmp_path, given) == {"my.size": 3, "my.flag": 1, "gen_ai.operation.name": "chat"}


def test_labels_keeps_what_passes_as_one(tmp_path: Path) -> None:
    """Short words without blanks stay under any key; sentences, secrets and content do not."""
    given = {
        "my.team": "payments",
        "my.note": SENTENCE,
        "my.secret": "Zk7qP2xW9vLm4RtY8sBn3HcJ6dFg1KaQ",
        "my.mail": "alice@example.com",
        "gen_ai.prompt": "hello",
        "http.request.header.x": "token",
        "Odd Key": "x",
    }

    assert kept(tmp_path, given, mode="labels") == {"my.team": "payments"}


def test_custom_keeps_only_what_is_named(tmp_path: Path) -> None:
    """The built-in list is off: nothing is kept but the operator's keys, numbers included."""
    given = {"my.team": "payments", "my.size": 3, "gen_ai.operation.name": "chat"}

    assert kept(tmp_path, given, mode="custom", allowed_keys=["my.team"]) == {"my.team": "payments"}


def test_allowed_text_is_kept_and_what_is_private_in_it_masked(tmp_path: Path) -> None:
    """A key that is allowed keeps sentences, with what a detector finds in them masked."""
    given = {"my.note": f"{SENTENCE}: alice@example.com, card {CARD}", "my.plan": SENTENCE}

    assert kept(tmp_path, given, allowed_keys=["my.note"], allowed_key_patterns=["^my[.]pl"]) == {
        "my.note": f"{SENTENCE}: ****, card ****",
        "my.plan": SENTENCE,
    }


def test_nested_values_and_escapes_hide_nothing(tmp_path: Path) -> None:
    """Detectors see maps, lists, JSON in strings and JSON's escapes."""
    given = {
        "my.map": {"deep": [{"mail": "alice@example.com"}], "n": 1},
        "my.json": '{"mail": "alice\\u0040example.com"}',
    }

    found = kept(tmp_path, given, allowed_keys=["my.map", "my.json"])

    assert set(found) == {"my.map", "my.json"}
    assert not [text for text in found.values() if "alice" in text]
    assert '"n"' in found["my.map"]


def test_bytes_are_never_text(tmp_path: Path) -> None:
    """Nobody can look into bytes: allowed or not, they go."""
    assert kept(tmp_path, {"my.note": b"alice@example.com"}, allow_all_keys=True) == {}


def test_allow_all_keys_keeps_unknown_text_masked(tmp_path: Path) -> None:
    """The Collector's switch: every key stays, also a log record's body; who and which session stay hashed."""
    found = kept(
        tmp_path, {"my.note": SENTENCE, "user.id": "alice", "gen_ai.prompt": CARD}, allow_all_keys=True
    )

    assert found.pop("user.id").startswith("h1:")
    assert found == {"my.note": SENTENCE, "gen_ai.prompt": "****"}


def test_ignored_keys_are_left_alone(tmp_path: Path) -> None:
    """What an operator says not to look at is stored as it came."""
    given = {"my.raw": CARD, "our.raw": "alice@example.com", "their.raw": CARD}

    assert kept(tmp_path, given, ignored_keys=["my.raw"], ignored_key_patterns=["^our[.]"]) == {
        "my.raw": CARD,
        "our.raw": "alice@example.com",
    }


def test_blocked_keys_are_masked_if_they_would_stay(tmp_path: Path) -> None:
    """As in the Collector: an allowed key is masked, whatever its type; what isn't allowed is deleted."""
    given = {"my.token": "x", "my.token.size": 3, "their.token": "x", "gen_ai.request.model": "gpt-4o"}
    options = {
        "allowed_keys": ["my.token", "my.token.size"],
        "blocked_key_patterns": ["token", "^gen_ai[.]request"],
    }

    assert kept(tmp_path, given, **options) == {
        "my.token": "****",
        "my.token.size": "****",
        "gen_ai.request.model": "****",
    }


def test_blocked_keys_inside_of_values_are_masked(tmp_path: Path) -> None:
    """A key that stands in a map, or in JSON in a string, at any depth."""
    given = {
        "my.map": {"user": {"password": "x1", "name": "n"}},
        "my.json": '[{"password": {"a": 1}, "text": "{\\"password\\": \\"y2\\"}"}]',
        "my.bad": '{"password": "z3',
    }

    found = kept(tmp_path, given, allow_all_keys=True, blocked_key_patterns=["password"])

    assert found == {
        "my.map": '{"user": {"password": "****", "name": "n"}}',
        "my.json": '[{"password": "****", "text": "{\\"password\\": \\"****\\"}"}]',
        "my.bad": "****",
    }


def test_blocked_values_mask_what_matches(tmp_path: Path) -> None:
    """Only the part that matches, in allowed text and in what the built-in list keeps alike."""
    given = {"my.note": "order AB-12345 is late", "gen_ai.operation.name": "AB-12345", "my.size": 12345}

    assert kept(tmp_path, given, allowed_keys=["my.note"], blocked_values=["AB-[0-9]{5}"]) == {
        "my.note": "order **** is late",
        "gen_ai.operation.name": "****",
        "my.size": 12345,
    }


def test_redact_all_types_looks_into_numbers(tmp_path: Path) -> None:
    """A number that matches becomes a mask."""
    assert kept(tmp_path, {"my.size": 12345}, blocked_values=["^123"], redact_all_types=True) == {
        "my.size": "****45"
    }


def test_allowed_values_pass_unmasked(tmp_path: Path) -> None:
    """They win over blocked values, blocked keys and detectors."""
    given = {"my.note": "write to help@example.com", "my.token": "public-1"}
    options: dict[str, Any] = {
        "allow_all_keys": True,
        "allowed_values": ["help@example[.]com$", "^public-"],
        "blocked_values": ["write"],
        "blocked_key_patterns": ["token"],
    }

    assert kept(tmp_path, given, **options) == given


@pytest.mark.parametrize(
    ("function", "hashed"),
    [
        ("md5", hashlib.md5(b"AB-1", usedforsecurity=False).hexdigest()),
        ("sha1", hashlib.sha1(b"AB-1", usedforsecurity=False).hexdigest()),
        ("sha3", hashlib.sha3_256(b"AB-1").hexdigest()),
        ("hmac-sha256", hmac.new(b"k" * 64, b"AB-1", "sha256").hexdigest()),
        ("hmac-sha512", hmac.new(b"k" * 64, b"AB-1", "sha512").hexdigest()),
    ],
)
def test_hash_functions_hash_what_is_blocked(tmp_path: Path, function: str, hashed: str) -> None:
    """In place of the mask stands the hash of what matched, or of the whole value of a blocked key."""
    options: dict[str, Any] = {
        "allowed_keys": ["my.note", "my.token"],
        "blocked_values": ["AB-[0-9]"],
        "blocked_key_patterns": ["token"],
        "hash_function": function,
        "hmac_key": "k" * 64,
    }

    assert kept(tmp_path, {"my.note": "order AB-1", "my.token": "AB-1"}, **options) == {
        "my.note": f"order {hashed}",
        "my.token": hashed,
    }


def test_hash_functions_take_every_pattern_of_re2(tmp_path: Path) -> None:
    """What the Collector's engine understands and Python's own doesn't is hashed all the same."""
    given = {"my.note": "order ORD-1"}

    stays = kept(
        tmp_path,
        given,
        allowed_keys=["my.note"],
        hash_function="md5",
        blocked_values=[r"\pL{3}-[[:digit:]]\z"],
    )

    assert stays == {"my.note": f"order {hashlib.md5(b'ORD-1').hexdigest()}"}


@pytest.mark.parametrize("options", [{}, {"allow_all_keys": True}, {"allowed_key_patterns": [".*"]}], ids=str)
@pytest.mark.parametrize("key", ["card_4111111111111111", "user.alice@example.com", "ssn_078-05-1120"])
def test_keys_are_no_place_for_somebodys_data(tmp_path: Path, key: str, options: dict[str, Any]) -> None:
    """A number stays under an ordinary key, not under one that is private itself, unless somebody names it."""
    assert kept(tmp_path, {key: 1, "my.size": 2}, **options) == {"my.size": 2}


def test_keys_with_long_numbers_are_made_from_data(tmp_path: Path) -> None:
    """No convention has a number of seven digits in a name."""
    assert kept(tmp_path, {"call.4915112345678": 1, "gen_ai.prompt.0.length": 2, "top.100000": 3}) == {
        "top.100000": 3
    }


def test_many_keys_are_decided_together(tmp_path: Path) -> None:
    """More keys than are remembered are decided all the same, each as it would be alone."""
    given = {f"my.key{number}x": number for number in range(12_000)} | {"card_4111111111111111": 1}

    assert len(kept(tmp_path, given)) == 12_000


def test_rules_come_first(tmp_path: Path) -> None:
    """An operator's rule decides before anything else, each action doing what it says."""
    rules = [
        {"keys": ["gen_ai.operation.name"], "action": "drop"},
        {"keys": ["my.customer"], "action": "hash"},
        {"key_patterns": ["^my[.]label"], "action": "label"},
        {"keys": ["my.name"], "action": "name"},
        {"keys": ["my.secret"], "action": "mask"},
        {"keys": ["my.note"], "action": "keep"},
    ]
    given = {
        "gen_ai.operation.name": "chat",
        "my.customer": "acme inc",
        "my.label.a": "red",
        "my.label.b": SENTENCE + "!",
        "my.name": "Front Desk",
        "my.secret": "x",
        "my.note": SENTENCE,
    }

    found = kept(tmp_path, given, rules=rules)

    assert found.pop("my.customer").startswith("h1:")
    assert found == {"my.label.a": "red", "my.name": "Front Desk", "my.secret": "****", "my.note": SENTENCE}


def test_a_value_that_a_rule_fails_on_is_masked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the other values nor the request are lost with it, and the log doesn't quote it."""

    def failing(self: NestedKeys, values: pa.StringArray) -> pa.StringArray:
        if "boom" in values.to_pylist():
            raise ValueError("boom")
        return values

    monkeypatch.setattr(NestedKeys, "masked", failing)
    given = {"my.a": "one", "my.b": "boom", "my.c": "bob@example.com", "my.d": "four"}
    batch = clean(tmp_path, given, allowed_key_patterns=["^my"], blocked_key_patterns=["^never$"])

    assert attributes_at(batch, Place.ROW) == {"my.a": "one", "my.b": "****", "my.c": "****", "my.d": "four"}
    assert {"failure", "email"} <= set(batch.tables["ledger"]["Rule"].to_pylist())
    assert "boom" not in caplog.text


def test_a_tenant_can_have_its_own_policy(tmp_path: Path) -> None:
    """An override changes what it names, for whom it names."""
    overrides = [{"tenants": ["acme"], "mode": "labels"}]
    given = {"my.team": "payments", "our.note": SENTENCE}
    options: dict[str, Any] = {"allowed_keys": ["our.note"], "overrides": overrides}

    assert kept(tmp_path, given, "acme", **options) == given
    assert kept(tmp_path, given, "other", **options) == {"our.note": SENTENCE}


def test_an_agent_can_have_its_own_policy(tmp_path: Path) -> None:
    """Rows of one request pass different policies, and say which; everything that hangs on them goes along."""
    events = [("note", {"my.team": "e"})]
    batch = decoded(
        request(
            span("a", {"gen_ai.agent.name": "open", "my.team": "a"}, events=events),
            span("b", {"gen_ai.agent.name": "closed", "my.team": "b"}, events=events),
            span("c", {"my.team": "c"}, events=events),
        )
    )
    found = process(
        batch, normalize(), redaction(tmp_path, overrides=[{"agents": ["open"], "mode": "labels"}])
    )

    teams = {
        name or "nobody": attributes_at(found, Place.ROW, row).get("my.team")
        for row, name in enumerate(column(found, "AgentName"))
    }
    assert teams == {"open": "a", "closed": None, "nobody": None}
    hashes = dict(zip(column(found, "AgentName"), column(found, "PolicyHash"), strict=True))
    assert hashes["open"] != hashes["closed"]
    owners = found.tables["events"].column("Owner").to_pylist()
    assert sorted(owners) == [0, 1, 2]
    open_row = column(found, "AgentName").index("open")
    assert attributes_at(found, Place.EVENT, owners.index(open_row)) == {"my.team": "e"}


def test_more_names_than_a_tenants_share_are_hashed(tmp_path: Path) -> None:
    """Models invent names of tools: beyond the limit they become tokens, tenant by tenant."""
    limited = redaction(tmp_path, max_names=2)

    def tools(tenant: str, *names: str) -> list[str]:
        spans = [span("a", {"gen_ai.tool.name": name}) for name in names]
        return column(process(decoded(request(*spans), tenant=tenant), normalize(), limited), "ToolName")

    assert tools("one", "a", "b", "a") == ["a", "b", "a"]
    third, known = tools("one", "c", "b")
    assert (third[:3], known) == ("h1:", "b")
    assert tools("one", "c") == [third]
    assert tools("two", "c", "d") == ["c", "d"]


def test_sizes_of_content_are_kept(tmp_path: Path) -> None:
    """How much went in and how much came out is known; what it was is not."""
    given = {
        "gen_ai.input.messages": "12345",
        "gen_ai.prompt.0.content": "123",
        "gen_ai.output.messages": "1234567",
        "gen_ai.operation.name": "chat",
    }

    found = clean(tmp_path, given)

    assert (column(found, "InputBytes"), column(found, "OutputBytes")) == ([8], [7])


@pytest.mark.parametrize(
    "options",
    [
        {"blocked_values": ["("]},
        {"allowed_key_patterns": ["(?=x)"]},
        {"hash_function": "hmac-sha256", "hmac_key": "short"},
        {"hash_function": "hmac-sha512"},
        {"overrides": [{"mode": "labels"}]},
        {"rules": [{"action": "drop"}]},
        {"detectors": ["no_such_detector"]},
        {"extra_detectors": {"mine": "("}},
        {"mode": "lenient"},
    ],
)
def test_a_policy_that_can_not_hold_is_refused(options: dict[str, Any]) -> None:
    """At the start, not at the first value."""
    with pytest.raises(ValidationError):
        RedactionOptions(**options)


def test_a_file_written_for_the_collector_is_taken() -> None:
    """Every key of the Collector's processor is known."""
    options = RedactionOptions(
        allow_all_keys=True,
        allowed_keys=["description"],
        ignored_keys=["safe"],
        ignored_key_patterns=["^safe_"],
        blocked_key_patterns=[".*token.*"],
        blocked_values=["4[0-9]{12}(?:[0-9]{3})?"],
        allowed_values=[".+@mycompany.com"],
        redact_all_types=True,
        hash_function="md5",
        summary="debug",
        url_sanitizer={"enabled": True, "attributes": ["http.url"], "sanitize_span_name": True},
        db_sanitizer={
            "sql": {"enabled": True, "attributes": ["db.statement"]},
            "redis": {"enabled": False},
            "sanitize_span_name": True,
            "allow_fallback_without_system": True,
        },
    )

    assert options.summary == "debug"
