"""Nothing forbidden passes a pipeline: markers in every place of every captured payload, and none comes out.

What must never survive, wherever it stands: every class of ``markers.CLASSES`` (personal data, credentials,
and free text: sentences, structures, markup), in keys and values, in strings and bytes, nested, in JSON within
strings. What looks like a single label (``markers.WORDS``: a word, a user's id, random characters) can't be told
from one, so it must not survive wherever no label may stand: in free-text fields, under keys that no rule
knows, in values that are hashed, in bytes, and in arrays and maps of keys that hold no lists of labels.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from google.protobuf.descriptor import Descriptor

from agenttracer.schemas.batch import Batch, Signal
from tests.otlp_reference import REQUESTS
from tests.privacy.corpus import merged, planted
from tests.privacy.dense import dense
from tests.privacy.markers import CLASSES, WORDS, Mint, leaks_in
from tests.privacy.places import may_be_label, text_places
from tests.privacy.planting import EVERYTHING
from tests.privacy.storing import Pipelines, written

_REQUESTS_TOGETHER = 40


@pytest.mark.parametrize("signal", Signal)
def test_no_marker_in_a_captured_payload_survives(signal: Signal, tmp_path: Path) -> None:
    """Whatever frameworks send, in whatever place something private is added to it: neither journal nor store
    get it."""
    bodies, planter = planted(signal)
    pipelines = Pipelines(tmp_path)

    stored = b"".join(pipelines.stored(signal, body) for body in merged(bodies, _REQUESTS_TOGETHER))

    assert planter.mint.origin(stored) == {}
    assert leaks_in(stored) == []
    assert len(planter.mint.planted) > 50 * len(bodies)


@pytest.mark.parametrize("signal", Signal)
def test_no_marker_of_any_class_survives_in_any_place(signal: Signal, tmp_path: Path) -> None:
    """Each form of each class in each place and under each key that may be stored, at once."""
    body, planter = dense(signal)

    stored = Pipelines(tmp_path).stored(signal, body)

    assert planter.mint.origin(stored) == {}
    assert leaks_in(stored) == []


@pytest.mark.parametrize("options", [{"mode": "labels"}, {"mode": "custom"}, {"summary": "debug"}], ids=str)
@pytest.mark.parametrize("signal", Signal)
def test_no_mode_lets_a_class_through(signal: Signal, options: dict[str, str], tmp_path: Path) -> None:
    """Where labels may stand under unknown keys, what looks like one may stay; a detector's or free text may not."""
    body, planter = dense(signal)

    stored = Pipelines(tmp_path, **options).stored(signal, body)

    assert {place for place, name in planter.mint.origin(stored) if name in CLASSES} == set()


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_content_on_purpose_is_masked_and_goes_to_its_own_table(signal: Signal, tmp_path: Path) -> None:
    """With ``content: artifact``, what was said stays as text, without what any detector finds, and only in the
    table that goes to the artifact store."""
    body, planter = dense(signal)

    batch = Pipelines(tmp_path, content="artifact").processed(signal, body)

    contents = batch.tables["contents"].column("Content").to_pylist()
    others = Batch(signal, {name: table for name, table in batch.tables.items() if name != "contents"})
    found = planter.mint.origin("\n".join(contents).encode())
    assert leaks_in(written(others)) == []
    assert {name for _, name in found} - {"sentence", *WORDS} == set()
    assert len(contents) > 10


@pytest.mark.parametrize("signal", Signal)
def test_the_planter_reaches_every_place(signal: Signal) -> None:
    """The captures and the dense requests have a marker in every field that the descriptors of OTLP name."""
    places = text_places(REQUESTS[signal].DESCRIPTOR)

    assert set(planted(signal)[1].reached) == places
    assert set(dense(signal)[1].reached) == places


@pytest.mark.parametrize("signal", Signal)
def test_every_class_stands_in_every_place(signal: Signal) -> None:
    """Each class of marker stands in each field and attribute list, the words wherever no label may."""
    classes = defaultdict(set)
    for place, name in dense(signal)[1].mint.planted.values():
        classes[place].add(name)

    labels = {place for place, names in classes.items() if names == set(CLASSES)}
    assert {place for place, names in classes.items() if names != set(EVERYTHING)} == labels
    assert {place.rpartition(".")[2] for place in labels} <= {
        "key", "name", "version", "schema_url", "severity_text", "event_name", "unit",
    }  # fmt: skip


def test_fields_that_may_hold_labels_are_few() -> None:
    """A field that OTLP doesn't have today is taken for free text, and so are the ones whose names say text."""
    fields = [
        field
        for request in REQUESTS.values()
        for message in _messages(request.DESCRIPTOR, set())
        for field in message.fields
        if field.name in ("message", "trace_state", "description", "string_value", "bytes_value", "key")
    ]

    assert len(fields) > 5
    assert [field.full_name for field in fields if may_be_label(field)] == []


def _messages(descriptor: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    yield descriptor
    for field in descriptor.fields:
        if field.message_type:
            yield from _messages(field.message_type, seen)


@pytest.mark.parametrize("name", [*CLASSES, *WORDS])
def test_the_search_finds_a_marker_however_it_is_written(name: str) -> None:
    """As it is, in another case, in base64 whatever stands before it, percent-encoded, in hex or UTF-16."""
    mint = Mint()
    for _ in EVERYTHING[name]:
        text = mint.marker("here", {name: EVERYTHING[name]})
        plain = text.encode()
        assert leaks_in(b"x" + plain + b"y") != []
        assert mint.origin(b"some " + plain + b" more") == {("here", name): 1}
        if text.startswith("Basic "):
            continue  # base64 already
        written = [
            text.upper().encode(),
            text.lower().encode(),
            *(base64.b64encode(b"before"[:shift] + plain) for shift in range(3)),
            quote(text, safe="").encode() if plain.isalnum() else plain,
            "".join(f"%{byte:02X}" for byte in plain).encode(),
            plain.hex().encode(),
            text.encode("utf-16-le"),
        ]

        assert [number for number, data in enumerate(written) if not leaks_in(b"x" + data + b"y")] == []
    assert leaks_in(b"nothing of the kind 4929 577 0049170 QZ") == []
