"""A batch without the rows of a run, a user or a tenant is the batch that never had them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.erasure.rows import related, selected, without
from agenttracer.schemas.batch import Batch, Place
from agenttracer.schemas.contents import CONTENTS
from agenttracer.schemas.selection import Selection
from tests.batches import make_batch

TOKEN = "h1:0123456789abcdef01234567"  # noqa: S105
SPANS = [
    {"TraceId": "a" * 32, "RunId": "r1", "UserHash": TOKEN, "Resource": 0},
    {"TraceId": "a" * 32, "RunId": "a" * 32, "Resource": 0},
    {"TraceId": "a" * 32, "RunId": "r2", "Resource": 0},
    {"TraceId": "b" * 32, "RunId": "r1", "Resource": 1},
    {"TraceId": "c" * 32, "RunId": "r3", "Resource": 1},
]
SERVICES = [{"ServiceName": "first"}, {"ServiceName": "second"}]
MARKS = [(Place.ROW, number, "mark", number) for number in range(len(SPANS))]


def spans(*attributes: Any) -> Batch:
    """Five spans, each with its number as an attribute, an event and a link."""
    return make_batch(
        "traces",
        SPANS,
        resources=SERVICES,
        events=[{"Owner": number, "Name": f"event {number}"} for number in range(len(SPANS))],
        links=[{"Owner": number, "TraceId": "f" * 32} for number in range(len(SPANS))],
        attributes=[*MARKS, *attributes],
    )


def chosen(batch: Batch, **lists: set[str]) -> list[int]:
    """The numbers of the selected rows."""
    selection = Selection("default", **{name: frozenset(values) for name, values in lists.items()})
    return [number for number, goes in enumerate(selected(batch, selection)) if goes]


def test_a_runs_rows_go() -> None:
    """Every row that names the run is selected, and no other."""
    assert [0, 3] == chosen(spans(), runs={"r1"})


def test_of_a_runs_traces_rows_go_that_name_no_run() -> None:
    """A row whose run is its trace's id belongs to the run of the trace; another run's stays."""
    assert [0, 1, 3] == chosen(spans(), runs={"r1"}, traces={"a" * 32})


def test_a_users_whole_trace_goes() -> None:
    """Every row of the trace is selected, whatever its run."""
    assert [0, 1, 2] == chosen(spans(), whole_traces={"a" * 32})


def test_nothing_asked_selects_nothing() -> None:
    """A selection with empty lists is not a selection of everything."""
    assert [] == chosen(spans())


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ((Place.ROW, 4, "enduser.id", TOKEN), [0, 4]),
        ((Place.EVENT, 4, "user.id", TOKEN), [0, 4]),
        ((Place.LINK, 2, "user.id", TOKEN), [0, 2]),
        ((Place.RESOURCE, 1, "user.id", TOKEN), [0, 3, 4]),
        ((Place.SCOPE, 0, "user.id", TOKEN), [0, 1, 2, 3, 4]),
    ],
)
def test_a_users_rows_are_found_in_every_place(attribute: Any, expected: list[int]) -> None:
    """A token in an attribute of a row, of what belongs to it or of what it belongs to selects the row."""
    assert expected == chosen(spans(attribute), tokens={TOKEN})


def test_a_data_point_goes_for_its_exemplar() -> None:
    """A token in an exemplar's attributes selects its data point."""
    points = make_batch(
        "metrics",
        [{"Metric": 0}, {"Metric": 0}],
        metrics=[{"MetricName": "m", "MetricType": "gauge"}],
        exemplars=[{"Owner": 1, "TraceId": "a" * 32}],
        attributes=[(Place.EXEMPLAR, 0, "user.id", TOKEN)],
    )
    assert [1] == chosen(points, tokens={TOKEN})


def test_a_users_runs_and_traces_are_related() -> None:
    """From a token to its runs and whole traces, then to the runs of these traces."""
    first = related(spans(), Selection("default", tokens=frozenset({TOKEN})))
    second = related(spans(), Selection("default", tokens=frozenset({TOKEN})) | first)
    assert ({"r1"}, {"a" * 32}) == (set(first.runs), set(first.whole_traces))
    assert ({"r1", "r2", "a" * 32}, {"a" * 32, "b" * 32}) == (set(second.runs), set(second.traces))


def test_what_stays_is_as_if_the_others_had_never_been() -> None:
    """Rows, what they own and what they point at are those of a batch made of the other rows alone."""
    batch = spans((Place.RESOURCE, 1, "service.name", "second"), (Place.RESOURCE, 0, "service.name", "first"))
    rest = without(batch, selected(batch, Selection("default", whole_traces=frozenset({"a" * 32}))))
    expected = make_batch(
        "traces",
        [{**row, "Resource": 0} for row in SPANS[3:]],
        resources=SERVICES[1:],
        events=[{"Owner": 0, "Name": "event 3"}, {"Owner": 1, "Name": "event 4"}],
        links=[{"Owner": number, "TraceId": "f" * 32} for number in range(2)],
        attributes=[
            (Place.ROW, 0, "mark", 3),
            (Place.ROW, 1, "mark", 4),
            (Place.RESOURCE, 0, "service.name", "second"),
        ],
    )
    stored = unpack([pack(rest)])
    assert {name: table.to_pylist() for name, table in unpack([pack(expected)]).tables.items()} == {
        name: table.to_pylist() for name, table in stored.tables.items()
    }


def test_no_bytes_of_the_erased_rows_stay() -> None:
    """Dictionaries hold nothing that only erased rows had: keys of attributes too."""
    batch = spans((Place.ROW, 0, "marked.key", "marked value"))
    rest = without(batch, selected(batch, Selection("default", runs=frozenset({"r1"}))))
    held = b"".join(
        bytes(buffer)
        for table in rest.tables.values()
        for c in table.columns
        for buffer in c.buffers()
        if buffer
    )
    keys = rest.attributes["key"].dictionary.to_pylist()
    assert (["mark"], False, False) == (keys, b"marked value" in held, TOKEN.encode() in held)


def test_all_rows_may_go() -> None:
    """A batch of no rows can be packed and read."""
    batch = spans()
    rest = without(batch, selected(batch, Selection("default", whole_tenant=True)))
    assert {0} == {table.num_rows for table in unpack([pack(rest)]).tables.values()}


def test_content_goes_with_the_rows_that_refer_to_it() -> None:
    """What was kept of other rows stays; what of rows of no run is named by its key."""
    keys = [f"default/_/run/{number}/content-input.json" for number in range(len(SPANS))]
    refers = [(Place.ROW, number, "gen_ai.input.messages_ref", key) for number, key in enumerate(keys)]
    batch = spans(*refers).with_tables(
        contents=pa.RecordBatch.from_pydict({"Key": keys, "Content": ["{}"] * len(keys)}, schema=CONTENTS)
    )
    selection = Selection("default", runs=frozenset({"r1"}), traces=frozenset({"a" * 32}))
    rest = without(batch, selected(batch, selection))
    assert [keys[2], keys[4]] == rest.tables["contents"]["Key"].to_pylist()
    assert {keys[0], keys[1], keys[3]} == related(batch, selection).artifact_keys
