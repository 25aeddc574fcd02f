"""``redaction.*`` attributes, as the Collector's processor writes them: on every owner that lost something.

    redaction.redacted.count   values that were dropped      redaction.redacted.keys   their keys, at debug
    redaction.masked.count     masked or hashed
    redaction.allowed.count    let pass by allowed_values            the same of masked and allowed
    redaction.ignored.count    under ignored keys
    redaction.body.*           the same of log bodies

Counts add up when data passes several collectors. Keys are named only where they are well formed: any other
may have been made from somebody's text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, with_attributes
from agenttracer.schemas.batch import ATTRIBUTES, Kind, Place

_CATEGORIES = ("redacted", "masked", "allowed", "ignored")
_BODY = "body."
COUNTS = tuple(f"redaction.{part}{name}.count" for part in ("", _BODY) for name in _CATEGORIES)
_KEYS = tuple(f"redaction.{part}{name}.keys" for part in ("", _BODY) for name in _CATEGORIES[:3])
Mask = npt.NDArray[np.bool_]


def summarized(
    clean: pa.RecordBatch, attributes: View, what: dict[str, Mask], named: Mask | None
) -> pa.RecordBatch:
    """The clean attribute table with the summary among it.

    ``what`` says for each category which of the attributes that came belong to it, ``named`` which of them
    may be told by their keys; None tells only counts.
    """
    parts = [_earlier(clean)]
    for category, chosen in what.items():
        for is_body in (False, True):
            rows = np.flatnonzero(
                chosen & ((attributes.table.column("place").to_numpy() == Place.BODY) == is_body)
            )
            if len(rows):
                name = f"redaction.{_BODY if is_body else ''}{category}"
                parts.append(_counts(attributes, rows, f"{name}.count"))
                if named is not None and category != "ignored" and not is_body:
                    parts.append(_names(attributes, rows[named[rows]], f"{name}.keys"))
    ours = pa.concat_tables(parts).group_by(["place", "owner", "key"], use_threads=False)
    added = ours.aggregate([("int", "sum"), ("string", "max")])
    if not added.num_rows:
        return clean
    return _merge(_without(clean, (*COUNTS, *_KEYS)), added)


def _earlier(clean: pa.RecordBatch) -> pa.Table:
    """The counts that an earlier collector wrote."""
    held = pc.is_in(clean.column("key").dictionary, pa.array(COUNTS)).take(clean.column("key").indices)
    rows = clean.filter(pc.and_(held, pc.equal(clean.column("kind"), int(Kind.INT))))
    return _part(
        rows.column("place"), rows.column("owner"), rows.column("key").cast(pa.string()), rows.column("int")
    )


def _part(
    place: pa.Array, owner: pa.Array, key: pa.Array, number: pa.Array, text: pa.Array | None = None
) -> pa.Table:
    text = pa.nulls(len(owner), pa.string()) if text is None else text
    return pa.table(
        {
            "place": place,
            "owner": owner,
            "key": key,
            "int": number.cast(pa.int64()),
            "string": text.cast(pa.string()),
        }
    )


def _counts(attributes: View, rows: npt.NDArray[np.int64], key: str) -> pa.Table:
    places, owners = _owners(attributes, rows)
    groups, counts = np.unique(np.stack([places, owners]), axis=1, return_counts=True)
    return _part(
        pa.array(groups[0].astype(np.uint8)),
        pa.array(groups[1].astype(np.int32)),
        pa.repeat(pa.scalar(key, pa.string()), len(counts)),
        pa.array(counts),
    )


def _names(attributes: View, rows: npt.NDArray[np.int64], key: str) -> pa.Table:
    places, owners = _owners(attributes, rows)
    keys = attributes.table.column("key").take(pa.array(rows)).cast(pa.string())
    table = pa.table({"place": places, "owner": owners.astype(np.int32), "name": keys})
    table = table.sort_by("name")
    grouped = table.group_by(["place", "owner"], use_threads=False).aggregate([("name", "list")])
    joined = pc.binary_join(grouped["name_list"].combine_chunks(), ",")
    return _part(
        grouped["place"].combine_chunks().cast(pa.uint8()),
        grouped["owner"].combine_chunks(),
        pa.repeat(pa.scalar(key, pa.string()), len(grouped)),
        pa.nulls(len(grouped), pa.int64()),
        joined,
    )


def _owners(
    attributes: View, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the summary of these attributes stands: with their owner; of a body, with its row."""
    places = attributes.table.column("place").to_numpy()[rows].astype(np.int64)
    return np.where(places == Place.BODY, Place.ROW, places), attributes.owners[rows].astype(np.int64)


def _without(table: pa.RecordBatch, keys: tuple[str, ...]) -> pa.RecordBatch:
    dropped = pc.is_in(table.column("key").dictionary, pa.array(keys)).take(table.column("key").indices)
    return table.filter(pc.invert(dropped))


def _merge(table: pa.RecordBatch, added: pa.Table) -> pa.RecordBatch:
    count = added.num_rows
    is_count = added["int_sum"].is_valid().to_numpy()
    columns = {
        "place": added["place"].combine_chunks(),
        "owner": added["owner"].combine_chunks(),
        "key": added["key"].combine_chunks().dictionary_encode(),
        "kind": pa.array(np.where(is_count, Kind.INT, Kind.STRING).astype(np.uint8)),
        "string": added["string_max"].combine_chunks(),
        "int": added["int_sum"].combine_chunks(),
        "double": pa.nulls(count, pa.float64()),
        "bytes": pa.nulls(count, pa.binary()),
    }
    addition = pa.RecordBatch.from_arrays(list(columns.values()), schema=ATTRIBUTES)
    return with_attributes(table, addition)
