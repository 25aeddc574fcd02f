"""The strict YAML reader."""

import pytest

from agenttracer.collector.config.problems import Position
from agenttracer.collector.config.read import parse_value, read_yaml
from agenttracer.collector.errors import ConfigError


def test_positions_are_the_lines_of_keys_and_items() -> None:
    """Every key and list item knows its file and line."""
    document = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n", "f.yaml")

    assert {"a": {"b": 1, "c": ["x", "y"]}} == document.data
    assert {
        (): Position("f.yaml"),
        ("a",): Position("f.yaml", 1),
        ("a", "b"): Position("f.yaml", 2),
        ("a", "c"): Position("f.yaml", 3),
        ("a", "c", "0"): Position("f.yaml", 4),
        ("a", "c", "1"): Position("f.yaml", 5),
    } == document.positions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("on", "on"),
        ("yes", "yes"),
        ("12", 12),
        ("010", 10),
        ("0x10", 16),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("", None),
        ("null", None),
        ("200ms", "200ms"),
        ("[a, 1]", ["a", 1]),
        ("{a: b}", {"a": "b"}),
        ('"12"', "12"),
        ("a: b: c", "a: b: c"),
        ("@here", "@here"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, expected: object) -> None:
    """Only what YAML 1.2 calls a number, a boolean or null is one; what isn't YAML is text."""
    actual = parse_value(text)

    assert expected == actual
    assert type(expected) is type(actual)


def test_anchors_and_merge_keys_work() -> None:
    """A map can be written once and used again."""
    document = read_yaml("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "f.yaml")

    assert {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}} == document.data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: 1\nb:\n  c: 1\n  c: 2\n",
            'f.yaml:4:3: not valid YAML: the key "c" is already given on line 3; keep one of the two; '
            "mend the line, or quote the value",
        ),
        (
            "a: hush: hush\n",
            "f.yaml:1:8: not valid YAML: mapping values are not allowed here; mend the line, or quote the value",
        ),
        (
            "a: &x\n  b: *x\n",
            "f.yaml:1:4: not valid YAML: an alias contains itself; mend the line, or quote the value",
        ),
        (
            "? [a]\n: b\n",
            "f.yaml:1:3: not valid YAML: a key must be plain text; mend the line, or quote the value",
        ),
        ("a: \x07", "f.yaml: not valid YAML: it holds a character or a value that YAML doesn't allow"),
    ],
)
def test_bad_yaml_names_file_line_and_column(text: str, expected: str) -> None:
    """A syntax error or a key given twice says where, without what was written."""
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f.yaml")

    assert f"invalid configuration: {expected}" == str(caught.value)


@pytest.mark.parametrize("value", ["!!python/object/apply:os.getcwd []", "!!python/name:os.getcwd", "!x {}"])
def test_tags_are_refused(value: str) -> None:
    """YAML can't make objects."""
    with pytest.raises(ConfigError, match=r"^invalid configuration: f.yaml:1:4: not valid YAML: .* tag"):
        read_yaml(f"a: {value}\n", "f.yaml")
