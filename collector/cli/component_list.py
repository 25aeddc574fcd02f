"""What ``agenttracer collector components`` prints: the Collector's listing, and every option's meaning.

receivers:
    - name: otlp
      module: agenttracer.collector.receivers.otlp
      stability: {logs: Beta, metrics: Beta, traces: Beta}
      config: {protocols: {description: …, config: …}}
"""

from __future__ import annotations

from typing import Any

from agenttracer import __version__
from agenttracer.collector import components
from agenttracer.collector.component import Component, Exporter, Extension
from agenttracer.collector.config.fields import describe
from agenttracer.collector.config.model import SECTIONS
from agenttracer.schemas.batch import Signal

_STABILITY = "Beta"


def list_components() -> dict[str, Any]:
    """Everything that a configuration can name, plug-ins included, as plain maps and lists."""
    listing: dict[str, Any] = {
        "buildinfo": {
            "command": "agenttracer",
            "description": "The OpenTelemetry pipeline for AI agents",
            "version": __version__,
        }
    }
    for section in SECTIONS:
        listing[section] = [
            _describe(section, name, components.load(section, name)) for name in components.types(section)
        ]
    return listing


def _describe(section: str, name: str, cls: type[Component[Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name}
    aliases = [alias for alias, of in components.ALIASES.get(section, {}).items() if of == name]
    if aliases:
        described["aliases"] = aliases
    described["module"] = cls.__module__
    described["stability"] = _stability(cls)
    described["config"] = describe(cls.options_type)
    return described


def _stability(cls: type[Component[Any]]) -> dict[str, str]:
    if issubclass(cls, Extension):
        return {"extension": _STABILITY}
    signals = cls.signals if issubclass(cls, Exporter) else frozenset(Signal)
    return {signal.value: _STABILITY for signal in sorted(signals)}
