"""The ledger: how many values were changed, of whom, where, by which rule. Never which."""

import time
from pathlib import Path

from agenttracer.collector.codec import pack, unpack
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.flatten import flatten
from tests.otlp_traces import request, span
from tests.processing import decoded, normalize, process, redaction

PRIVATE = {
    "gen_ai.prompt": "hello",
    "my.note": "x",
    "user.id": "alice",
    "error.type": "alice@example.com",
    "gen_ai.operation.name": "chat",
}


def ledger(batch: Batch) -> dict[tuple[str, str, str, str], tuple[int, int]]:
    """(place, rule, class, action) → (count, bytes)."""
    return {
        (line["Place"], line["Rule"], line["Class"], line["Action"]): (line["Count"], line["Bytes"])
        for line in batch.tables["ledger"].to_pylist()
    }


def test_every_change_is_a_line(tmp_path: Path) -> None:
    """By place, rule, class and action, with sizes; what stayed is not in it."""
    batch = decoded(
        request(
            span("private name", PRIVATE, error="boom", events=[("note", {"gen_ai.prompt": "12345"})]),
            span("other", {"gen_ai.prompt": "hi"}),
        )
    )

    assert ledger(process(batch, normalize(), redaction(tmp_path))) == {
        ("row", "content", "attribute", "drop"): (2, 7),
        ("row", "not_allowed", "attribute", "drop"): (1, 1),
        ("row", "identity", "attribute", "hash"): (1, 5),
        ("row", "email", "label", "drop"): (1, 17),
        ("row", "free_text", "text", "drop"): (1, 4),
        ("row", "span_name", "text", "drop"): (2, 17),
        ("event", "content", "attribute", "drop"): (1, 5),
    }


def test_lines_name_the_service_that_sent_the_values(tmp_path: Path) -> None:
    """Each resource's values are its own, in whatever place they stand; a service is named as it is stored."""
    message = request(span("", {"gen_ai.prompt": "a"}, events=[("note", {"gen_ai.prompt": "b"})]))
    message.resource_spans[0].resource.attributes.clear()
    for name, spans in (("one", 2), ("please call me now or else", 1)):
        resource = message.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = name
        resource.resource.attributes.add(key="gen_ai.prompt").value.string_value = "c"
        for _ in range(spans):
            added = resource.scope_spans.add().spans.add(trace_id=b"1" * 16, span_id=b"1" * 8)
            added.attributes.add(key="gen_ai.prompt").value.string_value = "d"
    clean = process(decoded(message), normalize(), redaction(tmp_path))

    counts: dict[tuple[str, str], int] = {}
    for line in clean.tables["ledger"].to_pylist():
        if line["Rule"] == "content":
            counts[line["ServiceName"][:3], line["Place"]] = line["Count"]
    assert counts == {
        ("", "row"): 1,
        ("", "event"): 1,
        ("one", "row"): 2,
        ("one", "resource"): 1,
        ("h1:", "row"): 1,
        ("h1:", "resource"): 1,
    }


def test_lines_travel_with_the_rows(tmp_path: Path) -> None:
    """Through the journal into the store, where they are added up by the hour."""
    batch = process(decoded(request(span("a", PRIVATE)), tenant="acme"), normalize(), redaction(tmp_path))

    (lines,) = [
        table.to_pylist()
        for name, table in flatten(unpack([pack(batch)] * 2), 60).items()
        if "ledger" in name
    ]

    assert len(lines) == 2 * batch.tables["ledger"].num_rows
    assert {line["TenantId"] for line in lines} == {"acme"}
    assert {line["Signal"] for line in lines} == {Signal.TRACES.value}
    assert {line["PolicyHash"] for line in lines} == set(batch.rows.column("PolicyHash").to_pylist())
    (hour,) = {line["Hour"] for line in lines}
    assert hour % 3600 == 0
    assert 0 <= time.time() - hour < 7200
    assert {line["ExpiresAt"] for line in lines} == {hour + 60}


def test_metrics_tell_what_was_changed_and_who_violates_policy(tmp_path: Path) -> None:
    """Content and personal data are violations; unknown attributes and hashed users are not."""
    redacting = redaction(tmp_path)
    process(decoded(request(span("", PRIVATE))), normalize(), redacting)
    registry = redacting.context.telemetry.registry

    changed = {"rule": "identity", "class": "attribute", "action": "hash"}
    assert registry.get_sample_value("agent_redactions_total", changed) == 1
    assert registry.get_sample_value("agent_policy_violations_total", {"service": "tests"}) == 2


def test_services_without_end_share_a_label(tmp_path: Path) -> None:
    """A client can't make series of the collector's metrics without end."""
    redacting = redaction(tmp_path)
    message = request()
    for number in range(300):
        resource = message.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = f"s{number}"
        added = resource.scope_spans.add().spans.add(trace_id=b"1" * 16, span_id=b"1" * 8)
        added.attributes.add(key="gen_ai.prompt").value.string_value = "x"
    process(decoded(message), normalize(), redacting)

    (family,) = [
        family
        for family in redacting.context.telemetry.registry.collect()
        if family.name == "agent_policy_violations"
    ]
    values = {
        sample.labels["service"]: sample.value for sample in family.samples if sample.name.endswith("_total")
    }
    assert len(values) == 201
    assert values["other"] == 100


def test_a_place_has_no_number_of_its_own(tmp_path: Path) -> None:
    """Lines name places in words."""
    batch = process(decoded(request(span("a", PRIVATE))), redaction(tmp_path))

    assert set(batch.tables["ledger"].column("Place").to_pylist()) <= {place.name.lower() for place in Place}
