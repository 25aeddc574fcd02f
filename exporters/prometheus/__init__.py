"""Serves what agents did, and what this collector does, to Prometheus.

    exporters:
      prometheus:
        endpoint: localhost:8889      # GET /metrics, OpenMetrics if asked for
        const_labels: {environment: production}

Aggregates are summed per batch and held in memory: after a restart counters begin at zero, which
Prometheus' ``rate`` and ``increase`` expect. Series don't expire unless ``metric_expiration`` says so; the
Collector drops them after five minutes, where they come back from their source with their full value.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from pydantic import Field, model_validator

from agenttracer.collector.component import (
    Context,
    Exporter,
    ExporterOptions,
    QueueBatch,
    Seconds,
    SendingQueue,
    Worker,
)
from agenttracer.collector.endpoint import Endpoint, bind
from agenttracer.exporters.prometheus.aggregate import aggregate
from agenttracer.exporters.prometheus.families import LOG_FAMILIES, SPAN_FAMILIES
from agenttracer.exporters.prometheus.series import SeriesStore
from agenttracer.schemas.batch import Batch

_FAMILIES = (*SPAN_FAMILIES, *LOG_FAMILIES)
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TAKEN_LABELS = frozenset({"tenant", "le", *(label for family in _FAMILIES for label in family.label_names)})


class PrometheusQueueBatch(QueueBatch):
    """Seldom: scrapes are seconds apart, and each batch is two transactions of the journal."""

    flush_timeout: Seconds = Field(default=1.0, description="Longest wait for more rows.")
    min_size: int = Field(default=50_000, ge=0, description="Rows that are enough to start.")


class PrometheusQueue(SendingQueue):
    """The exporter's view of the journal."""

    batch: PrometheusQueueBatch = Field(default_factory=PrometheusQueueBatch, description="Batch sizes.")


class PrometheusOptions(ExporterOptions):
    """The Collector's keys where it has one."""

    endpoint: Endpoint = Field(default="localhost:8889", description="Host and port that serve /metrics.")
    namespace: str = Field(default="", description="Put before the agents' metric names, with an underscore.")
    const_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that every series of the agents gets."
    )
    metric_expiration: Seconds = Field(
        default=0.0, description="Series that didn't change for so long are dropped; 0: never."
    )
    tenant_label: bool = Field(default=False, description="Give every series of the agents its tenant.")
    max_label_values: int = Field(
        default=200, ge=1, description="Values a label may have; further ones are counted under `_other_`."
    )
    max_series: int = Field(
        default=10_000,
        ge=1,
        description="Series a metric may have; further ones are counted under `_other_`.",
    )
    sending_queue: PrometheusQueue = Field(default_factory=PrometheusQueue, description="Batches.")

    @model_validator(mode="after")
    def _names_are_valid(self) -> Self:
        for name in (self.namespace, *self.const_labels):
            if name and not _NAME.fullmatch(name):
                raise ValueError("`namespace` and the names in `const_labels` must be letters, digits and _")
        if taken := sorted(_TAKEN_LABELS & self.const_labels.keys()):
            raise ValueError(f"`const_labels` can't name a label that the metrics have: {', '.join(taken)}")
        return self

    def for_worker(self, worker: Worker) -> Self:
        """Each worker counts what it delivers, and serves it on a port of its own: the first as configured."""
        host, colon, port = self.endpoint.rpartition(":")
        return self.model_copy(update={"endpoint": f"{host}{colon}{int(port) + worker.number - 1}"})


class Prometheus(Exporter[PrometheusOptions]):
    """Counts a batch once, however often it is repeated, and answers scrapes."""

    options_type = PrometheusOptions

    def __init__(self, options: PrometheusOptions, context: Context) -> None:
        super().__init__(options, context)
        self._series = SeriesStore(
            _FAMILIES,
            namespace=options.namespace,
            const_labels=options.const_labels,
            tenant_label=options.tenant_label,
            max_label_values=options.max_label_values,
            max_series=options.max_series,
            expiration_seconds=options.metric_expiration,
        )
        self._everything = _Everything(self._series, context.telemetry.registry)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Serves /metrics; raises ``StartError`` if the endpoint can't be listened on."""
        sockets = bind(self.options.endpoint, self.context.id)
        app = web.Application()
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        for listening in sockets:
            await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Stops serving; what was counted is forgotten with the process."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is listened on, also where the endpoint says 0."""
        assert self._runner is not None, "not started"
        return int(self._runner.addresses[0][1])

    async def export(self, batch: Batch) -> None:
        """Adds the batch to the series in a thread; a token seen before adds nothing."""
        await asyncio.to_thread(self._count, batch)

    def _count(self, batch: Batch) -> None:
        self._series.grow(batch.token, aggregate(batch, self.options.tenant_label))

    async def _scrape(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, self._everything)
        return web.Response(body=body, headers={"Content-Type": content_type})


class _Everything(Collector):
    """The agents' aggregates, then the collector's own metrics."""

    def __init__(self, series: SeriesStore, registry: CollectorRegistry) -> None:
        self._series = series
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        yield from self._series.collect()
        yield from self._registry.collect()
