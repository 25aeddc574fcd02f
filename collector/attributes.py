"""Vectorised access to a batch's one attribute table: find values by key, one call for many keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.distinct_values import of_each, words
from agenttracer.schemas.batch import Batch, Kind, Place

PLACES = np.arange(len(Place) + 1, dtype=np.uint8)
"""Of the column's own type: to search with any other would make a copy of the column."""

Index = npt.NDArray[np.int64]
"""For each owner the row of the attribute table that holds its value, -1 for none."""


@dataclass(frozen=True, slots=True)
class View:
    """The attribute table with its key codes and kinds at hand; the codes are as wide as numpy's own indices,
    since tables are looked up by them again and again."""

    table: pa.RecordBatch
    keys: list[str]
    codes: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    bounds: npt.NDArray[np.int64]

    def place(self, place: Place) -> slice:
        """The rows of the table that belong to a place."""
        return slice(int(self.bounds[place]), int(self.bounds[place + 1]))


def view(batch: Batch) -> View:
    """A batch's attributes, ready to be searched."""
    table = batch.attributes
    key = table.column("key")
    places = table.column("place").to_numpy()
    return View(
        table,
        key.dictionary.to_pylist(),
        key.indices.to_numpy().astype(np.int64),
        table.column("owner").to_numpy(),
        table.column("kind").to_numpy(),
        np.searchsorted(places, PLACES),
    )


def find(attributes: View, place: Place, owners: int, slots: Mapping[str, Sequence[str]]) -> dict[str, Index]:
    """Where each slot's value stands for each of ``owners`` owners: the first of the slot's keys that the
    owner has. Slots none of whose keys occur are missing from the answer. No key may stand in two slots."""
    code_of = {key: code for code, key in enumerate(attributes.keys)}
    found = [
        (slot, [(rank, code_of[key]) for rank, key in enumerate(keys) if key in code_of])
        for slot, keys in slots.items()
    ]
    found = [(slot, ranked) for slot, ranked in found if ranked]
    if not found:
        return {}
    slot_of_code = np.full(len(attributes.keys), -1, np.int32)
    rank_of_code = np.zeros(len(attributes.keys), np.int16)  # so narrow, they are sorted by radix
    for number, (_, ranked) in enumerate(found):
        for rank, code in ranked:
            slot_of_code[code] = number
            rank_of_code[code] = rank
    part = attributes.place(place)
    codes = attributes.codes[part]
    rows = np.flatnonzero((slot_of_code >= 0).take(codes))
    if not len(rows):
        return {}
    codes = codes[rows]
    # The last write wins, so the first choice is written last.
    order = np.argsort(-rank_of_code[codes], kind="stable")
    rows, codes = rows[order], codes[order]
    index = np.full((len(found), owners), -1, np.int64)
    index[slot_of_code[codes], attributes.owners[part][rows]] = rows + part.start
    return {slot: index[number] for number, (slot, _) in enumerate(found) if (index[number] >= 0).any()}


def strings(attributes: View, index: Index) -> pa.StringArray:
    """The string values at an index, null where there is none or it is no string."""
    return attributes.table.column("string").take(_indices(index))


def integers(attributes: View, index: Index) -> pa.Int64Array:
    """The whole-number values at an index; doubles are cut, anything else is null."""
    indices = _indices(index)
    whole = attributes.table.column("int").take(indices)
    doubles = attributes.table.column("double")
    if doubles.null_count == len(doubles):
        return whole
    cut = pc.cast(pc.trunc(doubles.take(indices)), pa.int64(), safe=False)
    return pc.coalesce(whole, cut)


def has_kind(attributes: View, index: Index, kind: Kind) -> npt.NDArray[np.bool_]:
    """Whether the value at an index is of a kind."""
    return (index >= 0) & (attributes.kinds[np.maximum(index, 0)] == kind)


def _indices(index: Index) -> pa.Int64Array:
    return pa.array(index, mask=index < 0)


def map_values(values: pa.Array, table: Mapping[str, str], default: str | None = None) -> pa.StringArray:
    """Strings put through a table, once for each distinct value; what the table lacks becomes ``default``
    (None: null)."""

    def mapped(distinct: pa.StringArray) -> pa.StringArray:
        found = words(distinct, table)
        return found if default is None else found.fill_null(default)

    return of_each(values, mapped)


def compact(dictionary: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same values, the dictionary without entries that none of them uses: an entry that was dropped
    from the rows must not travel on in the dictionary."""
    count = len(dictionary.dictionary)
    held = None
    codes = dictionary.indices.to_numpy(zero_copy_only=False)
    if dictionary.null_count:
        held = ~np.isnan(codes)
        codes = np.where(held, codes, 0).astype(np.int64)
    used = np.zeros(count, bool)
    used[codes if held is None else codes[held]] = True
    if used.all():
        return dictionary
    new_code = (np.cumsum(used) - 1).astype(np.int32)
    new_codes = new_code[codes] if count else np.zeros(len(codes), np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(new_codes, mask=None if held is None else ~held),
        dictionary.dictionary.filter(pa.array(used)),
    )


def with_attributes(table: pa.RecordBatch, added: pa.RecordBatch) -> pa.RecordBatch:
    """Both together, sorted by place and owner as before."""
    both = pa.Table.from_batches([table, added]).unify_dictionaries().combine_chunks().to_batches()[0]
    merged = both.take(pc.sort_indices(both, sort_keys=[("place", "ascending"), ("owner", "ascending")]))
    index = merged.schema.get_field_index("key")
    return merged.set_column(index, merged.schema.field(index), compact(merged.column(index)))
