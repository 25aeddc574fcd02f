"""What ``service::workers`` means for each component: checked with the rest, applied in each process.

service::workers: exporters::clickhouse: chdb:// is open in one process only; give the endpoint of a server
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from agenttracer.collector.component import Worker
from agenttracer.collector.config.declare import Declared
from agenttracer.collector.config.model import Config, Configured, ServiceOptions
from agenttracer.collector.config.problems import Problems
from agenttracer.collector.extensions.health_check import HealthCheck

_AT = ("service", "workers")


def check_workers(service: ServiceOptions, declared: Mapping[str, Declared], problems: Problems) -> None:
    """What can't be in several processes goes to ``problems``."""
    if service.workers == 1:
        return
    if not hasattr(socket, "SO_REUSEPORT"):
        problems.add(_AT, "this system has no ports that processes share", "set it to 1")
    exporters = (name for pipeline in service.pipelines.values() for name in pipeline.exporters)
    used = {"exporters": tuple(dict.fromkeys(exporters)), "extensions": service.extensions}
    for section, names in used.items():
        for name in names:
            try:
                declared[section].components[name].options.for_worker(Worker(2, service.workers))
            except ValueError as error:
                message, _, fix = str(error).partition("; ")
                problems.add(_AT, f"{section}::{name}: {message}", f"{fix}, or set workers to 1")


def for_worker(config: Config, worker: Worker) -> Config:
    """The configuration of one process of several. The health check is not theirs, it tells of all of them."""
    if worker.count == 1:
        return config
    extensions = tuple(
        name for name in config.service_extensions if not issubclass(config.extensions[name].cls, HealthCheck)
    )
    return replace(
        config,
        service_extensions=extensions,
        exporters=_adapted(config.exporters, worker),
        extensions=_adapted(
            {name: each for name, each in config.extensions.items() if name in extensions}, worker
        ),
    )


def _adapted(components: Mapping[str, Configured], worker: Worker) -> Mapping[str, Configured]:
    return MappingProxyType({name: _adapt(each, worker) for name, each in components.items()})


def _adapt(configured: Configured, worker: Worker) -> Configured:
    try:
        return replace(configured, options=configured.options.for_worker(worker))
    except ValueError:  # declared and not used, or the check would have said so
        return configured
