"""Files and ``--set`` in, a ``Config`` out, or one ``ConfigError`` that names every problem.

read → merge → --set → expand ${…} → components → service → check references → mark secrets
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

from agenttracer.collector.config.check import check_service, read_service
from agenttracer.collector.config.declare import Declared, declare
from agenttracer.collector.config.expand import Expander, structure
from agenttracer.collector.config.model import SECTIONS, Config, ServiceOptions
from agenttracer.collector.config.problems import Path, Position, Problems, nearest
from agenttracer.collector.config.read import Document, parse_value, read_yaml
from agenttracer.collector.config.render import mark_secrets
from agenttracer.collector.errors import ConfigError

_ROOT_KEYS = (*SECTIONS, "service")
_BEGINNING = "receivers:, processors:, exporters:, extensions: and service:"
_CONNECTORS = (
    "connectors are not supported",
    "remove the section and its pipelines, and list the exporters directly",
)


def load_config(sources: Sequence[str], overrides: Sequence[str] = ()) -> Config:
    """Load ``sources`` (paths, ``file:path`` or ``env:NAME``), later ones over earlier ones.

    Maps are merged key by key, lists and scalars replaced. ``overrides`` are ``a.b.c=value``, as for
    ``--set``, and come last. Raises ``ConfigError``.
    """
    if not sources:
        fix = "pass --config FILE, or start in a folder that has an otel-config.yaml"
        raise ConfigError(f"at least one config flag must be provided: {fix}")
    document = _read_all(sources, overrides)
    problems = Problems(document.positions)
    if not document.data:
        problems.add((), "empty configuration file", f"begin with {_BEGINNING}")
        problems.raise_any()
    tree = structure(Expander(problems).expand(document.data))
    problems.raise_any()
    _check_root(tree, problems)
    declared = {section: declare(section, tree.get(section), problems) for section in SECTIONS}
    service, service_tree = read_service(structure(tree.get("service")), problems)
    pipelines = check_service(service, declared, problems)
    problems.raise_any()
    source = {section: _marked(declared[section]) for section in SECTIONS if section in tree}
    return Config(
        **{section: MappingProxyType(declared[section].components) for section in SECTIONS},
        service_extensions=tuple(dict.fromkeys(service.extensions)),
        pipelines=MappingProxyType(pipelines),
        max_in_flight_mib=service.max_in_flight_mib,
        telemetry=service.telemetry,
        source=MappingProxyType({**source, "service": mark_secrets(service_tree, ServiceOptions)}),
    )


def _marked(declared: Declared) -> dict[str, Any]:
    return {
        component_id: mark_secrets(tree, declared.components[component_id].cls.options_type)
        for component_id, tree in declared.trees.items()
    }


def _check_root(tree: Any, problems: Problems) -> None:
    if not isinstance(tree, dict):
        problems.add((), "must be a map", f"begin with {_BEGINNING}")
        tree = {}
    for key in tree:
        if key == "connectors":
            problems.add((key,), *_CONNECTORS)
        elif key not in _ROOT_KEYS:
            guess = nearest(key, _ROOT_KEYS) or "remove it"
            fix = f"{guess} (valid keys: {', '.join(sorted(_ROOT_KEYS))})"
            problems.add((), f"'' has invalid keys: {key}", fix, at=(key,))
        elif not isinstance(structure(tree[key]), dict | None):
            problems.add((key,), "must be a map", "write what belongs to it as keys below it")
    problems.raise_any()


def _read_all(sources: Sequence[str], overrides: Sequence[str]) -> Document:
    merged = Document(None)
    for source in sources:
        document = _read(source)
        if document.data is not None:
            data = _merge(merged.data, document.data)
            kept = {path: where for path, where in merged.positions.items() if _leads_somewhere(data, path)}
            merged = Document(data, kept | document.positions)
    for override in overrides:
        path, value = _parse_override(override)
        position = Position(f"--set {'.'.join(path)}")
        for key in reversed(path):
            value = {key: value}
        merged = Document(_merge(merged.data, value), {**merged.positions, path: position})
    merged.positions[()] = Position(", ".join(sources))
    return merged


def _leads_somewhere(tree: Any, path: Path) -> bool:
    for key in path:
        if isinstance(tree, list) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return False
    return True


def _read(source: str) -> Document:
    scheme, _, rest = source.partition(":")
    if scheme == "env":
        if rest not in os.environ:
            raise ConfigError(
                f"--config {source}: the environment variable {rest} is not set; set it to YAML"
            )
        return read_yaml(os.environ[rest], source)
    if scheme in ("http", "https", "yaml"):
        raise ConfigError(f'--config: scheme "{scheme}" is not supported; pass a file')
    name = rest if scheme == "file" else source
    try:
        return read_yaml(FilePath(name).read_text(encoding="utf-8-sig"), name)
    except OSError as error:
        reason = error.strerror or "it can't be opened"
        raise ConfigError(
            f"unable to read the file {name}: {reason}; pass an existing one with --config"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"unable to read the file {name}: it isn't UTF-8 text; save it as UTF-8") from None


def _parse_override(override: str) -> tuple[Path, Any]:
    key, equals, text = override.partition("=")
    path = tuple(key.replace("::", ".").split("."))
    if not equals or not all(path):
        # The text may be a mistyped secret, so it is not quoted.
        raise ConfigError("--set needs key=value, like --set service.telemetry.logs.level=DEBUG")
    return path, parse_value(text)


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = {key: _merge(base[key], over[key]) if key in over else base[key] for key in base}
        return {**merged, **{key: value for key, value in over.items() if key not in base}}
    return over
