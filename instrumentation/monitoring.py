"""How often an agent reports how it is, and what.

    tracer.start_monitoring({"health_check_interval_seconds": 15, "enable_ai_monitoring": True})

The names, defaults and ranges are those of the agent's monitoring configuration; its thresholds and retention
times are for the server's side, and are ignored here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from agenttracer.instrumentation.guard import warn_once

_RANGES: Final = {"metrics_interval_seconds": (1, 3600), "health_check_interval_seconds": (5, 300)}


@dataclass(frozen=True)
class MonitoringConfig:
    """Intervals and switches."""

    metrics_interval_seconds: float = 60
    """How often metrics are sent: 1 to 3600."""
    health_check_interval_seconds: float = 30
    """How often the checks run and a heartbeat is sent: 5 to 300."""
    enable_resource_monitoring: bool = True
    """CPU, memory, disk and network of process and host, where the extra ``health`` is installed."""
    enable_performance_monitoring: bool = True
    """Counts of tasks, and uptime."""
    enable_ai_monitoring: bool = False
    """Durations and tokens of model calls as metrics."""


def read_monitoring_config(config: MonitoringConfig | Mapping[str, object] | None) -> MonitoringConfig:
    """The configuration with what is out of range or of the wrong kind left at its default, with a warning."""
    if config is None:
        return MonitoringConfig()
    given = (
        {field.name: getattr(config, field.name) for field in fields(config)}
        if isinstance(config, MonitoringConfig)
        else config
    )
    chosen: dict[str, bool | float] = {}
    for field in fields(MonitoringConfig):
        value = given.get(field.name)
        if value is None:
            continue
        if field.name in _RANGES:
            low, high = _RANGES[field.name]
            if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
                chosen[field.name] = value
                continue
        elif isinstance(value, bool):
            chosen[field.name] = value
            continue
        warn_once(
            f"monitoring:{field.name}", "agenttracer: %s is out of range; the default stays", field.name
        )
    return MonitoringConfig(**chosen)  # type: ignore[arg-type]
