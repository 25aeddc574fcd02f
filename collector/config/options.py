"""A tree of options becomes a component's model, or a list of faults in words for an operator.

No fault ever quotes the value that was given: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agenttracer.collector.config.expand import Expanded
from agenttracer.collector.config.fields import follow, keys, models
from agenttracer.collector.config.problems import Path, nearest

M = TypeVar("M", bound=BaseModel)

_MESSAGES: Mapping[str, str] = {
    "missing": "must be given",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a map",
    "mapping_type": "must be a map",
    "model_type": "must be a map of options",
    "model_attributes_type": "must be a map of options",
    "none_required": "must be empty",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "too_short": "must have at least {min_length} elements",
    "too_long": "must have at most {max_length} elements",
    "path_type": "must be a path",
    "url_parsing": "must be a URL",
    "url_scheme": "must be a URL with the scheme {expected_schemes}",
}
"""pydantic's kinds of error in our words. Any other kind says only that the value isn't valid: the
messages of the library may quote what was given."""

_MAP_KINDS = frozenset({"model_type", "model_attributes_type"})
_LIST_KINDS = frozenset({"list_type", "tuple_type", "set_type", "frozen_set_type"})
_OWN_CHECKS = ("value_error", "assertion_error")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a path below the options.

    ``decoding`` is false for a component's own checks; ``at`` is where to look, if not at the path.
    """

    path: Path
    message: str
    fix: str = ""
    decoding: bool = True
    at: Path | None = None


class Faults(Exception):
    """The faults that keep a tree from becoming options."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def read_options(model: type[M], tree: Any, name: Path = ()) -> tuple[M, Any]:
    """The options, and the tree that they came from with every expansion settled.

    An expanded value is tried as text and as YAML, whichever the option takes; text is tried as a
    comma-separated list where a list is needed; a key without a value takes its default. ``name`` is
    what the Collector calls the tree in its message about unknown keys. Raises ``Faults``.
    """
    attempt = _Attempt()
    settled = {} if (first := attempt.settle(tree, ())) is None else first
    while True:
        try:
            return model.model_validate(settled), settled
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        located = [(_real_path(settled, detail), detail) for detail in details]
        kinds: dict[Path, set[str]] = {}
        for path, detail in located:
            kinds.setdefault(path, set()).add(detail["type"])
        changed = [attempt.try_again(settled, path, several) for path, several in kinds.items()]
        if not any(changed):
            raise Faults(*_explain(model, located, name))


@dataclass
class _Attempt:
    """Which readings of the expanded values are still untried."""

    untried: dict[Path, Any] = field(default_factory=dict)

    def settle(self, value: Any, path: Path) -> Any:
        """A copy of the tree with the likelier reading of each expansion."""
        if isinstance(value, Expanded):
            # YAML takes quotes and comments out of text; a password may hold both.
            text_first = isinstance(value.value, str)
            chosen, other = (value.text, value.value) if text_first else (value.value, value.text)
            if other != chosen or type(other) is not type(chosen):
                self.untried[path] = other
            return self.settle(chosen, path) if isinstance(chosen, dict | list) else chosen
        if isinstance(value, dict):
            return {key: self.settle(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.settle(item, (*path, str(index))) for index, item in enumerate(value)]
        return value

    def try_again(self, tree: Any, path: Path, kinds: Set[str]) -> bool:
        """Put the next reading of the value at ``path`` into the tree; False if there is none."""
        if not path or kinds & {"missing", "extra_forbidden"}:
            return False
        parent = _at(tree, path[:-1])
        key: Any = int(path[-1]) if isinstance(parent, list) else path[-1]
        value = parent[key]
        if path in self.untried:
            parent[key] = self.untried.pop(path)
        elif value is None and kinds & _MAP_KINDS:
            parent[key] = {}
        elif value is None and isinstance(parent, dict):
            del parent[key]
        elif isinstance(value, str) and kinds & _LIST_KINDS:
            parent[key] = [item.strip() for item in value.split(",")] if value else []
        else:
            return False
        return True


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


def _real_path(tree: Any, detail: ErrorDetails) -> Path:
    """The location without what pydantic puts between the keys: the names of a union's members."""
    path: list[str] = []
    for part in detail["loc"]:
        inside = part in tree if isinstance(tree, dict) else isinstance(tree, list) and isinstance(part, int)
        if inside:
            tree = tree[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path.append(str(part))
    return tuple(path)


def _explain(model: type[BaseModel], located: list[tuple[Path, ErrorDetails]], name: Path) -> list[Fault]:
    unknown: dict[Path, list[str]] = {}
    messages: dict[Path, list[str]] = {}
    own: list[Fault] = []
    for path, detail in located:
        if detail["type"] == "extra_forbidden":
            unknown.setdefault(path[:-1], []).append(path[-1])
        elif detail["type"] in _OWN_CHECKS:
            own.append(Fault(path, str(detail["ctx"]["error"]), decoding=False))
        else:
            template = _MESSAGES.get(detail["type"], "is not valid")
            messages.setdefault(path, []).append(template.format(**detail.get("ctx", {})))
    faults = [_unknown_keys(model, path, extra, name) for path, extra in unknown.items()]
    for path, several in messages.items():
        faults.append(Fault(path, " or ".join(dict.fromkeys(several)), _hint(model, path)))
    return [*faults, *own]


def _unknown_keys(model: type[BaseModel], path: Path, extra: list[str], name: Path) -> Fault:
    valid = sorted(key for nested in models(follow(model, path)[1]) for key in keys(nested))
    message = f"'{'.'.join((*name, *path))}' has invalid keys: {', '.join(extra)}"
    guesses = [guess for key in extra if (guess := nearest(key, valid))]
    listing = f"(valid keys: {', '.join(valid)})" if valid else "(it takes no options)"
    guessed = guesses or ["remove them" if extra[1:] else "remove it"]
    return Fault(path, message, " ".join((*guessed, listing)), at=(*path, extra[0]))


def _hint(model: type[BaseModel], path: Path) -> str:
    option = follow(model, path)[0]
    if option is None or not option.description:
        return ""
    name = next(key for key in reversed(path) if not key.isdigit())
    return f"{name}: {option.description}"
