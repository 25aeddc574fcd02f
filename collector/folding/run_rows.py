"""Rows of ``agent_runs_state``: what runs come to, and what is told of them, each run once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.folding.columns import Numbers, array, plain
from agenttracer.collector.folding.told import AGENT, STATE
from agenttracer.schemas.columns import TIME
from agenttracer.schemas.flatten import nothing
from agenttracer.schemas.steps import SUMS

_IDS = ["TenantId", "RunId", "ExpiresAt"]
_NOBODY = pa.scalar(
    {"Rank": 255, "Time": 0, "AgentName": "", "AgentVersion": "", "ServiceName": "", "TraceId": ""}, AGENT
)
"""Behind whoever was told of otherwise."""
_NO_STATE = pa.scalar({"Rank": 0, "Time": 0, "Status": ""}, STATE)


def run_rows(sums: pa.Table, told: pa.Table, revision: int = 0) -> pa.Table:
    """Rows of ``agent_runs_state``: what each run comes to, and what is told of it, one of which may be missing."""
    at, others = _places(sums, told)
    more = told.select(_IDS).take(pa.array(others)).columns
    more += [nothing(field, len(others)) for field in SUMS]
    sums = pa.concat_tables([sums, pa.table(more, sums.schema)]).unify_dictionaries().combine_chunks()
    told_at = np.concatenate([at, others])
    missing = {"FirstAgent": _NOBODY, "State": _NO_STATE, "StartTime": None, "LastSeen": pa.scalar(0, TIME)}
    return pa.table(
        {
            **{name: sums.column(name) for name in _IDS},
            **{name: _or(told.column(name), told_at, instead) for name, instead in missing.items()},
            "Sums": _sums(sums, revision),
        }
    )


def _places(sums: pa.Table, told: pa.Table) -> tuple[Numbers, Numbers]:
    """Of each run of ``sums`` the row of ``told``, -1 for none; and the other rows of ``told``."""
    keys = [
        pc.binary_join_element_wise(*(plain(table.column(name)) for name in ("TenantId", "RunId")), "\0")
        for table in (sums, told)
    ]
    at = pc.fill_null(pc.index_in(keys[0], value_set=keys[1]), -1).to_numpy().astype(np.int64)
    is_other = np.ones(len(told), bool)
    is_other[at[at >= 0]] = False
    return at, np.flatnonzero(is_other)


def _or(column: pa.ChunkedArray, at: Numbers, missing: pa.Scalar | None) -> pa.Array:
    """The values at these places, ``missing`` at -1."""
    values = pa.concat_arrays([*column.chunks, pa.repeat(pa.scalar(missing, column.type), 1)])
    return values.take(pa.array(np.where(at < 0, len(column), at)))


def _sums(sums: pa.Table, revision: int) -> pa.StructArray:
    columns = {name: array(sums.column(name)) for name in SUMS.names}
    numbered = {
        "Spans": columns.pop("Spans"),
        "Revision": pa.repeat(pa.scalar(revision, pa.uint64()), len(sums)),
    }
    return pa.StructArray.from_arrays([*numbered.values(), *columns.values()], [*numbered, *columns])
