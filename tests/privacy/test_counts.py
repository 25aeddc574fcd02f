"""What redaction says it took is what it took, counted once more the plain way, from the requests themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.columns import HASHED, ID, SAFE, content_class
from agenttracer.schemas.tables import DECODED
from tests.otlp_reference import REQUESTS
from tests.privacy.storing import Pipelines
from tests.processing import column, decoded, process
from tests.running_collector import captures

_KINDS = {field.name: Kind(field.number) for field in AnyValue.DESCRIPTOR.fields if field.number < 8}


@dataclass(frozen=True)
class Sent:
    """What of a request belongs to one row: its attributes by place and owner, and its free texts."""

    attributes: list[tuple[Place, int, str, AnyValue]]
    texts: tuple[str, ...]
    name: str = ""


def sent(signal: Signal, body: bytes) -> Iterator[Sent]:
    """The spans or log records of a request, in their order."""
    events = links = rows = 0
    for resource in getattr(REQUESTS[signal].FromString(body), f"resource_{_PARTS[signal][0]}"):
        for scope in getattr(resource, f"scope_{_PARTS[signal][0]}"):
            for row in getattr(scope, _PARTS[signal][1]):
                found = [(Place.ROW, rows, pair.key, pair.value) for pair in row.attributes]
                if signal is Signal.LOGS:
                    found += [(Place.BODY, rows, "", row.body)] if row.HasField("body") else []
                    yield Sent(found, ())
                else:
                    for at, event in enumerate(row.events, events):
                        found += [(Place.EVENT, at, pair.key, pair.value) for pair in event.attributes]
                    for at, link in enumerate(row.links, links):
                        found += [(Place.LINK, at, pair.key, pair.value) for pair in link.attributes]
                    events, links = events + len(row.events), links + len(row.links)
                    yield Sent(found, (row.status.message, row.trace_state), row.name)
                rows += 1


_NOTHING = ""
"""Stands for every value that is no text, or an empty one."""
_PARTS = {Signal.TRACES: ("spans", "spans"), Signal.LOGS: ("logs", "log_records")}


def size(value: AnyValue) -> int:
    """Bytes of a text, or of the encoded elements of an array or a map; a number has none."""
    kind = value.WhichOneof("value")
    if kind in ("array_value", "kvlist_value"):
        return sum(element.ByteSize() for element in getattr(value, kind).values)
    held: Any = getattr(value, kind) if kind else ""
    return len(held.encode() if isinstance(held, str) else held) if isinstance(held, (str, bytes)) else 0


def kept(batch: Batch) -> dict[tuple[int, int, str], Any]:
    """What is stored of each attribute, by place, owner and key."""
    return {
        (row["place"], row["owner"], row["key"]): row["string"] or row["bytes"] or _NOTHING
        for row in batch.attributes.to_pylist()
    }


def stays(value: AnyValue, stored: Any) -> bool:
    """Whether a stored attribute is the one that was sent; a list of labels stays as JSON."""
    if stored is None or value.WhichOneof("value") != "string_value":
        return stored is not None
    return stored == (value.string_value or _NOTHING)


@pytest.mark.parametrize("signal", _PARTS)
def test_each_row_says_how_much_it_lost(signal: Signal, tmp_path: Path) -> None:
    """As many values as are gone or hashed of its attributes, its events' and links', and the bytes of those, of its
    free texts, and of its name if that became another."""
    body = b"".join(body for _, _, body in captures([signal]))
    batch = Pipelines(tmp_path).processed(signal, body)
    stored = kept(batch)
    names = column(batch, "SpanName") if signal is Signal.TRACES else [""] * batch.num_rows
    expected = []
    for row, name in zip(sent(signal, body), names, strict=True):
        lost = [
            value
            for place, at, key, value in row.attributes
            if not stays(value, stored.get((place, at, key)))
        ]
        texts = [*row.texts, row.name if row.name != name else ""]
        expected.append((len(lost), sum(map(size, lost)) + sum(len(text.encode()) for text in texts)))

    told = list(zip(column(batch, "RedactedCount"), column(batch, "RedactedBytes"), strict=True))

    assert [pair for pair in zip(expected, told, strict=True) if pair[0] != pair[1]] == []
    assert sum(count for count, _ in told) > 50


@pytest.mark.parametrize("signal", Signal)
def test_the_counter_counts_every_change(signal: Signal, tmp_path: Path) -> None:
    """``agent_redactions_total`` grows by the attributes of all places and the columns that were changed."""
    body = b"".join(body for _, _, body in captures([signal]))
    pipelines = Pipelines(tmp_path)
    before = decoded(body, signal)

    after = process(before, pipelines.redaction)

    attributes = before.attributes.num_rows - _unchanged(before, after)
    columns = sum(
        pc.sum(pc.not_equal(given, after.tables[table].column(name).fill_null(""))).as_py() or 0
        for table, name, given in _guarded(before)
    )
    assert attributes + columns == pipelines.redactions()
    assert attributes > 0


def _guarded(batch: Batch) -> Iterator[tuple[str, str, pa.Array]]:
    for table, schema in DECODED[batch.signal].items():
        for field in schema:
            if table != "attributes" and content_class(field) not in (SAFE, ID, HASHED):
                yield table, field.name, batch.tables[table].column(field.name).fill_null("")


def _unchanged(before: Batch, after: Batch) -> int:
    stored = kept(after)
    names = {kind: name for name, kind in _KINDS.items()}
    return sum(
        (found := stored.get((row["place"], row["owner"], row["key"]))) is not None
        and (names.get(row["kind"]) != "string_value" or found == (row["string"] or _NOTHING))
        for row in before.attributes.to_pylist()
    )
