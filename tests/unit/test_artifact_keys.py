import hashlib
import re
import uuid

import pyarrow as pa
import pytest

from agenttracer.collector.component import Context, Options
from agenttracer.collector.processors.artifact_keys import ArtifactKeys
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.artifact_key import key_part
from agenttracer.schemas.batch import ATTRIBUTES, Batch, Kind, Place
from tests.batches import make_batch

_ROW = {"EventName": "agent.artifact", "RunId": "run-1", "AgentName": "support"}


def _process(batch: Batch) -> Batch:
    return ArtifactKeys(Options(), Context("artifact_keys", Telemetry())).process(batch)


def _attributes(batch: Batch, owner: int) -> dict[str, object]:
    rows = batch.attributes.to_pylist()
    return {
        row["key"]: row["string"] if row["kind"] == Kind.STRING else row["int"]
        for row in rows
        if (row["place"], row["owner"]) == (Place.ROW, owner)
    }


def test_an_artifact_gets_key_hash_and_size() -> None:
    """The key is tenant/agent/run/uuid/name; hash and size are the body's."""
    content = b"\x00glTF"
    batch = make_batch(
        "logs",
        [_ROW],
        resources=[{"TenantId": "acme"}],
        attributes=[(Place.ROW, 0, "agent.artifact.name", "scene.glb"), (Place.BODY, 0, "", content)],
    )

    found = _attributes(_process(batch), 0)

    tenant, agent, run, unique, name = str(found.pop("agent.artifact.key")).split("/")
    assert {
        "agent.artifact.name": "scene.glb",
        "agent.artifact.sha256": hashlib.sha256(content).hexdigest(),
        "agent.artifact.size_bytes": 5,
    } == found
    assert ["acme", "support", "run-1", "scene.glb"] == [tenant, agent, run, name]
    assert uuid.UUID(unique).version == 4


def test_text_is_hashed_as_utf8() -> None:
    """A string body counts by its bytes."""
    batch = make_batch("logs", [_ROW], attributes=[(Place.BODY, 0, "", "größe")])

    found = _attributes(_process(batch), 0)

    assert (7, hashlib.sha256("größe".encode()).hexdigest()) == (
        found["agent.artifact.size_bytes"],
        found["agent.artifact.sha256"],
    )


def test_empty_content_is_an_artifact_too() -> None:
    """No bytes are something else than no body."""
    batch = make_batch("logs", [_ROW, _ROW], attributes=[(Place.BODY, 0, "", b"")])

    processed = _process(batch)

    assert (0, {}) == (_attributes(processed, 0)["agent.artifact.size_bytes"], _attributes(processed, 1))


def test_attributes_stay_sorted_and_others_untouched() -> None:
    """Only artifacts change; the table is sorted by place and owner, in one schema."""
    attributes = [
        (Place.RESOURCE, 0, "service.name", "s"),
        *((Place.ROW, owner, key, "v") for owner in range(3) for key in ("b", "a")),
        *((Place.BODY, owner, "", "text") for owner in range(3)),
    ]
    batch = make_batch("logs", [{"EventName": ""}, _ROW, {"EventName": None}], attributes=attributes)

    processed = _process(batch)

    order = [(row["place"], row["owner"]) for row in processed.attributes.to_pylist()]
    assert sorted(order) == order
    assert batch.attributes.num_rows + 3 == processed.attributes.num_rows
    assert ["b", "a"] == list(_attributes(processed, 0)) == list(_attributes(processed, 2))
    assert ATTRIBUTES == processed.attributes.schema
    assert 10 == batch.attributes.num_rows


@pytest.mark.parametrize(
    "batch",
    [
        make_batch("logs", [{"EventName": "agent.heartbeat"}, {"EventName": None}]),
        make_batch("logs", []),
        make_batch("traces", [{}]),
        make_batch("metrics", [{}]),
    ],
    ids=["other events", "empty", "traces", "metrics"],
)
def test_a_batch_without_artifacts_passes_as_it_came(batch: Batch) -> None:
    """Not even a copy is made."""
    assert _process(batch) is batch


def test_a_key_that_the_client_chose_is_taken_away() -> None:
    """It could name another tenant's object."""
    chosen = [
        (Place.ROW, 0, "agent.artifact.key", "other/a/r/u/n"),
        (Place.ROW, 0, "agent.artifact.sha256", "0" * 64),
        (Place.ROW, 0, "agent.artifact.size_bytes", 1),
        (Place.ROW, 1, "agent.artifact.key", "other/a/r/u/n"),
        (Place.BODY, 0, "", b"content"),
    ]
    batch = make_batch("logs", [_ROW, _ROW], resources=[{"TenantId": "acme"}], attributes=chosen)

    processed = _process(batch)

    assert 3 == sum(row["place"] == Place.ROW for row in processed.attributes.to_pylist())
    assert str(_attributes(processed, 0)["agent.artifact.key"]).startswith("acme/support/run-1/")
    assert {} == _attributes(processed, 1)


def test_works_without_typed_columns() -> None:
    """In a pipeline that doesn't normalize, agent and run are unknown."""
    batch = make_batch(
        "logs", [_ROW], drop=["AgentName", "RunId"], attributes=[(Place.BODY, 0, "", b"content")]
    )

    key = str(_attributes(_process(batch), 0)["agent.artifact.key"])

    assert re.fullmatch(r"default/_/_/[0-9a-f-]{36}/_", key)


@pytest.mark.parametrize(
    "hostile",
    [
        "../../etc/passwd",
        "..",
        ".",
        ".hidden",
        "a/b",
        "a\\b",
        "a..b",
        "a b",
        "a\nb",
        "é",
        "x" * 129,
        "_",
        "a\n",
        "\x00",
    ],
)
def test_what_does_not_fit_a_key_becomes_a_hash(hostile: str) -> None:
    """Nothing that walks, hides or breaks out of its part gets into a key."""
    assert re.fullmatch(r"_[0-9a-f]{32}", key_part(hostile))


@pytest.mark.parametrize("plain", ["a", "report-2.final_v3.tar.gz", "x" * 128, "0"])
def test_what_fits_a_key_stays(plain: str) -> None:
    """Letters, digits, dots, dashes and underscores are kept."""
    assert plain == key_part(plain)


def test_two_values_never_share_a_part() -> None:
    """A value that looks like another's hash is hashed itself."""
    assert key_part("a/b") != key_part(key_part("a/b"))


def test_dictionary_of_event_names_works_as_well() -> None:
    """Columns may come dictionary-encoded."""
    batch = make_batch("logs", [_ROW], attributes=[(Place.BODY, 0, "", b"content")])
    encoded = batch.with_columns(EventName=pa.array(["agent.artifact"]).dictionary_encode())

    assert "agent.artifact.key" in _attributes(_process(encoded), 0)
