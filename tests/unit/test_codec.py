"""A batch survives the journal: packed, unpacked, and several joined into one."""

import json

import pyarrow as pa
import pytest

from agenttracer.collector.codec import DamagedError, pack, parts, unpack
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.tables import STORED
from tests.batches import make_batch


def as_rows(batch: Batch) -> dict[str, list[dict[str, object]]]:
    return {name: table.to_pylist() for name, table in batch.tables.items()}


def traces(marker: str, spans: int = 2) -> Batch:
    return make_batch(
        "traces",
        rows=[
            {
                "TraceId": marker * 16,
                "SpanId": f"{n:016x}",
                "SpanKind": "Client",
                "StepType": "tool",
                "Resource": 0,
            }
            for n in range(spans)
        ],
        resources=[{"ServiceName": marker}],
        events=[{"Owner": spans - 1, "Name": "exception"}],
        attributes=[
            (Place.RESOURCE, 0, "service.name", marker),
            (Place.ROW, 0, "gen_ai.request.model", f"model-{marker}"),
            (Place.ROW, spans - 1, "http.status_code", 500),
            (Place.ROW, spans - 1, f"only.{marker}", True),
            (Place.EVENT, 0, "exception.type", "TimeoutError"),
        ],
    )


@pytest.mark.parametrize("signal", list(Signal))
def test_an_empty_batch_comes_back(signal: Signal) -> None:
    """Every declared table and column is there after a round trip, even when none has a row."""
    batch = make_batch(signal, resources=[], scopes=[])

    unpacked = unpack([pack(batch)])

    assert {name: table.schema for name, table in unpacked.tables.items()} == {
        name: pa.schema([(field.name, field.type) for field in schema])
        for name, schema in STORED[signal].items()
    }
    assert unpacked.num_rows == 0


def test_a_round_trip_keeps_every_value() -> None:
    """What was packed is what is unpacked, with the token that was asked for."""
    batch = traces("a")

    unpacked = unpack([pack(batch)], "rows-1")

    assert as_rows(unpacked) == as_rows(batch)
    assert unpacked.token == "rows-1"  # noqa: S105 - names rows


def test_joined_batches_point_at_their_own_resources_events_and_attributes() -> None:
    """After joining, every row's resource, events and attributes are those it had before."""
    joined = unpack([pack(traces("a", 2)), pack(traces("b", 3)), pack(traces("c", 1))])

    services = joined.tables["resources"].column("ServiceName").to_pylist()
    owners = [services[index] for index in joined.rows.column("Resource").to_pylist()]
    assert owners == ["a", "a", "b", "b", "b", "c"]
    assert joined.tables["events"].column("Owner").to_pylist() == [1, 4, 5]
    held = [
        (row["place"], row["owner"], row["key"], row["string"], row["int"])
        for row in joined.attributes.to_pylist()
    ]
    assert held == [
        (Place.RESOURCE, 0, "service.name", "a", None),
        (Place.RESOURCE, 1, "service.name", "b", None),
        (Place.RESOURCE, 2, "service.name", "c", None),
        (Place.ROW, 0, "gen_ai.request.model", "model-a", None),
        (Place.ROW, 1, "http.status_code", None, 500),
        (Place.ROW, 1, "only.a", None, 1),
        (Place.ROW, 2, "gen_ai.request.model", "model-b", None),
        (Place.ROW, 4, "http.status_code", None, 500),
        (Place.ROW, 4, "only.b", None, 1),
        (Place.ROW, 5, "gen_ai.request.model", "model-c", None),
        (Place.ROW, 5, "http.status_code", None, 500),
        (Place.ROW, 5, "only.c", None, 1),
        (Place.EVENT, 0, "exception.type", "TimeoutError", None),
        (Place.EVENT, 1, "exception.type", "TimeoutError", None),
        (Place.EVENT, 2, "exception.type", "TimeoutError", None),
    ]


def test_a_batch_without_attributes_joins_one_with() -> None:
    """A batch that has none of something does not disturb the others' pointers."""
    empty = make_batch("traces", rows=[{"TraceId": "e" * 32}], resources=[{"ServiceName": "e"}])

    joined = unpack([pack(empty), pack(traces("a", 1))])

    assert set(joined.attributes.column("owner").to_pylist()) == {0, 1}
    assert joined.rows.column("TraceId").to_pylist() == ["e" * 32, "a" * 16]


def test_a_column_of_another_type_is_refused() -> None:
    """A processor that makes a column of a wrong type is found before anything is written."""
    wrong = traces("a").with_columns(StepSequence=pa.array(["one", "two"]))

    with pytest.raises(TypeError, match=r"rows\.StepSequence is string, declared int32"):
        pack(wrong)


def test_what_is_not_declared_is_not_written() -> None:
    """A column that the schema lacks never reaches the journal."""
    extra = traces("a").with_columns(Prompt=pa.array(["SECRET", "SECRET"]))

    assert b"SECRET" not in pa.decompress(parts(pack(extra))[1], 1_000_000, codec="lz4_raw", asbytes=True)


@pytest.mark.parametrize("place", range(0, 600, 13))
def test_a_changed_byte_is_found(place: int) -> None:
    """Wherever it is: Arrow would read past its buffers rather than complain."""
    payload = bytearray(pack(traces("a")))
    payload[place % len(payload)] ^= 0x10

    with pytest.raises(DamagedError):
        unpack([bytes(payload)])


def test_payloads_of_the_first_release_are_read() -> None:
    """They have no checksum."""
    payload = pack(traces("a"))
    header, content = parts(payload)
    text = json.dumps(header, separators=(",", ":")).encode()

    old = len(text).to_bytes(4, "little") + text + bytes(content)

    assert unpack([old]).rows.equals(unpack([payload]).rows)


@pytest.mark.parametrize("cut", [0, 3, 10, -1])
def test_damaged_bytes_are_an_error(cut: int) -> None:
    """A payload that was cut short is refused, not half read."""
    with pytest.raises(DamagedError):
        unpack([pack(traces("a"))[:cut]])
