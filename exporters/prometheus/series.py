"""Holds the series of the agents' aggregates between scrapes, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from agenttracer.exporters.prometheus.aggregate import Increment
from agenttracer.exporters.prometheus.families import BOUNDS_SECONDS, Family

OVERFLOW = "_other_"
"""The value of a label that has too many others."""

_TOKENS = 4096
_LE = [*(floatToGoString(bound) for bound in BOUNDS_SECONDS), "+Inf"]


@dataclass(slots=True)
class _Series:
    value: float = 0.0
    buckets: list[int] = field(default_factory=list)
    changed_at_seconds: float = 0.0

    def grow(self, increment: Increment, now_seconds: float) -> None:
        self.value += increment.value
        old = self.buckets or [0] * len(increment.buckets)
        self.buckets = [have + more for have, more in zip(old, increment.buckets, strict=True)]
        self.changed_at_seconds = now_seconds


class SeriesStore(Collector):
    """Every series of some families; safe to grow and to scrape from several threads."""

    def __init__(
        self,
        families: Sequence[Family],
        *,
        namespace: str = "",
        const_labels: Mapping[str, str] | None = None,
        tenant_label: bool = False,
        max_label_values: int = 200,
        max_series: int = 10_000,
        expiration_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._namespace = f"{namespace}_" if namespace else ""
        self._const_labels = dict(const_labels or {})
        self._max_label_values = max_label_values
        self._max_series = max_series
        self._expiration_seconds = expiration_seconds
        self._clock = clock
        tenant = ("tenant",) if tenant_label else ()
        self._families = {family.name: family for family in families}
        self._label_names = {family.name: (*tenant, *family.label_names) for family in families}
        self._lock = threading.Lock()
        self._series: dict[str, dict[tuple[str, ...], _Series]] = {family.name: {} for family in families}
        self._label_values: dict[str, set[str]] = defaultdict(set)
        self._overflows: dict[tuple[str, str], int] = defaultdict(int)
        self._tokens: OrderedDict[str, None] = OrderedDict()

    def grow(self, token: str, increments: Iterable[Increment]) -> None:
        """Add the increments of the batch with this token, unless they were added before."""
        with self._lock:
            if token in self._tokens:
                return
            now_seconds = self._clock()
            self._expire(now_seconds)
            for increment in increments:
                self._find(increment.family.name, increment.labels).grow(increment, now_seconds)
            if token:
                self._tokens[token] = None
                if len(self._tokens) > _TOKENS:
                    self._tokens.popitem(last=False)

    def collect(self) -> list[Metric]:
        """All series as they are now."""
        with self._lock:
            self._expire(self._clock())
            metrics = [self._metric(self._families[name], series) for name, series in self._series.items()]
            overflow = CounterMetricFamily(
                "agenttracer_label_overflow_total",
                f"Increments counted under the value {OVERFLOW}, because a label had too many.",
                labels=("metric", "label"),
            )
            for labels, increments in self._overflows.items():
                overflow.add_metric(labels, increments)
            return [*metrics, overflow]

    def _find(self, name: str, values: tuple[str, ...]) -> _Series:
        capped = tuple(
            value if self._is_known(label, value) else self._overflow(name, label)
            for label, value in zip(self._label_names[name], values, strict=True)
        )
        family = self._series[name]
        if capped not in family and len(family) >= self._max_series:
            # Few values a label can still be very many combinations.
            capped = tuple(self._overflow(name, label) for label in self._label_names[name])
        return family.setdefault(capped, _Series())

    def _is_known(self, label: str, value: str) -> bool:
        known = self._label_values[label]
        if value not in known and len(known) < self._max_label_values:
            known.add(value)
        return value in known

    def _overflow(self, name: str, label: str) -> str:
        self._overflows[self._namespace + name, label] += 1
        return OVERFLOW

    def _expire(self, now_seconds: float) -> None:
        if not self._expiration_seconds:
            return
        oldest_seconds = now_seconds - self._expiration_seconds
        self._label_values.clear()
        for name, family in self._series.items():
            for values in [
                key for key, series in family.items() if series.changed_at_seconds < oldest_seconds
            ]:
                del family[values]
            for values in family:
                for label, value in zip(self._label_names[name], values, strict=True):
                    self._label_values[label].add(value)

    def _metric(self, family: Family, series: Mapping[tuple[str, ...], _Series]) -> Metric:
        name, labels = self._namespace + family.name, [*self._label_names[family.name], *self._const_labels]
        const_values = tuple(self._const_labels.values())
        if family.type == "counter":
            counter = CounterMetricFamily(name, family.help, labels=labels)
            for values, one in series.items():
                counter.add_metric((*values, *const_values), one.value)
            return counter
        histogram = HistogramMetricFamily(name, family.help, labels=labels)
        for values, one in series.items():
            cumulative = [float(count) for count in accumulate(one.buckets)]
            histogram.add_metric((*values, *const_values), list(zip(_LE, cumulative, strict=True)), one.value)
        return histogram
