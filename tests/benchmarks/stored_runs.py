"""A store of many spans, made by ClickHouse itself: runs of agents over the last days, as classify leaves them.

    run      agent ─┬─ chat ×7 … 11      tokens, cost, a response id; the last one responds
                    ├─ execute_tool ×6 … 10   one in 15 runs has one that fails, and is tried again
                    └─ retrieval         one in 3 runs

Runs begin one after the other and overlap; an insert holds spans in the order that they ended, so that the runs at
its edges come in two parts. They go the way that the exporter's go, through the same tables and views.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from agenttracer.collector.folding.reading import AS_ARROW
from agenttracer.exporters.clickhouse.insertion import insert, settings
from agenttracer.exporters.clickhouse.steps.recent import RecentRuns
from agenttracer.exporters.clickhouse.steps.spans import spans_of, told_of
from agenttracer.exporters.clickhouse.steps.store import ClickHouseSteps
from agenttracer.exporters.clickhouse.steps.writer import StepWriter
from agenttracer.schemas.clickhouse_tables import TRACES_TABLE

SPANS_A_RUN = 20  # on average
DAYS = 30
_INSERT_RUNS = 2_500
_TIMEOUT_SECONDS = 60.0
_LONGEST_NS = 24 * 800_000_000

_SPANS = """
WITH
    16 + cityHash64(run, 'spans') % 9 AS spans,
    lower(hex(MD5(toString(run)))) AS trace,
    run * {step_ns} + toInt64({start_ns}) AS began_ns,
    cityHash64(run, span) AS chance,
    cityHash64(run, 'fails') % 15 = 0 AS has_failure,
    multiIf(
        span = 0, 'agent', span = spans - 1, 'respond', span = 1 AND run % 3 = 0, 'retrieve',
        span % 2 = 0, 'tool', 'model'
    ) AS type,
    has_failure AND span IN (2, 4) AND (span = 2 OR run % 4 = 0) AS failed,
    ['search', 'lookup_order', 'refund', 'send_mail', 'weather'][1 + run % 5] AS tool,
    ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5'][1 + run % 3] AS model,
    ['timeout', 'rate_limited', 'error', 'not_found', 'server_error'][1 + run % 5] AS code
SELECT
    fromUnixTimestamp64Nano(began_ns + span * 800000000) AS Timestamp,
    trace AS TraceId,
    lower(hex(cityHash64(run, span))) AS SpanId,
    if(span = 0, '', lower(hex(cityHash64(run, 0)))) AS ParentSpanId,
    multiIf(type = 'agent', 'invoke_agent', type = 'tool', concat('execute_tool ', tool), concat('chat ', model))
        AS SpanName,
    'Internal' AS SpanKind,
    concat('service-', toString(run % 8)) AS ServiceName,
    map('service.name', concat('service-', toString(run % 8)), 'deployment.environment.name', 'production')
        AS ResourceAttributes,
    'bench' AS ScopeName,
    map('gen_ai.operation.name', type, 'gen_ai.response.id', toString(chance), 'server.address', 'api.example.com')
        AS SpanAttributes,
    if(span = 0, spans * 800000000, 50000000 + chance % 700000000) AS Duration,
    if(failed, 'Error', 'Unset') AS StatusCode,
    trace AS RunId,
    if(span = 0, if(has_failure, 'partial', 'success'), '') AS RunStatus,
    concat('agent-', toString(run % 20)) AS AgentName,
    concat('1.', toString(run % 4)) AS AgentVersion,
    type AS StepType,
    '' AS StepName,
    if(failed, 'tool', '') AS FailureType,
    if(failed, code, '') AS FailureCode,
    if(failed, code, '') AS FailureRule,
    transform(type, ['agent', 'tool', 'retrieve'], ['invoke_agent', 'execute_tool', 'retrieval'], 'chat') AS Operation,
    if(type IN ('model', 'respond'), 'openai', '') AS Provider,
    if(type IN ('model', 'respond'), model, '') AS Model,
    if(type = 'tool', tool, '') AS ToolName,
    multiIf(type = 'respond', 'stop', type = 'model', 'tool_call', '') AS FinishReason,
    if(type IN ('model', 'respond'), concat('resp_', toString(chance)), '') AS ResponseId,
    if(type IN ('model', 'respond'), 200 + chance % 4000, NULL) AS InputTokens,
    if(type IN ('model', 'respond'), 20 + chance % 400, NULL) AS OutputTokens,
    if(type IN ('model', 'respond'), toDecimal64((chance % 90000) / 1e7, 9), NULL) AS CostUsd,
    concat('tenant-', toString(run % 5)) AS TenantId,
    toUInt32(4294967295) AS ExpiresAt
FROM (
    -- Runs that began before are still going on.
    SELECT
        greatest({first_run} - {before}, 0) + number AS run,
        arrayJoin(range(16 + cityHash64(run, 'spans') % 9)) AS span
    FROM numbers({runs} + least({first_run}, {before}))
)
WHERE toUnixTimestamp64Nano(Timestamp) + Duration >= {from_ns}
    AND toUnixTimestamp64Nano(Timestamp) + Duration < {until_ns}
"""


def fill(client: Client, spans: int, days: float = DAYS) -> Iterator[int]:
    """Store about so many spans of the last days, in inserts of 50,000; yields how many are stored so far."""
    runs = spans // SPANS_A_RUN
    step_ns = int(days * 86400 * 1e9 / max(runs, 1))
    start_ns = time.time_ns() - runs * step_ns - _LONGEST_NS
    steps = StepWriter(ClickHouseSteps(client, _TIMEOUT_SECONDS, embedded=True), RecentRuns())
    for first in range(0, runs, _INSERT_RUNS):
        count = min(_INSERT_RUNS, runs - first)
        rows = client.query_arrow(
            _SPANS.format(
                first_run=first,
                runs=count,
                before=1 + _LONGEST_NS // step_ns,
                step_ns=step_ns,
                start_ns=start_ns,
                from_ns=start_ns + first * step_ns if first else 0,
                until_ns=start_ns + (first + count) * step_ns + (0 if first + count < runs else _LONGEST_NS),
            ),
            settings=AS_ARROW,
        )
        _store(client, steps, rows)
        yield (first + count) * SPANS_A_RUN


def _store(client: Client, steps: StepWriter, rows: pa.Table) -> None:
    """As the exporter does."""
    spans = spans_of(TRACES_TABLE, rows)
    assert spans is not None
    steps.write(spans, told_of(TRACES_TABLE, rows))
    insert(client, TRACES_TABLE, rows, settings(_TIMEOUT_SECONDS, uuid4().hex), embedded=True)
