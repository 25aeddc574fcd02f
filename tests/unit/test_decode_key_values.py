"""KeyValues read by numpy: the same as by the decoder that takes any of them, or left to it."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.key_values import read_key_values
from agenttracer.collector.decode.values import read_values
from agenttracer.schemas.batch import Kind
from tests.otlp_strategies import any_values

_LENGTHS = (0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2**20)
_NUMBERS = (0, 1, 127, 128, 2**35, 2**56 - 1, 2**56, 2**63 - 1, -1, -(2**63))
MUTATIONS = 5_000


def _messages(*messages: KeyValue | bytes) -> pa.BinaryArray:
    raw = [each if isinstance(each, bytes) else each.SerializeToString() for each in messages]
    return pa.array(raw, pa.binary())


def _columns(messages: pa.BinaryArray) -> list[pa.Array]:
    rows = wire.parse(wire.KEY_VALUE, messages)
    return [rows.column("key").dictionary_encode(), *read_values(rows.column("value")).columns]


def _is_same(messages: pa.BinaryArray) -> bool:
    """Whether the messages are read, and then as by the other decoder."""
    read = read_key_values(messages)
    if read is None:
        return False
    keys, values = read
    for mine, other in zip([keys, *values.columns], _columns(messages), strict=True):
        mine.validate(full=True)
        assert _bits(mine).equals(_bits(other))
    return True


def _bits(column: pa.Array) -> pa.Array:
    # Arrow holds that no NaN equals another.
    return column.view(pa.int64()) if column.type == pa.float64() else column


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.builds(KeyValue, key=st.text(min_size=1, max_size=6), value=any_values), min_size=1, max_size=9
    )
)
def test_values_of_any_kind(messages: list[KeyValue]) -> None:
    """Keys with values of every kind are read as they are by the decoder that takes any message."""
    raw = _messages(*messages, KeyValue(key="long enough", value=AnyValue(int_value=1)))
    known = all("strindex" not in str(message.value) for message in messages)
    assert _is_same(raw) or not known


def test_lengths_of_every_size() -> None:
    """Texts, bytes and lists are read whatever their length takes: one byte, two, three."""
    for length in _LENGTHS:
        text = "ü" * (length // 2) + "x" * (length % 2)
        values = [
            AnyValue(string_value=text),
            AnyValue(bytes_value=b"\xff" * length),
            AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=text)])),
            AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key=text, value=AnyValue(int_value=length))])
            ),
        ]
        assert _is_same(_messages(*(KeyValue(key="key", value=value) for value in values)))
    assert _is_same(_messages(*(KeyValue(key="k" * length, value=AnyValue()) for length in (1, 20, 127))))


def test_numbers_of_every_size() -> None:
    """Whole numbers are read whatever their length, so are booleans and doubles, and a value that is none."""
    values = [AnyValue(int_value=number) for number in _NUMBERS]
    values += [AnyValue(double_value=number) for number in (0.0, -0.0, 1.5, float("inf"), float("nan"))]
    values += [AnyValue(bool_value=True), AnyValue(bool_value=False), AnyValue()]
    every = _messages(*(KeyValue(key="key", value=value) for value in values))
    assert _is_same(every)
    for first in range(len(every)):
        assert _is_same(every.slice(first, 3))
    read = read_key_values(every)
    assert read is not None
    assert read[1].int.to_pylist()[: len(_NUMBERS)] == list(_NUMBERS)


def test_lists_of_two_kinds_in_turn() -> None:
    """Arrays and kvlists between each other keep their own elements."""
    array = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(int_value=2)]))
    pairs = AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(int_value=3))]))
    nothing = AnyValue(array_value=ArrayValue())
    values = [pairs, array, AnyValue(int_value=4), nothing, array, pairs]
    assert _is_same(_messages(*(KeyValue(key="key", value=value) for value in values)))


_GOOD = KeyValue(key="key", value=AnyValue(string_value="a text"))
_LEFT_ALONE = {
    "too short to hold a word": [b"\x0a\x01k\x12\x00"],
    "more than agents have": [_GOOD.SerializeToString()] * (2**18 + 1),
    "no key": [KeyValue(value=AnyValue(string_value="a text"))],
    "no value": [KeyValue(key="a long key")],
    "empty": [b""],
    "a key of two length bytes": [KeyValue(key="k" * 128, value=AnyValue(int_value=1))],
    "a value of four length bytes": [KeyValue(key="k", value=AnyValue(string_value="x" * 2**21))],
    "the value first": [b"\x12\x03\x0a\x01x\x0a\x03key"],
    "a field behind": [_GOOD.SerializeToString() + b"\x18\x01"],
    "two values": [b"\x0a\x03key\x12\x05\x0a\x01a\x18\x01"],
    "a value in two parts": [b"\x0a\x03key\x12\x03\x0a\x01a\x12\x02\x18\x01"],
    "a text that isn't UTF-8": [b"\x0a\x03key\x12\x04\x0a\x02\xff\xff"],
    "a key that isn't UTF-8": [b"\x0a\x03\xff\xffy\x12\x04\x0a\x02ab"],
    "a length behind the end": [b"\x0a\x03key\x12\x04\x0a\x20ab"],
    "a number without an end": [b"\x0a\x03key\x12\x03\x18\x80\x80"],
    "a number of eleven bytes": [b"\x0a\x03key\x12\x0c\x18" + b"\x80" * 10 + b"\x01"],
    "half a double": [b"\x0a\x03key\x12\x05\x21abcd"],
}


@pytest.mark.parametrize("messages", _LEFT_ALONE.values(), ids=_LEFT_ALONE)
def test_what_is_written_otherwise(messages: list[KeyValue | bytes]) -> None:
    """Whatever isn't written as exporters do is left to the other decoder, wherever it stands among others."""
    if messages != _LEFT_ALONE["too short to hold a word"]:
        assert read_key_values(_messages(_GOOD, *messages, _GOOD)) is None
        assert read_key_values(_messages(_GOOD, *messages)) is None
    assert read_key_values(_messages(*messages)) is None


def test_mutated_messages() -> None:
    """Damaged messages are left alone, or still valid, and read as the reference implementation reads them."""
    chance = random.Random(7)
    values = [AnyValue(int_value=number) for number in _NUMBERS]
    values += [AnyValue(string_value="x" * length) for length in (0, 3, 120, 130, 300)]
    values += [
        AnyValue(double_value=2.5),
        AnyValue(bool_value=True),
        AnyValue(bytes_value=b"\1\2\3"),
        AnyValue(),
    ]
    values += [AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)]))]
    whole = [KeyValue(key="some.key", value=value).SerializeToString() for value in values]
    read = left = 0
    for _ in range(MUTATIONS):
        message = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(1, 3)):
            place = chance.randrange(min(len(message), 24))
            message[place] = chance.choice((0, 1, 0x80, 0xFF, chance.randrange(256)))
        mutated = _messages(chance.choice(whole), bytes(message), chance.choice(whole))
        try:
            found = read_key_values(mutated)
        except wire.Malformed:  # of what an array holds
            with pytest.raises(wire.Malformed):
                _columns(mutated)
            continue
        if found is None:
            left += 1
            continue
        assert _is_same(mutated)
        # Elements of arrays are looked at later.
        if Kind(found[1].kind[1]) not in (Kind.ARRAY, Kind.KVLIST):
            wire.check(wire.KEY_VALUE, bytes(message))
            read += 1
    assert read > MUTATIONS // 10
    assert left > MUTATIONS // 10
