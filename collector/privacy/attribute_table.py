"""Redaction of the one attribute table: keys decide once each, distinct strings are checked once each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, compact
from agenttracer.collector.decode.nested import render_nested
from agenttracer.collector.privacy import values
from agenttracer.collector.privacy.policy import Action, Policy
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.schemas.batch import ATTRIBUTES, Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import EventName

_NUMBERS = (Kind.BOOL, Kind.INT, Kind.DOUBLE)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Redacted:
    """The clean table, and of what was dropped or hashed: place, owner and size in bytes."""

    table: pa.RecordBatch
    places: npt.NDArray[np.uint8]
    owners: npt.NDArray[np.int32]
    bytes: npt.NDArray[np.int64]
    counts: Counter[tuple[str, str]]


def redact_attributes(
    attributes: View, batch: Batch, policy: Policy, pseudonyms: Pseudonyms, tenant: str
) -> Redacted:
    """Keep what the policy allows, hash who and which session, drop the rest."""
    table = attributes.table
    by_key = np.array([policy.action(key) for key in attributes.keys] or [Action.DROP], np.int8)
    actions = by_key[attributes.codes] if len(attributes.codes) else np.zeros(0, np.int8)
    kinds = attributes.kinds
    places = table.column("place").to_numpy()

    keep = np.isin(kinds, _NUMBERS) & (actions != Action.DROP)
    keep |= (kinds == Kind.EMPTY) & (actions > Action.NUMBER)
    # A user's or session's number is as telling as its name; only its hash may stay, and that is a string.
    numbered = keep & (actions == Action.HASH)
    keep &= ~numbered
    text = table.column("string")
    is_text = (kinds == Kind.STRING) & (actions > Action.NUMBER)
    keep |= _passing(text, is_text, actions)
    listed = np.isin(kinds, (Kind.ARRAY, Kind.KVLIST)) & (actions == Action.LABELS)
    if listed.any():
        text, passing = _lists(table, text, listed)
        keep |= passing
    hashed = keep & (actions == Action.HASH)
    artifact = _artifact_bodies(batch, attributes)
    keep |= artifact

    lost = ~keep
    sizes = _sizes(table) if (lost | hashed).any() else np.zeros(len(keep), np.int64)
    if hashed.any():
        encoded = text.filter(pa.array(hashed)).dictionary_encode()
        text = pc.replace_with_mask(
            text, pa.array(hashed), pseudonyms.tokens(encoded.dictionary, tenant).take(encoded.indices)
        )
    kept = pa.array(np.flatnonzero(keep))
    columns = {name: table.column(name) for name in ATTRIBUTES.names} | {"string": text}
    clean = pa.RecordBatch.from_arrays([column.take(kept) for column in columns.values()], schema=ATTRIBUTES)
    index = clean.schema.get_field_index("key")
    clean = clean.set_column(index, clean.schema.field(index), compact(clean.column(index)))
    changed = lost | hashed
    counts = Counter(
        {
            ("not_allowed", "drop"): int((lost & (actions <= Action.NUMBER)).sum()),
            ("not_passing", "drop"): int((lost & (actions > Action.NUMBER)).sum()),
            ("identity", "hash"): int(hashed.sum()),
        }
    )
    return Redacted(
        clean,
        places[changed],
        attributes.owners[changed],
        sizes[changed],
        Counter({k: v for k, v in counts.items() if v}),
    )


def _passing(text: pa.StringArray, is_text: Mask, actions: npt.NDArray[np.int8]) -> Mask:
    """Which of the string rows hold what their key's class allows."""
    passing = np.zeros(len(is_text), bool)
    rows = np.flatnonzero(is_text)
    if not len(rows):
        return passing
    encoded = text.take(pa.array(rows)).dictionary_encode()
    codes = encoded.indices.to_numpy()
    wanted = actions[rows]
    ok = wanted == Action.HASH
    for action, check in (
        (Action.LABEL, values.are_labels),
        (Action.NAME, values.are_names),
        (Action.LABELS, values.are_label_lists),
        (Action.TOOL, values.are_tool_names),
    ):
        of_class = wanted == action
        if of_class.any():
            passes = check(encoded.dictionary).to_numpy(zero_copy_only=False)
            ok |= of_class & passes[codes]
    passing[rows] = ok
    return passing


def _lists(table: pa.RecordBatch, text: pa.StringArray, listed: Mask) -> tuple[pa.StringArray, Mask]:
    """Arrays of labels become JSON text; which of them pass."""
    rows = pa.array(np.flatnonzero(listed))
    rendered = render_nested(table.column("kind").take(rows), table.column("nested").take(rows))
    passing = np.zeros(len(listed), bool)
    passing[listed] = values.are_label_lists(rendered).to_numpy(zero_copy_only=False)
    return pc.replace_with_mask(text, pa.array(listed), rendered), passing


def _artifact_bodies(batch: Batch, attributes: View) -> Mask:
    """The bodies that are artifacts: content that an agent recorded on purpose, on its way to their store."""
    chosen = np.zeros(len(attributes.kinds), bool)
    part = attributes.place(Place.BODY)
    if batch.signal is Signal.LOGS and part.stop > part.start:
        is_artifact = pc.equal(batch.rows.column("EventName"), EventName.ARTIFACT.value).to_numpy(
            zero_copy_only=False
        )
        whole = np.isin(attributes.kinds[part], (Kind.STRING, Kind.BYTES))
        chosen[part] = is_artifact[attributes.owners[part]] & whole
    return chosen


def _sizes(table: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Bytes of every value: of strings and bytes their length, of nested ones that of their elements."""
    sizes = np.zeros(table.num_rows, np.int64)
    for name in ("string", "bytes"):
        column = table.column(name)
        if column.null_count < len(column):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    nested = table.column("nested")
    if nested.null_count < len(nested):
        ends = np.concatenate(
            [[0], np.cumsum(pc.binary_length(nested.flatten()).to_numpy(zero_copy_only=False))]
        )
        lengths = pc.fill_null(pc.list_value_length(nested), 0).to_numpy(zero_copy_only=False)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        sizes += (ends[bounds[1:]] - ends[bounds[:-1]]).astype(np.int64)
    return sizes
