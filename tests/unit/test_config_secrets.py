"""What ``print-config`` shows, and what it keeps to itself."""

from typing import Any

import pytest
import yaml

from agenttracer.collector.config.render import Hidden, mark_secrets, show, to_json, to_yaml
from tests.fake_components import StoreOptions

HUSH = "hush"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"password": HUSH}, {"password": "[REDACTED]"}),
        ({"password": 12345}, {"password": "[REDACTED]"}),
        ({"password": None}, {"password": None}),
        ({"pin": HUSH}, {"pin": "[REDACTED]"}),
        ({"headers": {"x-anything": HUSH}}, {"headers": {"x-anything": "[REDACTED]"}}),
        ({"response_headers": {"a": HUSH}}, {"response_headers": {"a": "[REDACTED]"}}),
        (
            {"headers": [{"name": HUSH, "value": HUSH}]},
            {"headers": [{"name": "[REDACTED]", "value": "[REDACTED]"}]},
        ),
        (
            {"tokens": {"acme": HUSH, "x": [HUSH]}},
            {"tokens": {"acme": "[REDACTED]", "x": ["[REDACTED]"]}},
        ),
        ({"anything": {"Authorization": HUSH}}, {"anything": {"Authorization": "[REDACTED]"}}),
        ({"api_key": HUSH, "apikeys": [HUSH]}, {"api_key": "[REDACTED]", "apikeys": ["[REDACTED]"]}),
        ({"hmac_key": HUSH, "key": HUSH}, {"hmac_key": "[REDACTED]", "key": "[REDACTED]"}),
        ({"secret_access_key": HUSH}, {"secret_access_key": "[REDACTED]"}),
        ({"key_pem": HUSH}, {"key_pem": "[REDACTED]"}),
        ({"client_secret": HUSH}, {"client_secret": "[REDACTED]"}),
        ({"endpoint": f"https://me:{HUSH}@host:1/x"}, {"endpoint": "https://me:[REDACTED]@host:1/x"}),
        ({"endpoint": f"https://:{HUSH}@host"}, {"endpoint": "https://:[REDACTED]@host"}),
        ({"endpoint": f"https://me:{HUSH}@{HUSH}@host"}, {"endpoint": "https://me:[REDACTED]@host"}),
        ({"endpoint": f"https://me:{HUSH}/{HUSH}@host"}, {"endpoint": "https://me:[REDACTED]@host"}),
        (
            {"endpoint": f"tcp://host:9000?username=me&password={HUSH}&x=1"},
            {"endpoint": "tcp://host:9000?username=me&password=[REDACTED]&x=1"},
        ),
        ({"tables": [f"http://a:{HUSH}@b"]}, {"tables": ["http://a:[REDACTED]@b"]}),
    ],
)
def test_secrets_are_redacted(tree: Any, expected: Any) -> None:
    """Declared secrets, telling names, header values and passwords in URLs are not shown."""
    marked = mark_secrets(tree, StoreOptions)

    assert expected == show(marked)
    assert tree == show(marked, redacted=False)
    assert HUSH not in repr(marked)


@pytest.mark.parametrize(
    "tree",
    [
        {"key_file": "server-key.pem", "token_file": "t", "password_file": "p"},
        {"allowed_keys": ["a"], "blocked_key_patterns": ["b"], "metadata_keys": ["c"]},
        {"allowed_headers": ["x"], "exposed_headers": ["y"]},
        {"endpoint": "chdb://./data/clickhouse", "ttl": "720h", "enabled": True},
        {"endpoint": "http://me@host:8123/db?x=1"},
        {"authenticator": "bearer_token_auth"},
        {"cert_file": "server.pem"},
    ],
)
def test_everything_else_is_shown(tree: Any) -> None:
    """Names of files and of attributes are no secrets."""
    assert tree == show(mark_secrets(tree, StoreOptions))


def test_yaml_and_json_keep_the_order_and_read_back() -> None:
    """Both forms hold the same tree, in the order it was written."""
    tree = {"b": {"y": 1, "x": [True, None, "on", "1"]}, "a": "ü"}

    assert tree == yaml.safe_load(to_yaml(tree))
    assert tree == yaml.safe_load(to_json(tree))
    assert "b:\n  y: 1\n  x:\n    - true\n    - null\n    - 'on'\n    - '1'\na: ü\n" == to_yaml(tree)


def test_a_hidden_value_does_not_show_in_its_repr() -> None:
    """A secret doesn't come out by way of a log line."""
    assert "Hidden(shown='[REDACTED]')" == repr(Hidden(HUSH))
