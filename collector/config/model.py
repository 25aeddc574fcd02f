"""What a configuration is once it is loaded: frozen, validated, every component's class at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agenttracer.collector.component import Component, Options
from agenttracer.schemas.batch import Signal

SECTIONS = ("receivers", "processors", "exporters", "extensions")
"""The sections that declare components; the singular of each is its role."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _ignored(why: str) -> Any:
    return Field(
        default=None,
        description=f"Accepted as in the Collector's files, without effect: {why}.",
        json_schema_extra={"without_effect": True},
    )


class LogsTelemetry(Options):
    """The collector's own log."""

    level: Annotated[Literal["DEBUG", "INFO", "WARN", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", description="The least severe lines that are written: DEBUG, INFO, WARN or ERROR."
    )
    encoding: Literal["console", "json"] = Field(
        default="console", description="Lines for people (console) or for machines (json)."
    )
    output_paths: tuple[Literal["stderr"], ...] = Field(
        default=("stderr",), description="Where lines go; stderr is the only place."
    )
    sampling: Any = _ignored("the collector limits the rate of repeated lines itself")


class MetricsTelemetry(Options):
    """The collector's own metrics; the prometheus exporter serves them."""

    level: Annotated[Literal["none", "basic", "normal", "detailed"], BeforeValidator(_lower)] = Field(
        default="normal", description="The Collector's levels; each measures the same here."
    )
    readers: Any = _ignored("the prometheus exporter serves the collector's own metrics")
    views: Any = _ignored("the collector's own metrics are served as they are")


class ServiceTelemetry(Options):
    """``service::telemetry``."""

    logs: LogsTelemetry = Field(default_factory=LogsTelemetry, description="The collector's own log.")
    metrics: MetricsTelemetry = Field(
        default_factory=MetricsTelemetry, description="The collector's own metrics."
    )
    traces: Any = _ignored("the collector doesn't trace itself")
    resource: Any = _ignored("the collector's own metrics carry no resource")


class PipelineOptions(Options):
    """``service::pipelines::<signal>[/name]`` as it is written."""

    receivers: tuple[str, ...] = Field(default=(), description="Where the data comes from.")
    processors: tuple[str, ...] = Field(default=(), description="What is done to it, in this order.")
    exporters: tuple[str, ...] = Field(default=(), description="Where it goes.")


class ServiceOptions(Options):
    """``service`` as it is written."""

    extensions: tuple[str, ...] = Field(default=(), description="The extensions to start.")
    pipelines: dict[str, PipelineOptions] = Field(
        default_factory=dict, description="The pipelines, by signal, or by signal/name."
    )
    max_in_flight_mib: int = Field(
        default=256,
        ge=1,
        description="Requests in memory that are not answered yet, shared by the tenants; clients are told to "
        "resend beyond.",
    )
    telemetry: ServiceTelemetry = Field(
        default_factory=ServiceTelemetry, description="What the collector tells about itself."
    )


@dataclass(frozen=True, slots=True)
class Configured:
    """One component as configured: its full id (``otlp/2``), its class, its validated options."""

    id: str
    cls: type[Component[Any]]
    options: Options = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One signal's way through the collector, by component ids."""

    id: str
    signal: Signal
    receivers: tuple[str, ...]
    processors: tuple[str, ...]
    exporters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; components that no pipeline names are declared, not to be started.

    ``source`` is the merged and expanded tree with its secrets marked, for ``render.show``.
    """

    receivers: Mapping[str, Configured]
    processors: Mapping[str, Configured]
    exporters: Mapping[str, Configured]
    extensions: Mapping[str, Configured]
    service_extensions: tuple[str, ...]
    pipelines: Mapping[str, Pipeline]
    max_in_flight_mib: int
    telemetry: ServiceTelemetry
    source: Mapping[str, Any] = field(repr=False)
