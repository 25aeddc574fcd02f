"""Payloads that no framework sends: any shape that protobuf allows, with markers anywhere in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agenttracer.collector.decode import decode
from agenttracer.schemas.batch import Signal
from tests.otlp_reference import REQUESTS
from tests.otlp_strategies import requests
from tests.privacy.markers import CLASSES, Form, leaks_in
from tests.privacy.places import is_text, may_be_label
from tests.privacy.planting import ENCODINGS, EVERYTHING, KEYS, fill_ids, may_hold_labels
from tests.privacy.storing import Pipelines

_NUMBER = 123
_MARKER_WORD = "qzkanariabcd"


@dataclass(frozen=True)
class Slot:
    """A field that a marker can be put into: the message and, if it is an attribute's value, its key's owner."""

    message: Message
    field: str
    pair: KeyValue | None = None

    @property
    def is_key(self) -> bool:
        return isinstance(self.message, KeyValue)

    @property
    def may_hold_label(self) -> bool:
        if self.pair is not None:
            return may_hold_labels(self.pair.key)
        return self.is_key or may_be_label(self.message.DESCRIPTOR.fields_by_name[self.field])

    def put(self, text: str) -> None:
        is_bytes = isinstance(getattr(self.message, self.field), bytes)
        setattr(self.message, self.field, text.encode() if is_bytes else text)


def slots(message: Message, pair: KeyValue | None = None) -> Iterator[Slot]:
    """Every text of a message; of a value only the kind that it has."""
    held = {field.name for field, _ in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if field.is_repeated or field.name in held:
                values: Any = getattr(message, field.name)
                for child in values if field.is_repeated else [values]:
                    yield from slots(child, _owner(message, pair))
        elif not is_text(field) or field.is_repeated:
            continue
        elif not isinstance(message, AnyValue) or message.WhichOneof("value") == field.name:
            yield Slot(message, field.name, pair if isinstance(message, AnyValue) else None)


def _owner(message: Message, pair: KeyValue | None) -> KeyValue | None:
    """The attribute that a value belongs to: the outermost one, whose key decides."""
    return message if pair is None and isinstance(message, KeyValue) else pair


_forms = st.sampled_from([(name, form) for name, forms in EVERYTHING.items() for form in forms])
_plants = st.tuples(
    st.integers(0, 2**16), _forms, st.sampled_from(ENCODINGS), st.none() | st.sampled_from(KEYS)
)
Plant = tuple[int, tuple[str, Form], Callable[[str], str], str | None]


def skeleton(message: Message) -> None:
    """One of everything that a message can hold, so that there is a row, with a place of each kind to plant in."""
    for field in message.DESCRIPTOR.fields:
        if isinstance(message, AnyValue):
            message.string_value = ""
        elif field.message_type is not None:
            held: Any = getattr(message, field.name)
            kinds = [
                kind for oneof in field.message_type.oneofs for kind in oneof.fields if kind.message_type
            ]
            if not field.is_repeated:
                if field.containing_oneof is None:
                    skeleton(held)
            elif kinds and field.message_type != AnyValue.DESCRIPTOR:
                for kind in kinds:
                    skeleton(getattr(held.add(), kind.name))
            else:
                skeleton(held.add())
    fill_ids(message)


@st.composite
def planted(draw: st.DrawFn, signal: Signal) -> bytes:
    """A request with up to twelve markers."""
    request = draw(requests[signal])
    skeleton(more := REQUESTS[signal]())
    request.MergeFrom(more)
    found = list(slots(request))
    plants: list[Plant] = draw(st.lists(_plants, min_size=1, max_size=12))
    # Keys first: they decide which markers their values may have.
    for place, (name, form), encode, key in sorted(
        plants, key=lambda each: not found[each[0] % len(found)].is_key
    ):
        slot = found[place % len(found)]
        if slot.is_key and key is not None:
            slot.put(key)
        elif not slot.may_hold_label:
            slot.put(encode(form(_MARKER_WORD, _NUMBER)))
        elif name in CLASSES:
            slot.put(form(_MARKER_WORD, _NUMBER))
    return request.SerializeToString()


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    return Pipelines(tmp_path_factory.mktemp("key"))


@pytest.mark.parametrize("signal", Signal)
def test_no_marker_survives_in_any_payload(signal: Signal, pipelines: Pipelines) -> None:
    """Decoded, redacted, packed for the journal and flattened for ClickHouse: no marker is in any byte of it."""

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(planted(signal))
    def check(body: bytes) -> None:
        assert leaks_in(pipelines.stored(signal, body)) == []

    check()


@pytest.mark.parametrize("signal", Signal)
def test_generated_payloads_carry_markers(signal: Signal) -> None:
    """The generated payloads do carry markers, and rows that they could come through with."""
    carrying = []

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(planted(signal))
    def look(body: bytes) -> None:
        carrying.append(bool(leaks_in(body)) and decode(signal, [body], "default", 1).batch is not None)

    look()
    assert sum(carrying) > len(carrying) / 2
