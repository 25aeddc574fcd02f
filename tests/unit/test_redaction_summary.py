"""The redaction.* attributes, at each of the Collector's three levels."""

from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from agenttracer.schemas.batch import Place, Signal
from tests.otlp_traces import request, span
from tests.processing import attributes_at, decoded, process, redaction

GIVEN = {
    "my.b": "x",
    "my.a": "y",
    "Odd Key": "z",
    "user.id": "alice",
    "my.token": "t",
    "my.raw": "r",
    "my.size": 3,
}
OPTIONS: dict[str, Any] = {
    "allowed_keys": ["my.token"],
    "blocked_key_patterns": ["token"],
    "ignored_keys": ["my.raw"],
}


def summary_of(folder: Path, level: str, given: dict[str, Any]) -> dict[str, Any]:
    events = [("note", {"my.c": "x"})]
    clean = process(
        decoded(request(span("a", given, events=events), span("b"))),
        redaction(folder, summary=level, **OPTIONS),
    )
    found = {
        key: value for key, value in attributes_at(clean, Place.ROW).items() if key.startswith("redaction.")
    }
    of_event = attributes_at(clean, Place.EVENT)
    assert attributes_at(clean, Place.ROW, 1) == {}
    assert of_event.get("redaction.redacted.count") == (None if level == "silent" else 1)
    return found


def test_info_counts(tmp_path: Path) -> None:
    """How many were dropped, masked or hashed, and ignored; nothing where there was nothing."""
    assert summary_of(tmp_path, "info", GIVEN) == {
        "redaction.redacted.count": 3,
        "redaction.masked.count": 2,
        "redaction.ignored.count": 1,
    }


def test_debug_names_keys_that_are_well_formed(tmp_path: Path) -> None:
    """Sorted, with commas between; a key that may be somebody's text is only counted."""
    found = summary_of(tmp_path, "debug", GIVEN)

    assert found["redaction.redacted.keys"] == "my.a,my.b"
    assert found["redaction.masked.keys"] == "my.token,user.id"
    assert found["redaction.redacted.count"] == 3


def test_debug_names_no_key_that_is_private_itself(tmp_path: Path) -> None:
    """A key with a card's number or a telephone's is dropped, and its name doesn't come back in the summary."""
    given = {"card_4111111111111111": "x", "call.4915112345678": "x", "my.a": "x"}

    assert summary_of(tmp_path, "debug", given) == {
        "redaction.redacted.count": 3,
        "redaction.redacted.keys": "my.a",
    }


def test_silent_says_nothing(tmp_path: Path) -> None:
    """The default: the row's columns and the ledger tell it."""
    assert summary_of(tmp_path, "silent", GIVEN) == {}


def test_counts_add_up_over_collectors(tmp_path: Path) -> None:
    """A collector before this one may have written its own."""
    found = summary_of(tmp_path, "info", {**GIVEN, "redaction.redacted.count": 4})

    assert found["redaction.redacted.count"] == 7


def test_counts_pass_a_policy_of_named_keys(tmp_path: Path) -> None:
    """In mode custom as well, what earlier collectors counted is kept and added to."""
    given = {"my.a": "x", "redaction.redacted.count": 4, "redaction.masked.count": 2}
    clean = process(decoded(request(span("a", given))), redaction(tmp_path, mode="custom", summary="info"))

    assert attributes_at(clean, Place.ROW) == {"redaction.redacted.count": 5, "redaction.masked.count": 2}


def test_values_that_are_let_pass_are_told(tmp_path: Path) -> None:
    """What an allowed_values expression keeps from being masked has a category of its own."""
    given = {"my.token": "ok-1", "my.note": "mail bob@example.com", "my.size": 1}
    options: dict[str, Any] = {**OPTIONS, "allowed_keys": ["my.token", "my.note"], "allowed_values": ["^ok-"]}
    clean = process(decoded(request(span("a", given))), redaction(tmp_path, summary="debug", **options))

    assert attributes_at(clean, Place.ROW) == {
        "my.token": "ok-1",
        "my.note": "mail ****",
        "my.size": 1,
        "redaction.allowed.count": 1,
        "redaction.allowed.keys": "my.token",
        "redaction.masked.count": 1,
        "redaction.masked.keys": "my.note",
    }


def test_bodies_have_their_own(tmp_path: Path) -> None:
    """A log record's body is counted apart from its attributes."""
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "hello"
    clean = process(decoded(message, Signal.LOGS), redaction(tmp_path, summary="info"))

    assert attributes_at(clean, Place.ROW) == {"redaction.body.redacted.count": 1}
