"""YAML as the Collector reads it, strictly: a key given twice is an error, and lines are remembered.

Plain scalars follow YAML 1.2's core schema, so ``on``, ``12:30`` and ``2024-01-01`` are text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from agenttracer.collector.config.problems import Path, Position, invalid


@dataclass
class Document:
    """Plain maps, lists and scalars, and where each of them was written."""

    data: Any
    positions: dict[Path, Position] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape that PyYAML gives it


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    # YAML 1.1, and so PyYAML, would read a leading zero as octal.
    return int(text, 0) if text.lstrip("+-").startswith(("0x", "0o")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_value(text: str) -> Any:
    """The value of a piece of YAML; text that isn't YAML is itself."""
    try:
        return read_document(text, "").data
    except (yaml.YAMLError, ValueError):
        return text


def read_yaml(text: str, source: str) -> Document:
    """Parse a configuration; raises ``ConfigError`` with file, line and column, and no content."""
    try:
        return read_document(text, source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise invalid(f"{where}: not valid YAML: {what}; mend the line, or quote the value") from None
    except (yaml.YAMLError, ValueError):
        raise invalid(
            f"{source}: not valid YAML: it holds a character or a value that YAML doesn't allow"
        ) from None


def read_document(text: str, source: str) -> Document:
    """Parse YAML and remember positions; raises what PyYAML raises."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = Document(None)
        if node is not None:
            document.data = _build(loader, node, (), source, document.positions, ())
    finally:
        loader.dispose()
    return document


def _build(
    loader: _Loader,
    node: yaml.Node,
    path: Path,
    source: str,
    positions: dict[Path, Position],
    parents: tuple[yaml.Node, ...],
) -> Any:
    if any(node is parent for parent in parents):
        raise yaml.constructor.ConstructorError(None, None, "an alias contains itself", node.start_mark)
    if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
        raise yaml.constructor.ConstructorError(None, None, "a tag that isn't supported", node.start_mark)
    positions[path] = Position(source, node.start_mark.line + 1 if path else None)
    inside = (*parents, node)
    if isinstance(node, yaml.MappingNode):
        _refuse_duplicates(node)
        loader.flatten_mapping(node)
        data = {}
        for key, value in node.value:
            data[key.value] = _build(loader, value, (*path, key.value), source, positions, inside)
            # A map starts on the line after its key; the key's line is the one to look at.
            positions[*path, key.value] = Position(source, key.start_mark.line + 1)
        return data
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, item, (*path, str(index)), source, positions, inside)
            for index, item in enumerate(node.value)
        ]
    return loader.construct_object(node)


def _refuse_duplicates(node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
        if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            problem = f'the key "{key.value}" is already given on line {seen[key.value]}; keep one of the two'
            raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        seen[key.value] = key.start_mark.line + 1
