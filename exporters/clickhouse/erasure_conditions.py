"""Which rows of a table a selection means, as SQL that names nobody.

ClickHouse keeps the text of mutations on its disk, and of queries in its log. So identifiers are compared by
their SHA-256: what was erased is not written down again by erasing it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agenttracer.schemas.clickhouse_tables import TRACES_TABLE
from agenttracer.schemas.columns import HASHED, content_classes
from agenttracer.schemas.selection import Selection
from agenttracer.schemas.semconv import AGENT_RUN_ID
from agenttracer.schemas.tables import STORED

_TOKEN = "h"  # noqa: S105 - how every token begins
_TOKEN_COLUMNS = {
    name
    for tables in STORED.values()
    for schema in tables.values()
    for name, kind in content_classes(schema)
    if kind == HASHED
}


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table that holds rows, and its columns' types by name."""

    name: str
    columns: Mapping[str, str]

    @property
    def is_index(self) -> bool:
        """Whether its rows say something of traces, and not whose they are."""
        return "TraceId" in self.columns and not {"TenantId", "RunId"} & self.columns.keys()


def condition(table: StoredTable, selection: Selection, traces: StoredTable | None = None) -> str:
    """SQL that is true for the selected rows of a table, empty if there can be none.

    ``traces`` is the table of spans, by which an index of traces is judged: a trace goes from there when
    all its spans go, so it must be asked while they are still there.
    """
    if table.is_index:
        return _of_index(condition(traces, selection)) if traces and table.name != traces.name else ""
    columns = table.columns
    if selection.whole_tenant:
        return _is_in("TenantId", [selection.tenant]) if "TenantId" in columns else ""
    found = [
        _is_in("RunId", selection.runs) if "RunId" in columns else "",
        _is_in("TraceId", selection.whole_traces) if "TraceId" in columns else "",
        _of_traces(columns, selection.traces),
        _is_in("Key", selection.artifact_keys) if "Key" in columns else "",
        *(_token_in(name, selection.tokens) for name in sorted(columns.keys() & _TOKEN_COLUMNS)),
        # Data points have no column for their run.
        *(
            _in_map(name, kind, selection.tokens, () if "RunId" in columns else selection.runs)
            for name, kind in columns.items()
        ),
    ]
    any_of = " OR ".join(f"({part})" for part in found if part)
    if not any_of or "TenantId" not in columns:
        return any_of
    return f"{_is_in('TenantId', [selection.tenant])} AND ({any_of})"


def digest(value: str) -> str:
    """What ``hex(SHA256(value))`` is in ClickHouse."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest().upper()


def _is_in(expression: str, values: Iterable[str]) -> str:
    listed = ", ".join(f"'{digest(value)}'" for value in sorted(values))
    return f"hex(SHA256({expression})) IN ({listed})" if listed else ""


def _token_in(expression: str, tokens: Iterable[str]) -> str:
    compared = _is_in(expression, tokens)
    # Most values are no token, and need no hashing.
    return f"startsWith({expression}, '{_TOKEN}') AND {compared}" if compared else ""


def _of_traces(columns: Mapping[str, str], traces: Iterable[str]) -> str:
    found = _is_in("TraceId", traces) if "TraceId" in columns else ""
    return f"{found} AND RunId IN ('', TraceId)" if found and "RunId" in columns else found


def _in_map(column: str, kind: str, tokens: Iterable[str], runs: Iterable[str]) -> str:
    """Attributes hold tokens under any key."""
    is_map = kind.startswith("Map(") and kind.endswith("String)")
    is_list_of_maps = kind.startswith("Array(Map(") and kind.endswith("String))")
    if not is_map and not is_list_of_maps:
        return ""
    held = f"`{column}`" if is_map else "held"
    token = _token_in("value", tokens)
    found = [
        f"arrayExists(value -> {token}, mapValues({held}))" if token else "",
        _is_in(f"{held}['{AGENT_RUN_ID}']", runs),
    ]
    return " OR ".join(
        test if is_map else f"arrayExists(held -> {test}, `{column}`)" for test in found if test
    )


def _of_index(spans: str) -> str:
    if not spans:
        return ""
    selected = f"SELECT TraceId FROM {TRACES_TABLE} WHERE {spans}"
    others = f"SELECT TraceId FROM {TRACES_TABLE} WHERE TraceId IN ({selected}) AND NOT ({spans})"
    return f"TraceId IN ({selected}) AND TraceId NOT IN ({others})"
