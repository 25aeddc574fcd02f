"""What spans say of their runs, against a plain reading of the same rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttracer.collector.folding.fold import fold
from agenttracer.collector.folding.run_rows import run_rows
from agenttracer.collector.folding.sums import sums
from agenttracer.collector.folding.told import TOLD, told
from agenttracer.exporters.clickhouse.steps.spans import spans_of
from agenttracer.schemas.batch import Place
from agenttracer.schemas.clickhouse_tables import TRACES_TABLE
from agenttracer.schemas.flatten import flatten
from tests.batches import make_batch

T0 = 1_790_000_000_000_000_000
BY_AGENT = "by_agent"  # the status is the agent's own word

SPAN = st.fixed_dictionaries(
    {
        "RunId": st.sampled_from(["", "one", "two"]),
        "ParentSpanId": st.sampled_from(["", "aa"]),
        "Timestamp": st.integers(T0, T0 + 3),
        "Duration": st.integers(0, 3),
        "StepType": st.sampled_from([None, "agent", "model"]),
        "RunStatus": st.sampled_from([None, "queued", "running", "success", "failure", "partial"]),
        "Operation": st.sampled_from([None, "create_agent", "chat"]),
        "AgentName": st.sampled_from(["", "helper", "support"]),
        "AgentVersion": st.sampled_from(["", "1", "2"]),
        "TraceId": st.sampled_from(["a" * 32, "b" * 32]),
        BY_AGENT: st.booleans(),
    }
)
Span = dict[str, Any]


def flat(spans: list[Span]) -> pa.Table:
    """The rows as the exporter has them."""
    rows = [
        {name: value for name, value in span.items() if name != BY_AGENT} | {"SpanId": f"{number:016x}"}
        for number, span in enumerate(spans)
    ]
    attributes = [
        (Place.ROW, number, "agent.run.status" if span[BY_AGENT] else "other", "success")
        for number, span in enumerate(spans)
    ]
    resources = [{"TenantId": "acme", "ServiceName": "shop"}]
    return flatten(make_batch("traces", rows, resources=resources, attributes=attributes), 0)[TRACES_TABLE]


def read(spans: list[Span]) -> dict[str, Any]:
    """Run → whose it is, how it ended, since when, until when."""
    found = defaultdict(list)
    for span in spans:
        makes_agent = span["Operation"] == "create_agent" and not span["ParentSpanId"]
        if span["RunId"] and (span["StepType"] or span["RunStatus"]) and not makes_agent:
            found[span["RunId"]].append(span)
    return {
        run: (
            min(map(agent, its)),
            max(map(state, its)),
            min(span["Timestamp"] for span in its),
            max(span["Timestamp"] + span["Duration"] for span in its),
        )
        for run, its in found.items()
    }


def agent(span: Span) -> tuple[Any, ...]:
    rank = 2 if not span["AgentName"] else 0 if span["RunStatus"] else 1
    return rank, span["Timestamp"], span["AgentName"], span["AgentVersion"], "shop", span["TraceId"]


def state(span: Span) -> tuple[Any, ...]:
    status = span["RunStatus"] or "running"
    rank = {"queued": 1, "running": 2}.get(status, 5 if span[BY_AGENT] else 4)
    return rank, span["Timestamp"] + span["Duration"], status


def shown(rows: pa.Table) -> dict[str, Any]:
    """The same of a table's rows."""
    return {
        row["RunId"]: (
            tuple(nanoseconds(value) for value in row["FirstAgent"].values()),
            tuple(nanoseconds(value) for value in row["State"].values()),
            nanoseconds(row["StartTime"]),
            nanoseconds(row["LastSeen"]),
        )
        for row in rows.select(["RunId", "FirstAgent", "State", "StartTime", "LastSeen"]).to_pylist()
    }


def nanoseconds(value: Any) -> Any:
    """A time as a number, anything else as it is."""
    return value.value if hasattr(value, "nanosecond") else value


@settings(deadline=None)
@given(st.lists(SPAN, min_size=1, max_size=8))
def test_what_is_told_of_runs_is_what_the_spans_say(spans: list[Span]) -> None:
    found = told(flat(spans))

    assert TOLD.equals(found.schema)
    assert read(spans) == shown(found)


def test_a_run_has_one_row_whether_it_is_told_of_summed_up_or_both() -> None:
    both = {"RunId": "both", "StepType": "agent", "RunStatus": "success", "Timestamp": T0, BY_AGENT: False}
    summed = {"RunId": "summed", "StepType": None, "RunStatus": None, "Timestamp": T0, BY_AGENT: False}
    rows = flat([{"ParentSpanId": "", "Operation": None, **span} for span in (both, summed)])
    spans = spans_of(TRACES_TABLE, rows)
    assert spans is not None
    other = told(flat([{"ParentSpanId": "", "Operation": None, **both, "RunId": "told"}]))

    found = run_rows(sums(spans, fold(spans)), pa.concat_tables([told(rows), other])).to_pylist()

    assert [("both", 4, 1), ("summed", 0, 1), ("told", 4, 0)] == [
        (row["RunId"], row["State"]["Rank"], row["Sums"]["Spans"]) for row in found
    ]
    assert [2, 255, 2] == [row["FirstAgent"]["Rank"] for row in found]
    assert found[1]["StartTime"] is None
