"""Plants markers into every place of OTLP requests, and says which places it reached.

    planter = Planter()
    planter.plant(request)            in place; half of what was there stays, so that names and steps keep meaning
    planter.reached                   Counter of places, as ``places.text_places`` names them

What a request has nothing of, such as links, exemplars or a summary metric, is added now and then, so that a
corpus of requests reaches every place though no single one of them does.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agenttracer.schemas.attributes import ALLOWED, ALLOWED_PREFIXES, HASHED
from agenttracer.schemas.dialects import EVENT_KEYS, RESOURCE_STRINGS, SCOPED_KEYS, SPAN_STRINGS
from tests.privacy.markers import CLASSES, WORDS, Form, Mint
from tests.privacy.places import ANY_VALUE, KEY_VALUE, LEVELS, is_text, may_be_label

EVERYTHING = {**WORDS, **CLASSES}
Classes = Mapping[str, Sequence[Form]]
_HASHED_COLUMNS = ("ConversationId", "UserHash")
_MAY_BE_LABELS = {key for key, meaning in ALLOWED.items() if meaning != HASHED} | {
    key
    for table in (SPAN_STRINGS, RESOURCE_STRINGS, EVENT_KEYS, *SCOPED_KEYS.values())
    for column, keys in table.items()
    if column not in _HASHED_COLUMNS
    for key in keys
}
KEYS = sorted({*ALLOWED, *_MAY_BE_LABELS, *(prefix + "note" for prefix in ALLOWED_PREFIXES)})
"""Every key whose string value some column or attribute may keep or hash."""
_TREE_EVERY = 40
_ADD_EVERY = 15


def may_hold_labels(key: str) -> bool:
    """Whether a word under this key may be kept as the label that it looks like."""
    return key in _MAY_BE_LABELS or key.startswith(tuple(ALLOWED_PREFIXES))


ENCODINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: json.dumps({"messages": [{"content": text}]}),
    str,
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: quote(f"q={text} & more", safe=""),
    lambda text: f"before {text} after",
)


class Planter:
    """Plants into one request after another; classes and shapes of markers take turns at each place."""

    def __init__(self) -> None:
        self.mint = Mint()
        self.reached: Counter[str] = Counter()
        self._turns: Counter[str] = Counter()
        self._visits: Counter[str] = Counter()

    def plant(self, message: Message) -> None:
        """Plant into a whole request; the first of each place in it, then every second."""
        self._visits.clear()
        self._fields(message, "")

    def _fields(self, message: Message, path: str) -> None:
        for field in message.DESCRIPTOR.fields:
            place = f"{path}.{field.name}" if path else field.name
            held = getattr(message, field.name)
            if field.message_type is None:
                if is_text(field):
                    self._text(message, field, place)
            elif field.is_repeated:
                if field.message_type.full_name == KEY_VALUE:
                    self._attributes(held, place, 0)
                else:
                    self._children(held, field, place)
            elif field.message_type.full_name == ANY_VALUE:
                self._body(held, place)
            elif field.containing_oneof is None or message.HasField(field.name):
                self._fields(held, place)

    def _children(self, held: Any, field: FieldDescriptor, place: str) -> None:
        """The messages of a repeated field; now and then one more of each kind that there can be."""
        if self._every(place, _ADD_EVERY):
            alternatives = [each.name for oneof in field.message_type.oneofs for each in oneof.fields]
            kinds = [name for name in alternatives if field.message_type.fields_by_name[name].message_type]
            for name in kinds or ([None] if not held else []):
                fill_ids(added := held.add())
                if name is not None:
                    getattr(added, name).data_points.add()
        for child in held:
            self._fields(child, place)

    def _text(self, message: Message, field: FieldDescriptor, place: str) -> None:
        if not self._takes_turn(place):
            return
        self.reached[place] += 1
        text = self._marker(place, CLASSES if may_be_label(field) else EVERYTHING)
        if field.is_repeated:
            getattr(message, field.name).append(text)
        elif self._every(f"{place} kept", 3):
            setattr(message, field.name, f"{getattr(message, field.name)} {text}")
        else:
            setattr(message, field.name, text)

    def _attributes(self, held: Any, place: str, level: int) -> None:
        for pair in held:
            if self._takes_turn(f"{place} {pair.key}"):
                self._value(pair.value, f"{place}.value", level, pair.key)
        if level:
            return
        # What is certain to be there: a marker for a key, a word under a free key, and under one that is known.
        self.reached[f"{place}.key"] += 1
        held.add(key=self._marker(f"{place}.key", CLASSES)).value.int_value = 1
        self._leaf(held.add(key="my.own.note").value, f"{place}.value", EVERYTHING, encoded=True)
        for known in self._known_keys(place):
            classes = CLASSES if may_hold_labels(known) else EVERYTHING
            self._leaf(held.add(key=known).value, f"{place}.value", classes, encoded=False)
        if self._every(f"{place} tree", _TREE_EVERY):
            for value in self.values(f"{place}.value", 0):
                held.add(key="my.own.tree", value=value)

    def _value(self, value: AnyValue, place: str, level: int, key: str) -> None:
        """Plant where there is a text already, as deep as there is one."""
        kind = value.WhichOneof("value")
        labels = may_hold_labels(key)
        if kind == "array_value":
            for element in value.array_value.values:
                self._value(element, f"{place}.array_value.values", level + 1, key)
        elif kind == "kvlist_value":
            for pair in value.kvlist_value.values:
                self._value(pair.value, f"{place}.kvlist_value.values.value", level + 1, key)
        elif kind in ("string_value", "bytes_value") and level <= LEVELS:
            self._leaf(value, place, CLASSES if labels else EVERYTHING, encoded=not labels)

    def _leaf(self, value: AnyValue, place: str, classes: Classes, *, encoded: bool) -> None:
        """A marker as a string, as it is or wrapped up; what was bytes stays bytes."""
        kind = value.WhichOneof("value") or "string_value"
        self.reached[f"{place}.{kind}"] += 1
        text = self._marker(place, classes)
        if encoded:
            turn = self._turns["encoding"] = self._turns["encoding"] + 1
            text = ENCODINGS[turn % len(ENCODINGS)](text)
        setattr(value, kind, text.encode() if kind == "bytes_value" else text)

    def values(self, place: str, level: int) -> list[AnyValue]:
        """A value of each kind that holds text, arrays and maps with one of each kind in them."""
        made = [AnyValue(string_value=""), AnyValue(bytes_value=b"")]
        for value in made:
            self._leaf(value, place, EVERYTHING, encoded=False)
        if level < LEVELS:
            array, pairs = AnyValue(), AnyValue()
            array.array_value.values.extend(self.values(f"{place}.array_value.values", level + 1))
            inside = f"{place}.kvlist_value.values"
            for value in self.values(f"{inside}.value", level + 1):
                self.reached[f"{inside}.key"] += 1
                key = self._marker(f"{inside}.key", EVERYTHING)
                pairs.kvlist_value.values.add(key=key, value=value)
            made += [array, pairs]
        return made

    def _body(self, body: AnyValue, place: str) -> None:
        """Half of the bodies keep their structure, with markers in it; the others are of each kind in turn."""
        turn = self._turns[place] = self._turns[place] + 1
        if turn % 2 and body.WhichOneof("value"):
            self._value(body, place, 0, "")
        else:
            kinds = self.values(place, 0)
            body.CopyFrom(kinds[turn // 2 % len(kinds)])

    def _marker(self, place: str, classes: Classes) -> str:
        return self.mint.marker(place, classes)

    def _known_keys(self, place: str) -> Sequence[str]:
        """One of the keys that may stay, each in turn."""
        turn = self._turns["known"] = self._turns["known"] + 1
        return (KEYS[turn % len(KEYS)],)

    def _takes_turn(self, place: str) -> bool:
        """The first in each request, then every second."""
        self._visits[place] += 1
        return self._visits[place] % 2 == 1

    def _every(self, what: str, times: int) -> bool:
        self._turns[what] += 1
        return self._turns[what] % times == 1


def fill_ids(message: Message) -> None:
    """Ids that are valid, where a message has any."""
    for name, width in (("trace_id", 16), ("span_id", 8)):
        if name in message.DESCRIPTOR.fields_by_name:
            setattr(message, name, b"\x01" * width)
