"""What the four component sections declare: ids, classes and validated options.

receivers:
  otlp:           type
  otlp/internal:  type/name
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from agenttracer.collector import components
from agenttracer.collector.component import Component
from agenttracer.collector.config.expand import structure
from agenttracer.collector.config.model import Configured
from agenttracer.collector.config.options import Faults, read_options
from agenttracer.collector.config.problems import Path, Problems, nearest
from agenttracer.collector.errors import ConfigError

_TYPE = re.compile(r"^[a-zA-Z][0-9a-zA-Z_]{0,62}$")
_MAX_NAME = 1024


@dataclass
class Declared:
    """One section: every id that it names, what became of it, and the settled trees of the options."""

    ids: tuple[str, ...] = ()
    components: dict[str, Configured] = field(default_factory=dict)
    trees: dict[str, Any] = field(default_factory=dict)


def declare(section: str, tree: Any, problems: Problems) -> Declared:
    """Load and validate every component of a section, whether or not a pipeline uses it."""
    tree = structure(tree)
    if tree is None:
        return Declared()
    declared = Declared(tuple(tree))
    for component_id, options in tree.items():
        path = (section, component_id)
        if fault := id_fault(component_id):
            problems.add(path, fault, "write type, or type/name")
        elif (loaded := _load(section, component_id, problems)) is not None:
            _configure(declared, path, loaded, options, problems)
    return declared


def id_fault(component_id: str) -> str:
    """What is wrong with an id, in the Collector's words; nothing if it is right."""
    type_name, slash, name = component_id.partition("/")
    if not type_name:
        return (
            f'in "{component_id}" id: the part before / should not be empty'
            if slash
            else "id must not be empty"
        )
    if not _TYPE.match(type_name):
        return f'in "{component_id}" id: invalid character(s) in type "{type_name}"'
    if slash and not name:
        return f'in "{component_id}" id: the part after / should not be empty'
    if len(name) > _MAX_NAME:
        return f'in "{name}" id: name is longer than {_MAX_NAME} characters ({len(name)} characters)'
    if any(unicodedata.category(character)[0] in "ZCS" for character in name):
        return f'in "{component_id}" id: invalid character(s) in name "{name}"'
    return ""


def _load(section: str, component_id: str, problems: Problems) -> type[Component[Any]] | None:
    path, type_name = (section, component_id), component_id.partition("/")[0]
    try:
        return components.load(section, type_name)
    except components.UnknownType:
        valid = components.types(section)
        message = f'unknown type: "{type_name}" for id: "{component_id}" (valid values: [{" ".join(valid)}])'
        problems.add(path, message, nearest(type_name, valid) or "use one of them, or install its plug-in")
    except ConfigError as error:
        problems.add(path, str(error), "mend or remove it")
    return None


def _configure(
    declared: Declared, path: Path, cls: type[Component[Any]], tree: Any, problems: Problems
) -> None:
    component_id = path[-1]
    try:
        options, settled = read_options(cls.options_type, tree)
    except Faults as faults:
        for fault in faults.faults:
            prefix = f'error reading configuration for "{component_id}": ' if fault.decoding else ""
            at = (*path, *(fault.path if fault.at is None else fault.at))
            problems.add((*path, *fault.path), prefix + fault.message, fault.fix, at=at)
        return
    declared.components[component_id] = Configured(component_id, cls, options)
    declared.trees[component_id] = settled
