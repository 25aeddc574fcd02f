"""The collector's metrics about itself: one table, the Collector's names where it has one.

Every drop has a reason. Rows are counted in the books (``agenttracer_items_total``), which the
journal keeps in the same transactions as the rows, so that they balance across a kill:
received = stored + waiting + duplicate + rejected + filtered + dead_lettered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agenttracer.collector.resident_memory import resident_bytes

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric's name, type, meaning and labels."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_ITEMS = {"spans": "spans", "log_records": "log records", "metric_points": "data points"}

DEFINITIONS: tuple[Definition, ...] = (
    *(
        Definition(
            f"otelcol_receiver_{verb}_{items}", "counter", f"{what} {meaning}", ("receiver", "transport")
        )
        for items, what in _ITEMS.items()
        for verb, meaning in (
            ("accepted", "that the pipeline took."),
            ("refused", "that the pipeline refused; the client was told why."),
        )
    ),
    Definition(
        "otelcol_receiver_requests",
        "counter",
        "Export requests by outcome: success, refused, failure.",
        ("receiver", "transport", "outcome"),
    ),
    *(
        Definition(f"otelcol_exporter_{verb}_{items}", "counter", f"{what} {meaning}", ("exporter",))
        for items, what in _ITEMS.items()
        for verb, meaning in (
            ("sent", "that the exporter made durable."),
            ("send_failed", "that an attempt of the exporter failed to send; they are tried again."),
        )
    ),
    Definition(
        "otelcol_exporter_queue_size", "gauge", "Groups waiting for the exporter.", ("exporter", "data_type")
    ),
    Definition("otelcol_exporter_queue_capacity", "gauge", "Bytes the journal may hold.", ()),
    Definition("otelcol_processor_incoming_items", "counter", "Rows in.", ("processor", "otel_signal")),
    Definition("otelcol_processor_outgoing_items", "counter", "Rows out.", ("processor", "otel_signal")),
    Definition(
        "agenttracer_memory_limiter_refused_requests_total",
        "counter",
        "Requests refused for memory before they were decoded.",
        ("processor",),
    ),
    Definition("otelcol_process_uptime", "gauge", "Seconds since the start."),
    Definition("otelcol_process_cpu_seconds", "gauge", "CPU seconds used."),
    Definition("otelcol_process_memory_rss", "gauge", "Resident memory in bytes."),
    Definition("agenttracer_journal_bytes", "gauge", "Bytes of waiting groups in the journal."),
    Definition(
        "agenttracer_journal_commit_seconds", "histogram", "Time of a journal commit, fsync included."
    ),
    Definition("agenttracer_group_rows", "histogram", "Rows processed together.", ("signal",)),
    Definition(
        "agenttracer_component_errors_total",
        "counter",
        "Bugs: unexpected errors by component.",
        ("component",),
    ),
    Definition(
        "agenttracer_unpriced_spans_total",
        "counter",
        "Model calls without a price, under names of the price table only.",
        ("provider", "model"),
    ),
    Definition(
        "agent_redactions_total",
        "counter",
        "Values that redaction changed, never which.",
        ("rule", "class", "action"),
    ),
    Definition(
        "agent_policy_violations_total",
        "counter",
        "Values that policy forbids to send: content, personal data, secrets; by the service that sent them.",
        ("service",),
    ),
)


class Telemetry:
    """The collector's own metrics, in a registry that the prometheus exporter serves too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}
        self._by_labels: dict[tuple[str, tuple[tuple[str, str], ...]], Counter | Gauge | Histogram] = {}
        for definition in DEFINITIONS:
            self._metrics[definition.name] = _make(definition, self.registry)
        started = time.monotonic()
        self.show("otelcol_process_uptime", lambda: time.monotonic() - started)
        self.show("otelcol_process_cpu_seconds", time.process_time)
        self.show("otelcol_process_memory_rss", resident_bytes)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count up; raises ``KeyError`` for a name that the table lacks."""
        metric = self._labeled(name, labels)
        assert isinstance(metric, Counter | Gauge)
        metric.inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._labeled(name, labels)
        assert isinstance(metric, Gauge)
        metric.set(value)

    def show(self, name: str, read: Callable[[], float]) -> None:
        """Have a gauge read its value whenever it is scraped."""
        metric = self._metrics[name]
        assert isinstance(metric, Gauge)
        metric.set_function(read)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        metric = self._labeled(name, labels)
        assert isinstance(metric, Histogram)
        metric.observe(value)

    def _labeled(self, name: str, labels: Mapping[str, str]) -> Counter | Gauge | Histogram:
        # The library looks a metric's labels up anew each time, under a lock.
        known = (name, tuple(labels.items()))
        metric = self._by_labels.get(known)
        if metric is None:
            metric = self._metrics[name].labels(**labels) if labels else self._metrics[name]
            self._by_labels[known] = metric
        return metric

    def show_books(self, books: Books) -> None:
        """Expose the journal's books beside the metrics of this table."""
        self.registry.register(_BooksCollector(books))


class _CollectorCounter(Gauge):
    """A counter whose name has no ``_total``, as the Collector shows it; the library insists on the suffix."""

    _type = "unknown"


def _make(definition: Definition, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    arguments = (definition.name, definition.help, definition.labels)
    if definition.type == "counter" and not definition.name.endswith("_total"):
        return _CollectorCounter(*arguments, registry=registry)
    if definition.type == "counter":
        return Counter(*arguments, registry=registry)
    if definition.type == "gauge":
        return Gauge(*arguments, registry=registry)
    rows = definition.name.endswith("_rows")
    return Histogram(*arguments, registry=registry, buckets=_ROWS if rows else _SECONDS)


_ROWS = (1, 10, 100, 1000, 5000, 10_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the books: rows of a signal and tenant in a state; ``exporter`` for what is behind the journal."""

    signal: str
    tenant: str
    state: str
    reason: str
    exporter: str
    rows: int


BookLine = tuple[str, str, str, str, str]
"""(pipeline, tenant, state, reason, exporter): what rows are counted under."""


class Books:
    """Where the lines of the books come from."""

    def entries(self) -> Iterable[Entry]:
        """Every line, as of the last commit."""
        raise NotImplementedError


class _BooksCollector(Collector):
    def __init__(self, books: Books) -> None:
        self._books = books

    def collect(self) -> Iterable[Metric]:
        labels = ["signal", "tenant", "state", "reason", "exporter"]
        total = CounterMetricFamily(
            "agenttracer_items", "Rows by what became of them, kept across restarts.", labels=labels
        )
        waiting = GaugeMetricFamily(
            "agenttracer_items_waiting",
            "Rows in the journal that the exporter has still to store.",
            labels=["signal", "tenant", "exporter"],
        )
        for line in self._books.entries():
            if line.state == "waiting":
                waiting.add_metric([line.signal, line.tenant, line.exporter], line.rows)
            else:
                total.add_metric(
                    [line.signal, line.tenant, line.state, line.reason, line.exporter], line.rows
                )
        return [total, waiting]
