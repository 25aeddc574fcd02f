"""Arrays and kvlists as JSON text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.nested import DEPTH_LIMIT, render_nested
from agenttracer.schemas.batch import Kind
from tests.otlp_reference import json_text
from tests.otlp_strategies import containers

NESTED = pa.list_(pa.binary())


def _render(*values: AnyValue | None) -> list[str | None]:
    kinds, nested = [], []
    for value in values:
        which = value.WhichOneof("value") if value else None
        kinds.append({"array_value": Kind.ARRAY, "kvlist_value": Kind.KVLIST}.get(which, Kind.STRING))
        nested.append([each.SerializeToString() for each in getattr(value, which).values] if which else None)
    return render_nested(pa.array(kinds, pa.uint8()), pa.array(nested, NESTED)).to_pylist()


def _array(*values: AnyValue) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=values))


def _kvlist(**values: AnyValue) -> AnyValue:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return AnyValue(kvlist_value=KeyValueList(values=pairs))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.none() | containers, max_size=5))
def test_any_values(values: list[AnyValue | None]) -> None:
    """Values of every kind, at every level, become the text that json.dumps writes; other rows are null."""
    assert [json_text(value) if value else None for value in values] == _render(*values)


def test_every_kind() -> None:
    """One of each, so that the text itself can be seen."""
    value = _array(
        AnyValue(),
        AnyValue(string_value='a"\\\n\x01é\u2028'),
        AnyValue(bool_value=True),
        AnyValue(int_value=-(2**63)),
        AnyValue(double_value=1e16),
        AnyValue(double_value=float("nan")),
        AnyValue(double_value=float("-inf")),
        AnyValue(bytes_value=b"abcd"),
        _array(),
        _kvlist(k=_kvlist(), j=AnyValue(double_value=0.1)),
    )
    expected = (
        r'[null,"a\"\\\n\u0001é' + "\u2028"
        r'",true,-9223372036854775808,1e+16,"NaN","-Infinity","YWJjZA==",[],{"k":{},"j":0.1}]'
    )
    assert [expected] == _render(value)


ELEMENTS = st.sampled_from(
    [
        AnyValue(string_value="stop"),
        AnyValue(string_value="tool_calls"),
        AnyValue(string_value='"'),
        AnyValue(string_value="x" * 80),
        AnyValue(int_value=7),
        AnyValue(),
        _array(AnyValue(bool_value=True)),
        _kvlist(k=AnyValue(string_value="v")),
    ]
)


@settings(deadline=None, max_examples=50)
@given(st.lists(ELEMENTS.map(_array), min_size=1, max_size=6))
def test_arrays_of_one_element(values: list[AnyValue]) -> None:
    """Arrays of one element each, which are rendered by their distinct elements, become what others do."""
    assert [json_text(value) for value in values] == _render(*values)


def test_arrays_of_one_element_and_maps() -> None:
    """A map of one pair, or a longer array, beside arrays of one element is no array of one."""
    one, other = _array(AnyValue(int_value=1)), _kvlist(k=AnyValue(int_value=1))
    two = _array(AnyValue(int_value=1), AnyValue(int_value=2))
    assert ["[1]", '{"k":1}'] == _render(one, other)
    assert ["[1]", "[1,2]", "[]"] == _render(one, two, _array())


def test_sliced_input() -> None:
    """A slice of the attributes table renders its own rows."""
    kind = pa.array([Kind.ARRAY, Kind.STRING, Kind.ARRAY, Kind.ARRAY], pa.uint8())
    one, two = (AnyValue(int_value=number).SerializeToString() for number in (1, 2))
    nested = pa.array([[one], None, [two, one], []], NESTED)
    assert [None, "[2,1]"] == render_nested(kind.slice(1, 2), nested.slice(1, 2)).to_pylist()


def test_depth_limit() -> None:
    """What lies below the last level that is shown is null."""
    value = AnyValue(int_value=1)
    for _ in range(DEPTH_LIMIT):
        value = _array(value)
    expected = ["[" * DEPTH_LIMIT + text + "]" * DEPTH_LIMIT for text in ("1", "null")]
    assert expected == _render(value, _array(value))


def test_malformed_elements() -> None:
    """An element that is not what it should be is null; its neighbours are shown."""
    good = AnyValue(int_value=1).SerializeToString()
    pair = KeyValue(key="k", value=AnyValue(int_value=1)).SerializeToString()
    bad = b"\x0a\x7fx"
    kind = pa.array([Kind.ARRAY, Kind.KVLIST], pa.uint8())
    nested = pa.array([[good, bad, good], [pair, bad]], NESTED)
    assert ["[1,null,1]", '{"k":1,"":null}'] == render_nested(kind, nested).to_pylist()


def test_one_malformed_element_among_thousands() -> None:
    """It is null; all others are shown."""
    elements = [AnyValue(int_value=number).SerializeToString() for number in range(5_000)]
    elements[1_234] = b"\x0a\x7fx"
    expected = [str(number) for number in range(5_000)]
    expected[1_234] = "null"
    rendered = render_nested(pa.array([Kind.ARRAY], pa.uint8()), pa.array([elements], NESTED))
    assert ["[" + ",".join(expected) + "]"] == rendered.to_pylist()


def test_malformed_elements_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not looked at one by one: nobody can make a loop over millions of them."""
    asked: list[str] = []
    canonical = wire.canonical

    def counted(message: str, value: bytes) -> bytes:
        asked.append(message)
        return canonical(message, value)

    monkeypatch.setattr(wire, "canonical", counted)
    good = KeyValue(key="k").SerializeToString()
    bad = [b"\x0a\x7f" + str(number).encode() for number in range(100_000)]
    rendered = render_nested(pa.array([Kind.KVLIST], pa.uint8()), pa.array([[good, *bad]], NESTED))
    assert '{"k":null' + ',"":null' * len(bad) + "}" == rendered[0].as_py()
    assert 0 < len(asked) < 5_000


def test_element_of_two_kinds() -> None:
    """Of several members of a oneof the last counts, as protobuf has it."""
    number, text = (each.SerializeToString() for each in (AnyValue(int_value=1), AnyValue(string_value="s")))
    nested = pa.array([[number + text, text + number]], NESTED)
    assert ['["s",1]'] == render_nested(pa.array([Kind.ARRAY], pa.uint8()), nested).to_pylist()
