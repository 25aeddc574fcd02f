"""Values of blocked keys inside of values, however they are written."""

import json

import pyarrow as pa
import pytest

from agenttracer.collector.privacy.nested_keys import NestedKeys

SECRET = "hunter2"  # noqa: S105 - made up


def masked(text: str, *patterns: str) -> str:
    (found,) = NestedKeys(patterns or ("^password$",)).masked(pa.array([text])).to_pylist()
    return str(found)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"password": SECRET}),
        json.dumps([{"a": [{"password": {"deep": [SECRET]}}]}]),
        json.dumps({"body": json.dumps({"inner": json.dumps({"password": SECRET})})}),
        '{"pass\\u0077ord": "hunter2"}',
        json.dumps({"body": '{"pass\\u0077ord": "hunter2"}'}),
        '{"password": "hunter2", "cut": "o',
        "{'password': 'hunter2'}",
        "[password=hunter2]",
        '{"a": ' * 2000 + '{"password": "hunter2"}' + "}" * 2000,
        '{"a": ' * 600 + '{"password": "hunter2"}' + "}" * 600,
    ],
    ids=lambda text: text[:24],
)
def test_a_blocked_key_is_found_wherever_it_stands(text: str) -> None:
    """Anchored patterns mean keys, not texts; what can't be read is masked whole."""
    assert SECRET not in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"note": "password", "n": 1.50}',
        "[INFO] all is well: 3",
        "{'user': 'bob'}",
        "password: no JSON",
        "[1, 2",
    ],
)
def test_text_without_a_blocked_key_stays_as_it_is(text: str) -> None:
    """Nothing is written anew that holds nothing to mask, nor masked because it can't be read."""
    assert masked(text) == text


def test_other_values_of_the_same_json_stay() -> None:
    """Only the value of the blocked key goes."""
    assert json.loads(masked('{"password": "hunter2", "size": 3}')) == {"password": "****", "size": 3}
