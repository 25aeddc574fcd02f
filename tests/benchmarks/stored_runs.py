"""A store of many spans, made by ClickHouse itself: runs of agents over the last days, as classify leaves them.

    run      agent ─┬─ chat ×7 … 11      tokens, cost, a response id; the last one responds
                    ├─ execute_tool ×6 … 10   one in 15 runs has one that fails, and is tried again
                    └─ retrieval         one in 3 runs

Runs begin one after the other and overlap; an insert holds spans in the order that they ended, so that the runs at
its edges come in two parts. Rows go through the same tables and views as the exporter's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from clickhouse_connect.driver.client import Client

SPANS_A_RUN = 20  # on average
DAYS = 30
_INSERT_RUNS = 2_500
_LONGEST_NS = 24 * 800_000_000

_INSERT = """
INSERT INTO otel_traces (
    Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    SpanAttributes, Duration, StatusCode, RunId, RunStatus, AgentName, AgentVersion, StepType, StepName, FailureType,
    FailureCode, FailureRule, Operation, Provider, Model, ToolName, FinishReason, ResponseId, InputTokens,
    OutputTokens, CostUsd, TenantId, ExpiresAt
)
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
    trace,
    lower(hex(cityHash64(run, span))),
    if(span = 0, '', lower(hex(cityHash64(run, 0)))),
    multiIf(type = 'agent', 'invoke_agent', type = 'tool', concat('execute_tool ', tool), concat('chat ', model)),
    'Internal',
    concat('service-', toString(run % 8)),
    map('service.name', concat('service-', toString(run % 8)), 'deployment.environment.name', 'production'),
    'bench',
    map('gen_ai.operation.name', type, 'gen_ai.response.id', toString(chance), 'server.address', 'api.example.com'),
    if(span = 0, spans * 800000000, 50000000 + chance % 700000000) AS Duration,
    if(failed, 'Error', 'Unset'),
    trace,
    if(span = 0, if(has_failure, 'partial', 'success'), ''),
    concat('agent-', toString(run % 20)),
    concat('1.', toString(run % 4)),
    type,
    '',
    if(failed, 'tool', ''),
    if(failed, code, ''),
    if(failed, code, ''),
    transform(type, ['agent', 'tool', 'retrieve'], ['invoke_agent', 'execute_tool', 'retrieval'], 'chat'),
    if(type IN ('model', 'respond'), 'openai', ''),
    if(type IN ('model', 'respond'), model, ''),
    if(type = 'tool', tool, ''),
    multiIf(type = 'respond', 'stop', type = 'model', 'tool_call', ''),
    if(type IN ('model', 'respond'), concat('resp_', toString(chance)), ''),
    if(type IN ('model', 'respond'), 200 + chance % 4000, NULL),
    if(type IN ('model', 'respond'), 20 + chance % 400, NULL),
    if(type IN ('model', 'respond'), toDecimal64((chance % 90000) / 1e7, 9), NULL),
    concat('tenant-', toString(run % 5)),
    toDateTime(4294967295)
FROM (
    -- Runs that began before are still going on.
    SELECT
        greatest({first_run} - {before}, 0) + number AS run,
        arrayJoin(range(16 + cityHash64(run, 'spans') % 9)) AS span
    FROM numbers({runs} + least({first_run}, {before}))
)
WHERE toUnixTimestamp64Nano(Timestamp) + Duration >= {from_ns}
    AND toUnixTimestamp64Nano(Timestamp) + Duration < {until_ns}
SETTINGS
    max_insert_block_size = 200000, min_insert_block_size_rows = 200000, max_threads = 1,
    insert_deduplicate = 1, deduplicate_blocks_in_dependent_materialized_views = 1
"""


def fill(client: Client, spans: int, days: float = DAYS) -> Iterator[int]:
    """Store about so many spans of the last days, in inserts of 50,000; yields how many are stored so far."""
    runs = spans // SPANS_A_RUN
    step_ns = int(days * 86400 * 1e9 / max(runs, 1))
    start_ns = time.time_ns() - runs * step_ns - _LONGEST_NS
    for first in range(0, runs, _INSERT_RUNS):
        count = min(_INSERT_RUNS, runs - first)
        client.command(
            _INSERT.format(
                first_run=first,
                runs=count,
                before=1 + _LONGEST_NS // step_ns,
                step_ns=step_ns,
                start_ns=start_ns,
                from_ns=start_ns + first * step_ns if first else 0,
                until_ns=start_ns + (first + count) * step_ns + (0 if first + count < runs else _LONGEST_NS),
            )
        )
        yield (first + count) * SPANS_A_RUN
