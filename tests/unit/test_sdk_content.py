"""What may leave the process as metadata, and what an exception may say."""

import json
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from uuid import UUID

import numpy as np
import pytest

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.content import (
    WELL_KNOWN,
    hashed_id,
    is_identifier,
    is_label,
    is_name,
    metadata_attributes,
    scalar,
)


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


class Tier(Enum):
    """An enum as a host may have it."""

    GOLD = "gold"
    TEXT = "a whole sentence"


LABELS = [
    "gold",
    "v1.2.3",
    "eu-west-1",
    "openai/gpt-5",
    "2026-11-21",
    "a" * 128,
    "550e8400-e29b-41d4-a716-446655440000",
]
NO_LABELS = [
    "",
    "two words",
    "line\nbreak",
    "a" * 129,
    "naïve",
    "请帮我查询订单状态",
    "bob@example.com",
    "4111-1111-1111-1111",
    "49/30/123456",
    "10.11.12.13",
    "sk-proj-abcdefgh12345678",
    "ghp_abcdefghijklmnopqrstuvwx",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
    "{json}",
]


@pytest.mark.parametrize("text", LABELS)
def test_enum_like_strings_are_labels(text: str) -> None:
    """Short words, versions, regions, models, dates and UUIDs may leave."""
    assert is_label(text)


@pytest.mark.parametrize("text", NO_LABELS)
def test_text_and_what_is_personal_or_secret_is_no_label(text: str) -> None:
    """Sentences in any script, addresses, numbers of persons and keys may not."""
    assert not is_label(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("search_kb", True),
        ("Suche im Handbuch", True),
        ("检索", True),
        ("claude-3-5-sonnet@20240620", True),
        ("one two three four", True),
        ("one two three four five", False),
        ("two  blanks", False),
        (" blank first", False),
        ("ask bob@example.com", False),
        ("+49 30 1234567", False),
        ("", False),
    ],
)
def test_names_have_up_to_four_words(text: str, expected: bool) -> None:
    """Names may be in any script and have blanks, but a sentence is no name."""
    assert expected == is_name(text)


def test_a_run_id_may_be_a_number() -> None:
    """An order's number identifies a run, though it would not do as a label."""
    assert (True, False) == (is_identifier("4711000815"), is_label("4711000815"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (True, True),
        (0.5, 0.5),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (Fraction(1, 4), 0.25),
        (Tier.GOLD, "gold"),
        (Tier.TEXT, None),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("1.5"), None),
        ("gold", "gold"),
        ("two words", None),
        (b"bytes", None),
        (["a"], None),
        ({"a": 1}, None),
        (object(), None),
    ],
)
def test_numbers_booleans_and_labels_pass_as_plain_values(value: object, expected: object) -> None:
    """What passes comes out as a plain bool, int, float or str that OTLP can hold; the rest is None."""
    actual = scalar(value)

    assert expected == actual
    assert type(expected) is type(actual)


def test_a_refusal_names_the_key_once_and_never_the_value(caplog: pytest.LogCaptureFixture) -> None:
    """One warning a key, however often it comes."""
    for _ in range(3):
        assert {"p.n": 1} == metadata_attributes({"question": "Where is alice's parcel?", "n": 1}, "p")

    assert [
        "agenttracer: metadata 'question' was refused: only numbers, booleans and short labels are sent"
    ] == (caplog.messages)


@pytest.mark.parametrize("key", ["Where is the parcel of alice?", "", "9lives", "a" * 65, 7, ("a",)])
def test_a_key_that_may_be_content_is_not_even_named(caplog: pytest.LogCaptureFixture, key: object) -> None:
    """Keys are content too when they are no short names."""
    assert {} == metadata_attributes({key: 1}, "p")

    assert ["agenttracer: a metadata key was refused: not a short name"] == caplog.messages


@pytest.mark.parametrize(
    "metadata",
    [
        {"attempt": "second"},
        {"http_status": True},
        {"result_count": -1},
        {"input_tokens": 1.5},
        {"temperature": "hot"},
        {"model": "write a poem about the sea and alice"},
        {"provider": 7},
        {"finish_reason": "because it was done"},
    ],
)
def test_well_known_keys_take_their_own_kind_alone(
    caplog: pytest.LogCaptureFixture, metadata: dict[str, object]
) -> None:
    """A count is a count and a model a name, or it is refused."""
    assert {} == metadata_attributes(metadata, "p")

    assert 1 == len(caplog.messages)


def test_every_well_known_key_has_a_name_of_its_own() -> None:
    """No two keys meet under one attribute."""
    attributes = [known.attribute for known in WELL_KNOWN.values()]

    assert len(attributes) == len(set(attributes))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("u-17", "u-17"), ("Bob Smith <bob@example.com>", "Bob Smith <bob@example.com>"), (17, "17"), ("", None),
     (UUID(int=1), str(UUID(int=1))), ("x" * 257, None), ("a\nb", None), (True, None), (object(), None)],
)  # fmt: skip
def test_ids_that_the_collector_hashes_may_have_any_form(value: object, expected: str | None) -> None:
    """Users and conversations are known by e-mail addresses too; the collector stores a hash."""
    assert expected == hashed_id(value, "user.id")


def test_what_is_refused_is_not_in_the_attributes_in_any_form() -> None:
    """Neither keys nor values of what was refused are left over."""
    attributes = metadata_attributes(
        {"q": "CANARY one", "CANARY two": 1, "model": "CANARY a b c d e", "ok": 1}, "p"
    )

    assert "CANARY" not in json.dumps(attributes)
    assert {"p.ok": 1} == attributes
