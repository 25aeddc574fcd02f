"""Redaction of the one attribute table: keys decide once each, distinct strings are checked once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, compact
from agenttracer.collector.decode.nested import render_nested
from agenttracer.collector.privacy.policy import Action, Policy
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.schemas.attributes import LABEL, LABELS, NAME, TOOL
from agenttracer.schemas.batch import ATTRIBUTES, Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import EventName

_NUMBERS = (Kind.BOOL, Kind.INT, Kind.DOUBLE)
_CLASSES = {Action.LABEL: LABEL, Action.NAME: NAME, Action.LABELS: LABELS, Action.TOOL: TOOL}
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Redacted:
    """The clean table, and of what was dropped or hashed: place, owner and size in bytes."""

    table: pa.RecordBatch
    places: npt.NDArray[np.uint8]
    owners: npt.NDArray[np.int32]
    bytes: npt.NDArray[np.int64]
    counts: Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The string rows that may stay: their rows, class by class, each distinct value once."""

    text: pa.StringArray
    actions: npt.NDArray[np.int8]
    rows: tuple[tuple[str, npt.NDArray[np.int64], pa.DictionaryArray], ...]


def candidates(attributes: View, policy: Policy) -> Candidates:
    """What is to be checked of the table, decided by the keys alone."""
    by_key = np.array([policy.action(key) for key in attributes.keys] or [Action.DROP], np.int8)
    actions = by_key[attributes.codes] if len(attributes.codes) else np.zeros(0, np.int8)
    text = attributes.table.column("string")
    listed = np.isin(attributes.kinds, (Kind.ARRAY, Kind.KVLIST)) & (actions == Action.LABELS)
    if listed.any():
        text = _rendered(attributes.table, text, listed)
    is_text = attributes.kinds == Kind.STRING
    rows = []
    for action, kind in _CLASSES.items():
        chosen = np.flatnonzero(
            (is_text | listed if action == Action.LABELS else is_text) & (actions == action)
        )
        if len(chosen):
            rows.append((kind, chosen, text.take(pa.array(chosen)).dictionary_encode()))
    return Candidates(text, actions, tuple(rows))


def redact_attributes(
    attributes: View,
    batch: Batch,
    found: Candidates,
    verdicts: Sequence[Mask],
    pseudonyms: Pseudonyms,
    tenant: str,
) -> Redacted:
    """Keep what the policy allows, hash who and which session, drop the rest."""
    table, text, actions = attributes.table, found.text, found.actions
    kinds = attributes.kinds
    # A user's or session's number tells as much as its name; only a hash may stay, and that is a string.
    keep = np.isin(kinds, _NUMBERS) & (actions != Action.DROP) & (actions != Action.HASH)
    keep |= (kinds == Kind.EMPTY) & (actions > Action.NUMBER)
    for (_, rows, encoded), passing in zip(found.rows, verdicts, strict=True):
        keep[rows] = passing[encoded.indices.to_numpy()]
    hashed = (kinds == Kind.STRING) & (actions == Action.HASH)
    keep |= hashed
    keep |= _artifact_bodies(batch, attributes)
    if hashed.any():
        encoded = text.filter(pa.array(hashed)).dictionary_encode()
        tokens = pseudonyms.tokens(encoded.dictionary, tenant).take(encoded.indices)
        text = pc.replace_with_mask(text, pa.array(hashed), tokens)
    columns = {name: table.column(name) for name in ATTRIBUTES.names} | {"string": text}
    clean = pa.RecordBatch.from_arrays(list(columns.values()), schema=ATTRIBUTES).filter(pa.array(keep))
    index = clean.schema.get_field_index("key")
    clean = clean.set_column(index, clean.schema.field(index), compact(clean.column(index)))
    lost = ~keep
    changed = np.flatnonzero(lost | hashed)
    counts = {
        ("not_allowed", "drop"): int((lost & (actions <= Action.NUMBER)).sum()),
        ("not_passing", "drop"): int((lost & (actions > Action.NUMBER)).sum()),
        ("identity", "hash"): int(hashed.sum()),
    }
    return Redacted(
        clean,
        table.column("place").to_numpy()[changed],
        attributes.owners[changed],
        _sizes(table)[changed],
        Counter({reason: count for reason, count in counts.items() if count}),
    )


def _rendered(table: pa.RecordBatch, text: pa.StringArray, listed: Mask) -> pa.StringArray:
    """The strings, with arrays and maps that may stay as JSON text among them."""
    rows = pa.array(np.flatnonzero(listed))
    rendered = render_nested(table.column("kind").take(rows), table.column("nested").take(rows))
    return pc.replace_with_mask(text, pa.array(listed), rendered)


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
