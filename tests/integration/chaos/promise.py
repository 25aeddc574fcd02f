"""What must hold after every trouble: nothing acknowledged is lost, nothing is stored twice, the books balance.

collector = …                      # after whatever was done to it
promise.check(collector, sent)     # it runs: waits until all is stored, looks, stops it, asks the store

acknowledged ⊆ stored ⊆ sent       every span once, in the table and in the views behind it
received = stored + waiting + duplicate + rejected + filtered + dead_lettered
peak of resident memory < limit    the process answers its health check and stops with 0
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.chaos.load import Ledger, SpanKey
from tests.running_collector import RunningCollector

MEMORY_LIMIT_MIB = 1500
"""``memory_limiter`` of the shipped configuration."""

Ask = Callable[[str], Any]
"""The rows of a query."""


def check(
    collector: RunningCollector,
    ledger: Ledger,
    ask: Ask | None = None,
    *,
    dead_letters: int = 0,
    memory_limit_mib: int = MEMORY_LIMIT_MIB,
    timeout_seconds: float = 60,
) -> dict[str, float]:
    """The whole promise, of a collector that runs. Returns the books of the spans.

    With ``ask``, for a store that is not the collector's own, it goes on running; else it is stopped."""
    assert collector.healthy(), collector.log()
    collector.wait_until_stored(timeout_seconds)
    books = check_books(collector)
    assert dead_letters == books.get("dead_lettered", 0)
    check_memory(collector, memory_limit_mib)
    if ask is None:
        assert collector.stop() == 0, collector.log()
    check_log(collector)
    check_store(ask or (lambda query: collector.query(query)[0]), ledger, int(books.get("stored", 0)))
    return books


def check_books(collector: RunningCollector) -> dict[str, float]:
    """Every tenant's books of every signal balance, behind every exporter; returns the spans' in ClickHouse."""
    for (signal, tenant, exporter), states in balances(collector.metrics_text()).items():
        parts = sum(rows for state, rows in states.items() if state != "received")
        assert states["received"] == parts, (signal, tenant, exporter, dict(states))
    return collector.books()


def balances(metrics: str) -> dict[tuple[str, str, str], Mapping[str, float]]:
    """(pipeline, tenant, exporter) → rows by state; what happens before the journal is every exporter's."""
    shared: dict[tuple[str, str], Counter[str]] = {}
    own: dict[tuple[str, str, str], Counter[str]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name not in ("agenttracer_items_total", "agenttracer_items_waiting"):
                continue
            labels = sample.labels
            place = (labels["signal"], labels["tenant"])
            if labels["exporter"]:
                lines = own.setdefault((*place, labels["exporter"]), Counter())
            else:
                lines = shared.setdefault(place, Counter())
            lines[labels.get("state", "waiting")] += sample.value
    return {place: lines + shared[place[:2]] for place, lines in own.items()}


def check_memory(collector: RunningCollector, limit_mib: int = MEMORY_LIMIT_MIB) -> None:
    """It never had more resident memory than its limit."""
    assert collector.process is not None
    status = Path(f"/proc/{collector.process.pid}/status").read_text()
    (peak_kib,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert int(peak_kib) < limit_mib * 1024


def check_log(collector: RunningCollector) -> None:
    """Nothing was a surprise."""
    assert "Traceback" not in collector.log()


def check_store(ask: Ask, ledger: Ledger, counted: int | None = None) -> None:
    """Every acknowledged span is there, none twice, none that nobody sent; the views say the same."""
    times = times_stored(ask)
    lost = len(ledger.acknowledged - times.keys())
    doubled = sum(count > 1 for count in times.values())
    unknown = len(times.keys() - ledger.sent)
    assert (0, 0, 0) == (lost, doubled, unknown), f"lost, stored twice, never sent; of {len(times)}"
    [[model_calls, steps]] = ask(
        "SELECT (SELECT countIf(StepType = 'model') FROM otel_traces), (SELECT sum(ModelCalls) FROM agent_runs)"
    )
    assert model_calls == steps > 0, f"{model_calls} spans, {steps} calls"
    if counted is not None:
        assert counted == len(times)


def times_stored(ask: Ask) -> dict[SpanKey, int]:
    """Every span of the store, and how often it is there."""
    rows = ask("SELECT TraceId, SpanId, count() FROM otel_traces GROUP BY ALL")
    return {(trace, span): count for trace, span, count in rows}


def sentence(collector: RunningCollector) -> str:
    """The one with which a process ended that could not go on."""
    assert collector.wait() == 1, collector.log()
    assert "Traceback" not in collector.log()
    last = collector.log().strip().splitlines()[-1]
    assert last.startswith("agenttracer: ")
    return last
