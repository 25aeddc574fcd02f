"""``${…}`` in a configuration."""

import logging
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.config.expand import Expanded, Expander
from agenttracer.collector.config.problems import Position, Problems
from agenttracer.collector.errors import ConfigError

ENVIRONMENT = {
    "PORT": "4317",
    "HOST": "localhost",
    "EMPTY": "",
    "FLAG": "true",
    "QUOTED": '"x" # y',
    "DOLLARS": "a$$b${HOST}c",
    "MAP": "{host: '${HOST}', port: 1}",
    "WHICH": "HOST",
}


def expand(value: Any) -> Any:
    """The value expanded with the environment above."""
    problems = Problems({(): Position("f.yaml"), ("a",): Position("f.yaml", 1)})
    expanded = Expander(problems, ENVIRONMENT).expand({"a": value})["a"]
    problems.raise_any()
    return expanded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${env:PORT}", Expanded("4317", 4317)),
        ("${PORT}", Expanded("4317", 4317)),
        ("${env:FLAG}", Expanded("true", True)),
        ("${env:EMPTY}", Expanded("", None)),
        ("${env:QUOTED}", Expanded('"x" # y', "x")),
        ("${env:DOLLARS}", Expanded("a$$b${HOST}c", "a$$b${HOST}c")),
        ("${env:NONE:-7}", Expanded("7", 7)),
        ("${NONE:-7}", Expanded("7", 7)),
        ("${env:EMPTY:-7}", Expanded("", None)),
        ("${env:PORT:-7}", Expanded("4317", 4317)),
        ("${env:NONE:-a:-b}", Expanded("a:-b", "a:-b")),
        ("${env:NONE:-}", Expanded("", None)),
        (
            "${env:NONE:-http://${env:HOST}:${PORT}}",
            Expanded("http://localhost:4317", "http://localhost:4317"),
        ),
        ("${env:NONE:-${env:NEITHER:-${HOST}}}", Expanded("localhost", "localhost")),
        ("${env:${env:WHICH}}", Expanded("localhost", "localhost")),
        ("${env:${env:NONE:-WHICH}:-x}", Expanded("HOST", "HOST")),
        ("${env:MAP}", Expanded(ENVIRONMENT["MAP"], {"host": Expanded("localhost", "localhost"), "port": 1})),
        ("${env:HOST}:${env:PORT}", "localhost:4317"),
        ("http://${HOST}:${env:PORT:-1}/", "http://localhost:4317/"),
        ("$$", "$"),
        ("a$b", "a$b"),
        ("$HOST", "$HOST"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$localhost"),
        ("$$$${HOST}", "$${HOST}"),
        ("${HOST", "${HOST"),
        ("a}", "a}"),
        (["${HOST}", 1], [Expanded("localhost", "localhost"), 1]),
        (None, None),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    """Variables, defaults, nesting and escapes, as whole values and inside text."""
    assert expected == expand(value)


def test_the_default_is_left_alone_when_the_variable_is_set(caplog: pytest.LogCaptureFixture) -> None:
    """An unset variable in a default that isn't needed is no reason to warn."""
    assert Expanded("localhost", "localhost") == expand("${env:HOST:-${env:NONE}}")
    assert [] == caplog.records


def test_unset_without_default_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The value is empty, and the log says which variable of which option is missing."""
    with caplog.at_level(logging.WARNING):
        assert Expanded("", None) == expand("${env:NONE}")

    assert [
        "f.yaml:1: a: references the unset environment variable NONE: it is read as empty"
    ] == caplog.messages


def test_file_content(tmp_path: Path) -> None:
    """A file's text without its last line end, as text and as YAML; its name may hold a variable."""
    (tmp_path / "localhost").write_text("s3cr$t\n")

    assert Expanded("s3cr$t", "s3cr$t") == expand(f"${{file:{tmp_path}/${{env:HOST}}}}")


def test_file_with_a_part_of_the_configuration(tmp_path: Path) -> None:
    """A map in a file is configuration, so it is expanded in turn."""
    (tmp_path / "part.yaml").write_text("port: ${env:PORT}\n")

    assert {"port": Expanded("4317", 4317)} == expand(f"${{file:{tmp_path}/part.yaml}}").value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "${env:1X}",
            'environment variable "1X" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$; '
            "rename it, or write $$ for a dollar sign",
        ),
        (
            "x${}",
            'environment variable "" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$; '
            "rename it, or write $$ for a dollar sign",
        ),
        (
            "${vault:secret}",
            'scheme "vault" is not supported for uri "vault:secret"; '
            "use ${env:NAME} or ${file:path}, or write $$ for a dollar sign",
        ),
    ],
)
def test_what_cannot_be_expanded(value: str, expected: str) -> None:
    """The Collector's message, with file, line, path and fix."""
    with pytest.raises(ConfigError) as caught:
        expand(value)

    assert f"invalid configuration: f.yaml:1: a: {expected}" == str(caught.value)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file and a binary one are named, with where relative paths start."""
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError) as missing:
        expand("${file:none}")
    with pytest.raises(ConfigError) as binary:
        expand("${file:binary}")

    fix = f"make it readable; a relative path starts at {tmp_path}"
    where = "invalid configuration: f.yaml:1: a: unable to read the file"
    assert f"{where} none: No such file or directory; {fix}" == str(missing.value)
    assert f"{where} binary: it isn't UTF-8 text; {fix}" == str(binary.value)


def test_a_file_that_holds_itself(tmp_path: Path) -> None:
    """Endless expansion ends in the Collector's message."""
    path = tmp_path / "loop.yaml"
    path.write_text(f"again: ${{file:{path}}}\n")

    with pytest.raises(
        ConfigError, match="too many recursive expansions; take out the file that holds itself"
    ):
        expand(f"${{file:{path}}}")
