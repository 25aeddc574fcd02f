"""Attribute values become the texts that the Collector shows."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttracer.schemas.attribute_maps import AttributeMaps
from agenttracer.schemas.batch import Kind, Place
from tests.batches import make_attributes


def texts(*values: Any) -> list[str]:
    """What each value looks like in a map."""
    attributes = [(Place.ROW, number, "key", value) for number, value in enumerate(values)]
    maps = AttributeMaps(make_attributes(attributes)).maps(Place.ROW, len(values))
    return [entries[0][1] for entries in maps.to_pylist()]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-(2**63), "-9223372036854775808"),
        (2**63 - 1, "9223372036854775807"),
        (1.0, "1"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (123456789.125, "123456789.125"),
        (1e-5, "0.00001"),
        (b"", ""),
        (b"\x00\xff", "AP8="),
    ],
    ids=repr,
)
def test_values_look_as_the_collector_shows_them(value: Any, expected: str) -> None:
    """One rendering for each kind of value."""
    assert [expected] == texts(value)


@pytest.mark.parametrize("kind", [Kind.ARRAY, Kind.KVLIST])
def test_arrays_and_maps_are_their_json(kind: Kind) -> None:
    """The text that redaction kept is stored as it is."""
    maps = AttributeMaps(make_attributes([(Place.ROW, 0, "k", '["a",1]', kind)])).maps(Place.ROW, 1)
    assert [[("k", '["a",1]')]] == maps.to_pylist()


@given(st.lists(st.one_of(st.binary(max_size=9), st.text(max_size=3), st.integers(-9, 9), st.booleans())))
def test_kinds_may_alternate(values: list[Any]) -> None:
    """Every value is rendered by its own kind, whatever its neighbours are."""

    def show(value: Any) -> str:
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        return str(value).lower() if isinstance(value, bool) else str(value)

    assert [show(value) for value in values] == texts(*values)


@given(st.lists(st.tuples(st.sampled_from(list(Place)[:6]), st.integers(0, 4), st.sampled_from("abc"))))
def test_owners_have_their_own_attributes(given_keys: list[tuple[Place, int, str]]) -> None:
    """Whatever the order in the table, each owner has its attributes, keys in order, and no other's."""
    attributes = make_attributes([(place, owner, key, key * 2) for place, owner, key in given_keys])
    shuffled = attributes.take(pa.array(np.random.default_rng(0).permutation(len(given_keys))))
    maps = AttributeMaps(shuffled)
    for place in list(Place)[:6]:
        expected = [
            sorted((key, key * 2) for at, whose, key in given_keys if (at, whose) == (place, owner))
            for owner in range(5)
        ]
        assert expected == maps.maps(place, 5).to_pylist()


def test_keys_that_no_attribute_has_any_more_do_not_travel_on() -> None:
    """A dropped attribute leaves its key in the dictionary; it ends here."""
    attributes = make_attributes([(Place.ROW, 0, "kept", "v"), (Place.ROW, 0, "dropped", "v")]).slice(1)
    maps = AttributeMaps(attributes).maps(Place.ROW, 1)
    assert ["dropped"] == maps.keys.dictionary.to_pylist()


def test_two_names_that_became_one_are_one_key() -> None:
    """Renaming leaves a key twice in the dictionary, which ClickHouse would refuse."""
    attributes = make_attributes([(Place.ROW, 0, "a", "1"), (Place.ROW, 1, "b", "2")])
    keys = attributes.column("key")
    renamed = pa.DictionaryArray.from_arrays(keys.indices, pa.array(["same", "same"]))
    maps = AttributeMaps(attributes.set_column(2, attributes.schema.field("key"), renamed)).maps(Place.ROW, 2)
    assert ["same"] == maps.keys.dictionary.to_pylist()
    assert [[("same", "1")], [("same", "2")]] == maps.to_pylist()
