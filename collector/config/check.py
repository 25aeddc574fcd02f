"""What the service section asks for, checked against what is declared.

service::pipelines::traces: references exporter "x" which is not configured
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from agenttracer.collector.component import Authenticator, Exporter, Processor
from agenttracer.collector.config.declare import Declared, id_fault
from agenttracer.collector.config.fields import keys
from agenttracer.collector.config.model import Pipeline, PipelineOptions, ServiceOptions
from agenttracer.collector.config.options import Faults, read_options
from agenttracer.collector.config.problems import Path, Problems, nearest
from agenttracer.schemas.batch import Signal

logger = logging.getLogger(__name__)

_PIPELINES = ("service", "pipelines")
_ROLES = ("receiver", "processor", "exporter")
_BEFORE_REDACTION = frozenset({"normalize", "classify", "price"})


def read_service(tree: Any, problems: Problems) -> tuple[ServiceOptions, Any]:
    """The service section and its settled tree."""
    try:
        service, settled = read_options(ServiceOptions, tree, ("service",))
    except Faults as faults:
        for fault in faults.faults:
            at = ("service", *(fault.path if fault.at is None else fault.at))
            problems.add(("service", *fault.path), fault.message, fault.fix, at=at)
        problems.raise_any()
        raise
    for path, why in _ineffective(service.telemetry, ("service", "telemetry")):
        logger.warning("%s: %s", problems.locate(path, path), why)
    return service, settled


def check_service(
    service: ServiceOptions, declared: Mapping[str, Declared], problems: Problems
) -> dict[str, Pipeline]:
    """The pipelines; what is wrong with them or with the extensions goes to ``problems``."""
    if not declared["receivers"].ids:
        problems.add(
            (), "no receiver configuration specified in config", "add one under receivers:, like otlp"
        )
    if not declared["exporters"].ids:
        problems.add(
            (), "no exporter configuration specified in config", "add one under exporters:, like debug"
        )
    _check_references(
        "extension",
        service.extensions,
        ("service", "extensions"),
        ("service", "extensions"),
        declared,
        problems,
    )
    if not service.pipelines:
        problems.add(_PIPELINES, "service must have at least one pipeline", "add one, like traces")
    pipelines = {}
    for pipeline_id, options in service.pipelines.items():
        signal = _read_signal(pipeline_id, problems)
        _check_pipeline(pipeline_id, options, declared, problems)
        if signal is not None:
            _check_signals(pipeline_id, signal, options, declared, problems)
            _check_needed_exporters(pipeline_id, signal, options, declared, problems)
            pipelines[pipeline_id] = Pipeline(
                pipeline_id,
                signal,
                tuple(dict.fromkeys(options.receivers)),
                options.processors,
                tuple(dict.fromkeys(options.exporters)),
            )
    _check_authenticators(service, declared, problems)
    return pipelines


def _read_signal(pipeline_id: str, problems: Problems) -> Signal | None:
    path, word = (*_PIPELINES, pipeline_id), pipeline_id.partition("/")[0]
    known = [signal.value for signal in Signal]
    if fault := id_fault(pipeline_id):
        problems.add(path, fault, "write a signal, or signal/name")
    elif word == "profiles":
        problems.add(path, "profiles are not supported", "remove the pipeline")
    elif word not in known:
        fix = nearest(word, known) or f"use one of {', '.join(known)}"
        problems.add(path, f'unknown pipeline signal: "{word}"', fix)
    else:
        return Signal(word)
    return None


def _check_pipeline(
    pipeline_id: str, options: PipelineOptions, declared: Mapping[str, Declared], problems: Problems
) -> None:
    path = (*_PIPELINES, pipeline_id)
    for role in _ROLES:
        listed = getattr(options, f"{role}s")
        if not listed and role != "processor":
            problems.add(path, f"must have at least one {role}", f"list one under {role}s:")
        _check_references(role, listed, path, (*path, f"{role}s"), declared, problems)
    types = [processor.partition("/")[0] for processor in dict.fromkeys(options.processors)]
    for processor in dict.fromkeys(options.processors):
        if options.processors.count(processor) > 1:
            message = f'references processor "{processor}" multiple times'
            problems.add(path, message, "list it once", at=(*path, "processors"))
    if "redaction" not in types:
        message = "must have the redaction processor: nothing may reach a disk unredacted"
        problems.add(path, message, "add redaction at the end of processors:", at=(*path, "processors"))
    elif types.count("redaction") > 1:
        message = "must have one redaction processor: a second one can't read what the first one leaves"
        fix = "let one do what both should; overrides: can differ by tenant and agent"
        problems.add(path, message, fix, at=(*path, "processors"))
    else:
        for late in _BEFORE_REDACTION.intersection(types[types.index("redaction") :]):
            message = f"{late} must stand before redaction: it reads what redaction takes out"
            problems.add(path, message, "move redaction behind it", at=(*path, "processors"))
    if "memory_limiter" in types[1:] and types[0] != "memory_limiter":
        message = "memory_limiter must be the first processor: it refuses data before any work is done on it"
        problems.add(path, message, "move it to the front", at=(*path, "processors"))


def _check_references(
    role: str,
    listed: tuple[str, ...],
    path: Path,
    at: Path,
    declared: Mapping[str, Declared],
    problems: Problems,
) -> None:
    configured = declared[f"{role}s"].ids
    for index, component_id in enumerate(listed):
        if component_id in configured:
            continue
        names = ", ".join(sorted(configured)) or "none"
        fix = f"add it under {role}s:, or remove it (configured: {names})"
        if guess := nearest(component_id, configured):
            fix = f"{guess} Or {fix}"
        message = f'references {role} "{component_id}" which is not configured'
        problems.add(path, message, fix, at=(*at, str(index)))


def _check_signals(
    pipeline_id: str,
    signal: Signal,
    options: PipelineOptions,
    declared: Mapping[str, Declared],
    problems: Problems,
) -> None:
    for index, component_id in enumerate(options.exporters):
        configured = declared["exporters"].components.get(component_id)
        if configured and issubclass(configured.cls, Exporter) and signal not in configured.cls.signals:
            path = (*_PIPELINES, pipeline_id)
            takes = ", ".join(sorted(configured.cls.signals))
            message = f'exporter "{component_id}" does not support {signal}'
            fix = f"remove it from this pipeline (it takes {takes})"
            problems.add(path, message, fix, at=(*path, "exporters", str(index)))


def _check_needed_exporters(
    pipeline_id: str,
    signal: Signal,
    options: PipelineOptions,
    declared: Mapping[str, Declared],
    problems: Problems,
) -> None:
    exporters = {exporter.partition("/")[0] for exporter in options.exporters}
    for component_id in options.processors:
        configured = declared["processors"].components.get(component_id)
        if configured and issubclass(configured.cls, Processor):
            needed = configured.cls.needs_exporter(configured.options, signal)
            if needed and needed not in exporters:
                path = (*_PIPELINES, pipeline_id)
                message = f'processor "{component_id}" keeps what only an {needed} exporter stores'
                problems.add(path, message, f"list {needed} under exporters:", at=(*path, "exporters"))


def _check_authenticators(
    service: ServiceOptions, declared: Mapping[str, Declared], problems: Problems
) -> None:
    used = {name for pipeline in service.pipelines.values() for name in pipeline.receivers}
    for component_id in sorted(used & set(declared["receivers"].trees)):
        tree = declared["receivers"].trees[component_id]
        for path, name in _authenticators(tree, ("receivers", component_id)):
            extension = declared["extensions"].components.get(name)
            if name not in declared["extensions"].ids:
                message = f'references extension "{name}" which is not configured'
                problems.add(path, message, "add it under extensions:, and list it in service::extensions")
            elif name not in service.extensions:
                message = f'references extension "{name}" which is not started'
                problems.add(path, message, "list it in service::extensions")
            elif extension and not issubclass(extension.cls, Authenticator):
                problems.add(
                    path, f'extension "{name}" is not an authenticator', "name one, like bearer_token_auth"
                )


def _authenticators(tree: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        if key == "auth" and isinstance(value, dict) and isinstance(value.get("authenticator"), str):
            yield (*path, key), value["authenticator"]
        else:
            yield from _authenticators(value, (*path, key))


def _ineffective(model: BaseModel, path: Path) -> Iterator[tuple[Path, str]]:
    for key, option in keys(type(model)).items():
        value = getattr(model, key)
        if isinstance(value, BaseModel):
            yield from _ineffective(value, (*path, key))
        elif option.json_schema_extra == {"without_effect": True} and value is not None:
            yield (*path, key), option.description or ""
