"""Trees of options become models, and faults that quote no value."""

from typing import Any

import pytest
from pydantic import SecretStr

from agenttracer.collector.config.expand import Expanded
from agenttracer.collector.config.options import Fault, Faults, read_options
from tests import fake_components


def read(tree: Any) -> fake_components.StoreOptions:
    """The fake exporter's options."""
    return read_options(fake_components.StoreOptions, tree)[0]


def fault(tree: Any) -> Fault:
    """The only fault of a tree for the fake exporter."""
    with pytest.raises(Faults) as caught:
        read(tree)
    (only,) = caught.value.faults
    return only


@pytest.mark.parametrize(
    ("key", "text", "value", "expected"),
    [
        ("username", "12345", 12345, "12345"),
        ("username", "true", True, "true"),
        ("username", "", None, ""),
        ("username", "a # b", "a", "a # b"),
        ("password", '"x" y', "x", SecretStr('"x" y')),
        ("password", "{a}", {"a": None}, SecretStr("{a}")),
        ("anything", "12345", 12345, 12345),
        ("name", "12345", 12345, 12345),
        ("enabled", "false", False, False),
        ("ttl", '"5s"', "5s", 5.0),
        ("compress", '"zstd"', "zstd", "zstd"),
        ("tables", "[a, b]", ["a", "b"], ["a", "b"]),
        ("tables", "a, b", "a, b", ["a", "b"]),
        ("tables", "", None, []),
        ("headers", "{a: b}", {"a": "b"}, {"a": "b"}),
        ("headers", "{a: b}", {"a": Expanded("7", 7)}, {"a": "7"}),
    ],
)
def test_an_expansion_is_text_for_text_options_and_yaml_for_others(
    key: str, text: str, value: Any, expected: Any
) -> None:
    """The option's type decides how an expanded value is read."""
    assert expected == getattr(read({key: Expanded(text, value)}), key)


def test_the_settled_tree_holds_what_was_read() -> None:
    """The tree that comes back has the reading that the options took, and no expansions."""
    tree = {"username": Expanded("1", 1), "anything": Expanded("1", 1), "tables": "a,b"}

    settled = read_options(fake_components.StoreOptions, tree)[1]

    assert {"username": "1", "anything": 1, "tables": ["a", "b"]} == settled


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {},
        {"sending_queue": None, "tables": None, "headers": None, "ttl": None, "anything": None, "name": None},
    ],
)
def test_null_is_the_default(tree: Any) -> None:
    """A component, or a key, without a value takes its default."""
    assert fake_components.StoreOptions() == read(tree)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            {"username": 12345},
            Fault(("username",), "must be text: put it in quotes", "username: Who we are."),
        ),
        (
            {"enabled": "hush"},
            Fault(("enabled",), "must be true or false", "enabled: Whether it does anything."),
        ),
        ({"tables": {"hush": 1}}, Fault(("tables",), "must be a list", "tables: The tables to write.")),
        (
            {"tables": ["a", 12345]},
            Fault(("tables", "1"), "must be text: put it in quotes", "tables: The tables to write."),
        ),
        (
            {"compress": "hush"},
            Fault(("compress",), "must be 'none' or 'zstd'", "compress: How bodies are compressed."),
        ),
        (
            {"name": [1]},
            Fault(
                ("name",),
                "must be text: put it in quotes or must be a whole number",
                "name: A name or a number.",
            ),
        ),
        (
            {"retry_on_failure": {"multiplier": 0}},
            Fault(
                ("retry_on_failure", "multiplier"),
                "must be at least 1.0",
                "multiplier: How fast the wait grows.",
            ),
        ),
        (
            {"sending_queue": {"batch": {"min_size": "hush"}}},
            Fault(
                ("sending_queue", "batch", "min_size"),
                "must be a whole number",
                "min_size: Rows that are enough to start.",
            ),
        ),
        (
            {"ttl": "hush"},
            Fault(("ttl",), "must be a duration with a unit, like 200ms, 5s or 1h30m", decoding=False),
        ),
        ("hush", Fault((), "must be a map of options")),
        (
            {"sending_queue": {"bach": {}}},
            Fault(
                ("sending_queue",),
                "'sending_queue' has invalid keys: bach",
                'did you mean "batch"? (valid keys: batch)',
                at=("sending_queue", "bach"),
            ),
        ),
    ],
)
def test_faults(tree: Any, expected: Fault) -> None:
    """A fault says where, what is needed and what the option is for; never what was given."""
    actual = fault(tree)

    assert expected == actual
    assert "hush" not in str(actual)
    assert "12345" not in str(actual)


def test_an_expansion_that_suits_no_reading_is_one_fault() -> None:
    """The value of a variable isn't shown."""
    expected = Fault(("enabled",), "must be true or false", "enabled: Whether it does anything.")

    assert expected == fault({"enabled": Expanded("12345", 12345)})


def test_a_missing_option_is_named() -> None:
    """What must be given is asked for, with what it is."""
    with pytest.raises(Faults) as caught:
        read_options(fake_components.OtlpOptions, {"protocols": {"grpc": {"auth": {}}}})

    assert (
        Fault(
            ("protocols", "grpc", "auth", "authenticator"),
            "must be given",
            "authenticator: The extension that knows who is calling.",
        ),
    ) == caught.value.faults


def test_a_component_s_own_check_keeps_its_words() -> None:
    """A validator's message is the fault, without a library's prefix."""
    with pytest.raises(Faults) as caught:
        read_options(fake_components.OtlpOptions, {})

    assert (
        Fault((), "must specify at least one protocol when using the OTLP receiver", decoding=False),
    ) == caught.value.faults


def test_unknown_keys_at_the_root_list_the_valid_ones() -> None:
    """The Collector's message about keys, then the nearest valid one."""
    with pytest.raises(Faults) as caught:
        read_options(fake_components.OtlpOptions, {"protocol": 1, "x": 2, "protocols": {"grpc": {}}})

    assert (
        Fault(
            (),
            "'' has invalid keys: protocol, x",
            'did you mean "protocols"? (valid keys: protocols)',
            at=("protocol",),
        ),
    ) == caught.value.faults
