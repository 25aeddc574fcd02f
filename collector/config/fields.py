"""Finds its way in an options model: which field a path leads to, and what can be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from agenttracer.collector.config.problems import Path
from agenttracer.schemas.duration import parse_duration_seconds


def branches(annotation: Any) -> Iterator[Any]:
    """The alternatives of a type: ``list[str] | None`` is ``list[str]`` and ``NoneType``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from branches(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for argument in get_args(annotation):
            yield from branches(argument)
    else:
        yield annotation


def models(annotations: Sequence[Any]) -> list[type[BaseModel]]:
    """The options models among the alternatives of these types."""
    found = [branch for annotation in annotations for branch in branches(annotation)]
    return [branch for branch in found if isinstance(branch, type) and issubclass(branch, BaseModel)]


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the keys that YAML uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def follow(model: type[BaseModel], path: Path) -> tuple[FieldInfo | None, list[Any]]:
    """The last field on a path, None at the root, and the types that its value may have."""
    field: FieldInfo | None = None
    annotations: list[Any] = [model]
    for key in path:
        inside: list[Any] = []
        for branch in (branch for annotation in annotations for branch in branches(annotation)):
            arguments = get_args(branch)
            if found := [keys(nested)[key] for nested in models([branch]) if key in keys(nested)]:
                field = found[0]
                inside.append(field.annotation)
            elif _is_kind(branch, Mapping) and len(arguments) == 2:
                inside.append(arguments[1])
            elif _is_kind(branch, Sequence | Set) and arguments:
                inside.append(arguments[0])
        annotations = inside
    return field, annotations


def holds_secret(annotations: Sequence[Any]) -> bool:
    """Whether a value of one of these types is a secret."""
    return any(
        branch in (SecretStr, SecretBytes) for annotation in annotations for branch in branches(annotation)
    )


def describe(model: type[BaseModel]) -> dict[str, Any]:
    """Each option's description and default, and the options inside it, as ``components`` prints them."""
    return {key: _describe_field(field) for key, field in keys(model).items()}


def _describe_field(field: FieldInfo) -> dict[str, Any]:
    described: dict[str, Any] = {"description": field.description or ""}
    nested = models([field.annotation, *_elements(field.annotation)])
    default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    if field.is_required():
        described["required"] = True
    elif not isinstance(default, BaseModel):
        described["default"] = _plain(default, in_seconds=_is_duration(field))
    if nested:
        described["config"] = describe(nested[0])
    return described


def _elements(annotation: Any) -> list[Any]:
    return [get_args(branch)[-1] for branch in branches(annotation) if get_args(branch)]


def _is_kind(branch: Any, kind: Any) -> bool:
    origin = get_origin(branch) or branch
    return isinstance(origin, type) and issubclass(origin, kind) and not issubclass(origin, str | bytes)


def _is_duration(field: FieldInfo) -> bool:
    annotated = [field, *(part for part in get_args(field.annotation) if get_origin(part) is Annotated)]
    metadata = [
        item for part in annotated for item in getattr(part, "metadata", getattr(part, "__metadata__", ()))
    ]
    return any(getattr(item, "func", None) is parse_duration_seconds for item in metadata)


def _plain(value: Any, *, in_seconds: bool) -> Any:
    if in_seconds and isinstance(value, int | float):
        return f"{value:g}s"
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, SecretStr | SecretBytes):
        return "[REDACTED]" if value.get_secret_value() else ""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, in_seconds=False) for key, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, str | bytes):
        return [_plain(item, in_seconds=False) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
