"""The stored rows of runs: read by the exporter for what came later, by ``reprice`` for what costs otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from agenttracer.collector.folding.runs import Run
from agenttracer.schemas.literal import literal
from agenttracer.schemas.steps import STEPS_TABLE, STORED

_RUNS_A_QUERY = 1000  # within max_query_size
AS_ARROW = {
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_use_signed_indexes_for_dictionary": 1,
    # As in the views.
    "do_not_merge_across_partitions_select_final": 1,
    "use_skip_indexes_if_final_exact_mode": 0,
    "max_block_size": 4096,
    "max_read_buffer_size": 16384,
    "max_read_buffer_size_local_fs": 16384,
}
"""Settings of a query whose rows are taken as Arrow."""


def rows_of(ask: Callable[[str], pa.Table], runs: Sequence[Run], most: int = 0) -> pa.Table:
    """The rows of ``agent_step_spans`` of these runs, the newest version of each; no more than ``most`` a run and
    day, unless it is 0. ``ask`` answers a statement, with the settings ``AS_ARROW``."""
    found = [STORED.empty_table()]
    for start in range(0, len(runs), _RUNS_A_QUERY):
        tenants, ids = zip(*runs[start : start + _RUNS_A_QUERY], strict=True)
        named = f"TenantId IN ({_listed(tenants)}) AND RunId IN ({_listed(ids)})"
        limit = f" LIMIT {most} BY TenantId, RunId" if most else ""
        # Reading all columns of the parts of many days at once would take more memory than there is.
        days = ask(f"SELECT DISTINCT toString(toDate(Timestamp)) FROM {STEPS_TABLE} WHERE {named}")
        for day in days.column(0).to_pylist():
            rows = ask(
                f"SELECT {', '.join(STORED.names)} FROM {STEPS_TABLE} FINAL "
                f"WHERE toDate(Timestamp) = '{day}' AND {named}{limit}"
            )
            found.append(rows.cast(STORED))
    return pa.concat_tables(found)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(literal, dict.fromkeys(texts)))
