"""``${…}`` in a configuration, as the Collector expands it.

    ${env:NAME}  ${NAME}      the environment variable; unset is a warning and an empty value
    ${env:NAME:-default}      the default if it is unset; it may hold ``${…}`` itself
    ${file:path}              the content of a file
    $$                        a dollar sign

A value that is one ``${…}`` as a whole is read as YAML, unless the option is text: then it stays as
it was written. What was brought in is expanded again if it is a map or a list, so that parts of a
configuration can be kept in files; a scalar is taken as it is, so that a password may hold a ``$``.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from agenttracer.collector.config.problems import Path, Problems
from agenttracer.collector.config.read import parse_value

logger = logging.getLogger(__name__)

_NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")
_SCHEMES = ("env", "file")
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a ``${…}`` became: ``text`` for options that are text, ``value`` for all others."""

    text: str = field(repr=False)
    value: Any = field(repr=False)


def structure(value: Any) -> Any:
    """The value where maps are expected, whether it was written there or brought in."""
    return value.value if isinstance(value, Expanded) else value


@dataclass
class Expander:
    """Expands a tree; what can't be expanded goes to ``problems``."""

    problems: Problems
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def expand(self, value: Any, path: Path = (), depth: int = 0) -> Any:
        """The tree with each ``${…}`` replaced, as ``Expanded`` where it was a whole value."""
        if isinstance(value, dict):
            return {key: self.expand(item, (*path, key), depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand(item, (*path, str(index)), depth) for index, item in enumerate(value)]
        if not isinstance(value, str) or "$" not in value:
            return value
        if value.startswith("${") and _closing(value, 0) == len(value) - 1:
            return self._expand_whole(value[2:-1], path, depth)
        return self._expand_text(value, path)

    def _expand_whole(self, reference: str, path: Path, depth: int) -> Any:
        text = self._retrieve(reference, path)
        value = parse_value(text)
        if isinstance(value, dict | list):
            if depth == _MAX_DEPTH:
                self.problems.add(
                    path, "too many recursive expansions", "take out the file that holds itself"
                )
                return None
            value = self.expand(value, path, depth + 1)
        return Expanded(text, value)

    def _expand_text(self, text: str, path: Path) -> str:
        parts, start = [], 0
        while start < len(text):
            if text.startswith("$$", start):
                part, end = "$", start + 2
            elif text.startswith("${", start) and (close := _closing(text, start)) > 0:
                part, end = self._retrieve(text[start + 2 : close], path), close + 1
            else:
                part, end = text[start], start + 1
            parts.append(part)
            start = end
        return "".join(parts)

    def _retrieve(self, reference: str, path: Path) -> str:
        scheme, colon, rest = reference.partition(":")
        if not colon or reference.startswith("${") or (rest.startswith("-") and scheme not in _SCHEMES):
            scheme, rest = "env", reference
        if scheme == "env":
            return self._read_environment(rest, path)
        if scheme == "file":
            return self._read_file(self._expand_text(rest, path), path)
        message = f'scheme "{scheme}" is not supported for uri "{reference}"'
        self.problems.add(path, message, "use ${env:NAME} or ${file:path}, or write $$ for a dollar sign")
        return ""

    def _read_environment(self, reference: str, path: Path) -> str:
        raw_name, default = _cut_default(reference)
        name = self._expand_text(raw_name, path)
        if not _NAME.match(name):
            message = f'environment variable "{raw_name}" has invalid name: must match regex {_NAME.pattern}'
            self.problems.add(path, message, "rename it, or write $$ for a dollar sign")
            return ""
        if name in self.environ:
            return self.environ[name]
        if default is not None:
            return self._expand_text(default, path)
        where = self.problems.locate(path, path)
        logger.warning("%s: references the unset environment variable %s: it is read as empty", where, name)
        return ""

    def _read_file(self, name: str, path: Path) -> str:
        try:
            return FilePath(name).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            reason = error.strerror or "it can't be opened"
        except UnicodeDecodeError:
            reason = "it isn't UTF-8 text"
        fix = f"make it readable; a relative path starts at {os.getcwd()}"
        self.problems.add(path, f"unable to read the file {name}: {reason}", fix)
        return ""


def _closing(text: str, start: int) -> int:
    """Where the ``${`` at ``start`` ends, or -1."""
    depth, position = 0, start
    while position < len(text):
        if text.startswith("$$", position):
            position += 2
            continue
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def _cut_default(reference: str) -> tuple[str, str | None]:
    """``NAME:-default`` in two, at the first ``:-`` that isn't inside a nested ``${…}``."""
    position = 0
    while position < len(reference):
        if reference.startswith("${", position) and (close := _closing(reference, position)) > 0:
            position = close
        elif reference.startswith(":-", position):
            return reference[:position], reference[position + 2 :]
        position += 1
    return reference, None
