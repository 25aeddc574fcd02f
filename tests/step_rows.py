"""Rows of ``steps.SPANS`` made by hand, and what a fold makes of them.

steps(span("a"), span("b", "a", "model", Model="m"))["b"]["Model"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.sums import sums
from agenttracer.schemas.steps import SPANS

Row = Mapping[str, Any]

START_NS = 1_700_000_000_000_000_000
_DEFAULTS: Row = {
    "TenantId": "tenant",
    "RunId": "run",
    "TraceId": "trace",
    "ParentSpanId": "",
    "IsLog": False,
    "Duration": 1_000,
    "ExpiresAt": 4_000_000_000,
}


def span(
    identifier: str, parent: str = "", kind: str = "agent", at: int = 0, **columns: Any
) -> dict[str, Any]:
    """A span that starts at a nanosecond of the test; a failure code makes it an error."""
    status = "Error" if columns.get("FailureCode") else "Unset"
    names = {"SpanId": identifier, "ParentSpanId": parent, "StepType": kind, "StatusCode": status}
    return {**_DEFAULTS, **names, "Timestamp": START_NS + at, **columns}


def log(identifier: str, at: int = 0, **columns: Any) -> dict[str, Any]:
    """A log record about a span."""
    return span(identifier, "", "", at, **{"IsLog": True, "Duration": 0, "StatusCode": "", **columns})


def table(rows: Iterable[Row]) -> pa.Table:
    """As the exporter has them: what repeats is dictionary-encoded."""
    rows = list(rows)
    return pa.table([_column(rows, field) for field in SPANS], schema=SPANS)


def _column(rows: Sequence[Row], field: pa.Field) -> pa.Array:
    values = [row.get(field.name) for row in rows]
    if not pa.types.is_dictionary(field.type):
        return pa.array(
            [_text(value) for value in values] if field.type == pa.string() else values, field.type
        )
    return pa.array([_text(value) for value in values], pa.string()).dictionary_encode()


def _text(value: str | None) -> str:
    return value or ""


def steps(*rows: Row) -> dict[str, dict[str, Any]]:
    """The steps by the id of the span that stands for each; fails where two stand for one id."""
    folded = [
        (row["SpanId"], step)
        for row, step in zip(rows, fold(table(rows)).to_pylist(), strict=True)
        if step.pop("IsStep")
    ]
    assert len(folded) == len(dict(folded))
    return dict(folded)


def totals(*rows: Row) -> dict[tuple[str, str], dict[str, Any]]:
    """The sums of runs by (TenantId, RunId)."""
    spans = table(rows)
    return {(run["TenantId"], run["RunId"]): run for run in sums(spans, fold(spans)).to_pylist()}


def total(*rows: Row) -> dict[str, Any]:
    """The sums of the only run."""
    (run,) = totals(*rows).values()
    return run
