"""The one list of everything built in: section, type, class. Adding a component is adding its line.

A class is imported when a configuration first names it. Entry points are for other people's plug-ins:

    [project.entry-points."agenttracer.components"]
    "processors.truncate" = "my_package.truncate:Truncate"
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agenttracer.collector.component import Component, Exporter, Extension, Processor, Receiver
from agenttracer.collector.errors import ConfigError

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "receivers": {
        "otlp": "agenttracer.collector.receivers.otlp:OtlpReceiver",
    },
    "processors": {
        "memory_limiter": "agenttracer.collector.processors.memory_limiter:MemoryLimiter",
        "artifact_keys": "agenttracer.collector.processors.artifact_keys:ArtifactKeys",
        "normalize": "agenttracer.collector.processors.normalize:Normalize",
        "classify": "agenttracer.collector.processors.classify:Classify",
        "price": "agenttracer.collector.processors.price:Price",
        "redaction": "agenttracer.collector.processors.redaction:Redaction",
    },
    "exporters": {
        "clickhouse": "agenttracer.exporters.clickhouse:ClickHouse",
        "artifacts": "agenttracer.exporters.artifacts:Artifacts",
        "prometheus": "agenttracer.exporters.prometheus:Prometheus",
        "debug": "agenttracer.exporters.debug:Debug",
    },
    "extensions": {
        "health_check": "agenttracer.collector.extensions.health_check:HealthCheck",
        "file_storage": "agenttracer.collector.extensions.file_storage:FileStorage",
        "bearer_token_auth": "agenttracer.collector.extensions.bearer_token_auth:BearerTokenAuth",
        "clickhouse_http": "agenttracer.collector.extensions.clickhouse_http:ClickHouseHttp",
    },
}

ALIASES: Mapping[str, Mapping[str, str]] = {
    "extensions": {"bearertokenauth": "bearer_token_auth"},
}
"""The Collector's other names of the same components."""

PLUG_INS = "agenttracer.components"

ROLES: Mapping[str, type[Component[Any]]] = {
    "receivers": Receiver,
    "processors": Processor,
    "exporters": Exporter,
    "extensions": Extension,
}


class UnknownType(LookupError):
    """No component has this type."""


def types(section: str) -> list[str]:
    """The types that a section may use: what is built in, then plug-ins; aliases aside."""
    return list(dict.fromkeys((*BUILT_IN[section], *_plug_ins(section))))


def load(section: str, type_name: str) -> type[Component[Any]]:
    """The class of a type or alias.

    Raises ``UnknownType``, or ``ConfigError`` for a plug-in that can't be used.
    """
    canonical = ALIASES.get(section, {}).get(type_name, type_name)
    if canonical in BUILT_IN[section]:
        module, _, name = BUILT_IN[section][canonical].partition(":")
        loaded: type[Component[Any]] = getattr(import_module(module), name)
        return loaded
    point = _plug_ins(section).get(canonical)
    if point is None:
        raise UnknownType(type_name)
    return _load_plug_in(section, point)


def _plug_ins(section: str) -> dict[str, EntryPoint]:
    found = {}
    for point in entry_points(group=PLUG_INS):
        place, _, type_name = point.name.partition(".")
        if place == section:
            found[type_name] = point
    return found


def _load_plug_in(section: str, point: EntryPoint) -> type[Component[Any]]:
    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        # Someone else's code: whatever keeps it from loading is for the operator to see, not a bug here.
        raise ConfigError(f"the plug-in {point.value} can't be imported: {error}") from error
    role = ROLES[section]
    if not (isinstance(loaded, type) and issubclass(loaded, role)):
        raise ConfigError(f"the plug-in {point.value} must be a {role.__name__} to stand under {section}:")
    return loaded
