"""How long people wait for an answer from a store of many spans: wall time, once the engine is warm.

run          one run's steps, by run id and by trace id, and its failures
day          failures by code, slowest tools
runs list    the newest runs, as the command asks
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from agenttracer.collector.cli.run_queries import list_runs
from agenttracer.schemas import migrate
from tests.benchmarks.stored_runs import fill

_MIB = 1 << 20
_LIMITS = {
    "max_server_memory_usage": 512 * _MIB,
    "background_pool_size": 1,
    "mark_cache_size": 32 * _MIB,
    "index_mark_cache_size": 16 * _MIB,
    "primary_index_cache_size": 32 * _MIB,
    "use_skip_indexes_on_data_read": 0,
}
_ROUNDS = 7
_DAY = "{0} >= now64(9) - INTERVAL 3 DAY AND {0} < now64(9) - INTERVAL 2 DAY"

Figures = Mapping[str, float]
"""Question → median milliseconds; ``stored_spans``, ``store_bytes_a_span`` and ``store_cpu_us_a_span`` beside."""


class _Asked:
    """The store as ``agenttracer runs`` sees it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def rows(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return [dict(row) for row in self._client.query(sql, parameters=parameters).named_results()]


def measure_queries(spans: int, folder: Path | None = None) -> Figures:
    """Fill a store of about so many spans, if there is none in the folder, and ask it."""
    with tempfile.TemporaryDirectory(prefix="agenttracer-bench-") as temporary:
        path = str(folder or temporary)
        with closing(
            clickhouse_connect.get_client(interface="chdb", path=path, chdb_options=_LIMITS)
        ) as client:
            return _filled(client, spans) | {name: _wait_ms(ask) for name, ask in _questions(client).items()}


def _filled(client: Client, spans: int) -> dict[str, float]:
    migrate.apply(client)
    began, figures = time.process_time(), {}
    if not client.command("SELECT count() FROM otel_traces"):
        for stored in fill(client, spans):
            figures["store_cpu_us_a_span"] = (time.process_time() - began) * 1e6 / stored
    stored, size = client.query(
        "SELECT sumIf(rows, table = 'otel_traces'), sum(bytes_on_disk) FROM system.parts WHERE active "
        "AND database = currentDatabase()"
    ).first_row
    return {**figures, "stored_spans": stored, "store_bytes_a_span": size / stored}


def _questions(client: Client) -> dict[str, Callable[[], object]]:
    whole, trace = client.query("SELECT RunId, TraceId FROM agent_steps LIMIT 1").first_row
    failures = (
        f"SELECT FailureCode, count() FROM agent_failures WHERE {_DAY.format('Time')} GROUP BY FailureCode"
    )
    tools = (
        "SELECT ToolName, count(), quantile(0.95)(DurationMs) AS p95 FROM agent_steps "
        f"WHERE StepType = 'tool' AND {_DAY.format('StartTime')} GROUP BY ToolName ORDER BY p95 DESC"
    )
    asked = {
        "one run's steps": f"SELECT * FROM agent_steps WHERE RunId = '{whole}'",
        "by trace": f"SELECT * FROM agent_steps WHERE TraceId = '{trace}'",
        "one run's failures": f"SELECT * FROM agent_failures WHERE RunId = '{whole}'",
        "a day's failures by code": failures,
        "a day's slowest tools": tools,
    }
    questions: dict[str, Callable[[], object]] = {
        name: lambda sql=sql: client.query(sql).result_rows for name, sql in asked.items()
    }
    return questions | {"runs list": lambda: list_runs(_Asked(client))}


def _wait_ms(ask: Callable[[], object]) -> float:
    waits = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        ask()
        waits.append((time.perf_counter() - began) * 1000)
    return statistics.median(waits[2:])
