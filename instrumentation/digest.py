"""What may be known about content without having it: size, SHA-256, and the shape of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenttracer.instrumentation.content import is_label
from agenttracer.schemas import semconv

_TYPES = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
_MAX_FIELDS = 32


def canonical(value: object) -> bytes:
    """Bytes that are equal for equal values: text as UTF-8, all else as JSON with sorted keys.

    What JSON has no form for counts as its type's name.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    import json

    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), default=lambda other: type(other).__name__
    ).encode()


def sha256(value: object) -> str:
    """The SHA-256 of a value's canonical bytes, in hex."""
    import hashlib

    return hashlib.sha256(canonical(value)).hexdigest()


def input_attributes(payload: object) -> dict[str, Any]:
    """Size, hash and field names with their types of what a run was given."""
    raw = canonical(payload)
    attributes: dict[str, Any] = {
        semconv.AGENT_RUN_INPUT_SIZE: len(raw),
        semconv.AGENT_RUN_INPUT_HASH: sha256(raw),
    }
    if isinstance(payload, Mapping):
        fields = [f"{key}:{_type(value)}" for key, value in list(payload.items())[:_MAX_FIELDS]]
        known = tuple(field for field in fields if is_label(field))
        if known:
            attributes[semconv.AGENT_RUN_INPUT_FIELDS] = known
    return attributes


def _type(value: object) -> str:
    if isinstance(value, Mapping):
        return "object"
    return _TYPES.get(type(value), "array" if isinstance(value, list | tuple) else "other")
