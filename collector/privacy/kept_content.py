"""Content that an operator keeps on purpose (``content: artifact``): masked, and moved out of the rows.

    span 7:  gen_ai.input.messages = "..."   ─┬─▶ contents:  acme/support/run-1/4f…/content-input.json
             gen_ai.prompt.0.content = "..." ─┘              {"gen_ai.input.messages": "...", ...}
                                             └─▶ span 7:  gen_ai.input.messages_ref = that key

One object a row and role. The rows keep a reference; the artifacts exporter stores the objects.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View
from agenttracer.collector.privacy.attribute_changes import IS_TEXT, NESTED, Changes
from agenttracer.collector.privacy.free_text import FreeText
from agenttracer.collector.string_views import StringViews
from agenttracer.schemas.artifact_key import key_part
from agenttracer.schemas.batch import ATTRIBUTES, Batch, Kind, Place
from agenttracer.schemas.content import INPUT, OUTPUT, REFERENCES, content_role
from agenttracer.schemas.contents import CONTENT_PREFIX, CONTENTS

_ROLES = tuple(REFERENCES)
_NO_ROLE = -1
_NUMBERS: dict[str | None, int] = {role: number for number, role in enumerate(_ROLES)}
_BODY = "body"
_GEN_AI_EVENTS = r"^gen_ai\."
_ANSWERS = pa.array(["gen_ai.choice", "gen_ai.assistant.message"])
_UUID_BYTES = 16
# What JSON must not hold as it is.
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_CONTROL = r"[\x00-\x1F]"


@dataclass(frozen=True, slots=True)
class Kept:
    """The objects, the attributes that point at them, and which attributes they are made of."""

    contents: pa.RecordBatch
    references: pa.RecordBatch
    moved: npt.NDArray[np.bool_]


def keep_content(
    attributes: View,
    dropped: npt.NDArray[np.bool_],
    batch: Batch,
    clean_rows: pa.RecordBatch,
    free_text: FreeText,
    tenant: str,
) -> Kept | None:
    """The content among a batch's dropped attributes as objects; None if there is none."""
    roles, owners = _roles(attributes, batch)
    moved = dropped & (roles != _NO_ROLE) & IS_TEXT[attributes.kinds]
    if not moved.any():
        return None
    rows = np.flatnonzero(moved)
    # Objects one after the other, and in each its parts in the order that they came in.
    rows = rows[np.lexsort((rows, roles[rows], owners[rows]))]
    group, starts = np.unique(owners[rows] * len(_ROLES) + roles[rows], return_index=True)
    parts = _parts(attributes, rows, free_text)
    objects = pc.binary_join(pa.ListArray.from_arrays(pa.array([*starts, len(rows)], pa.int32()), parts), ",")
    braces = (
        pa.repeat(pa.scalar("{", pa.string()), len(group)),
        pa.repeat(pa.scalar("}", pa.string()), len(group)),
    )
    of_row, of_role = group // len(_ROLES), group % len(_ROLES)
    keys = _keys(clean_rows, of_row, of_role, tenant)
    contents = pa.RecordBatch.from_arrays(
        [keys, pc.binary_join_element_wise(braces[0], objects, braces[1], "")], schema=CONTENTS
    )
    return Kept(contents, _references(of_row, of_role, keys), moved)


def _roles(attributes: View, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The role of each attribute's content, and the row that it belongs to."""
    of_key = [content_role(key) for key in attributes.keys]
    numbers = np.array([_NUMBERS.get(role, _NO_ROLE) for role in of_key] or [_NO_ROLE], np.int64)
    roles = numbers[attributes.codes] if len(attributes.codes) else np.zeros(0, np.int64)
    owners = attributes.owners.astype(np.int64)
    for place in Place:
        part = attributes.place(place)
        if place is Place.EVENT and "events" in batch.tables:
            owners[part] = batch.tables["events"].column("Owner").to_numpy()[owners[part]]
        elif place is Place.BODY and part.stop > part.start:
            roles[part] = _role_of_events(batch)[owners[part]]
        elif place is not Place.ROW:
            roles[part] = _NO_ROLE
    return roles, owners


def _role_of_events(batch: Batch) -> npt.NDArray[np.int64]:
    """The role of each log record's body: that of a GenAI event, which says in its name who speaks."""
    names = batch.rows.column("EventName")
    is_gen_ai = pc.fill_null(pc.match_substring_regex(names, _GEN_AI_EVENTS), False)
    answers = pc.fill_null(pc.is_in(names, _ANSWERS), False)
    roles = pc.if_else(answers, _ROLES.index(OUTPUT), _ROLES.index(INPUT))
    return pc.if_else(is_gen_ai, roles, _NO_ROLE).to_numpy(zero_copy_only=False).astype(np.int64)


def _parts(attributes: View, rows: npt.NDArray[np.int64], free_text: FreeText) -> pa.StringArray:
    """``"key":"text"`` of each attribute, the text masked."""
    changes = Changes(attributes)
    listed = np.isin(attributes.kinds[rows], NESTED)
    if listed.any():
        changes.render(rows[listed])
    distinct, numbers = free_text.encode(changes.views(rows).filled())
    texts = _quoted(free_text.clean(distinct).texts()).take(pa.array(numbers))
    # A key may be made of content, too: the name of a variable, say.
    names = pa.array([key or _BODY for key in attributes.keys], pa.string())
    keys = free_text.clean(StringViews.of(names)).texts()
    return pc.binary_join_element_wise(_quoted(keys).take(pa.array(attributes.codes[rows])), texts, ":")


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    for raw, escaped in _ESCAPES:
        texts = pc.replace_substring(texts, raw, escaped)
    texts = pc.replace_substring_regex(texts, _CONTROL, " ")
    quotes = pa.repeat(pa.scalar('"', pa.string()), len(texts))
    return pc.binary_join_element_wise(quotes, texts, quotes, "")


def _keys(
    clean_rows: pa.RecordBatch, of_row: npt.NDArray[np.int64], of_role: npt.NDArray[np.int64], tenant: str
) -> pa.StringArray:
    count = len(of_row)
    digits = os.urandom(_UUID_BYTES * count).hex()
    # Cut in one go: the texts of an array are its bytes and where each of them ends.
    offsets = np.arange(count + 1, dtype=np.int32) * _UUID_BYTES * 2
    unique = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(digits.encode()))
    names = pa.array([f"{CONTENT_PREFIX}{role}.json" for role in _ROLES]).take(pa.array(of_role))
    rows = clean_rows.take(pa.array(of_row))
    owner = pa.repeat(pa.scalar(key_part(tenant), pa.string()), count)
    return pc.binary_join_element_wise(
        owner, _part_of(rows, "AgentName"), _part_of(rows, "RunId"), unique, names, "/"
    )


def _part_of(rows: pa.RecordBatch, name: str) -> pa.StringArray:
    index = rows.schema.get_field_index(name)
    column = rows.column(index) if index >= 0 else pa.nulls(rows.num_rows, pa.string())
    encoded = column.cast(pa.string()).fill_null("").dictionary_encode()
    return pa.array([key_part(value) for value in encoded.dictionary.to_pylist()], pa.string()).take(
        encoded.indices
    )


def _references(
    of_row: npt.NDArray[np.int64], of_role: npt.NDArray[np.int64], keys: pa.StringArray
) -> pa.RecordBatch:
    count = len(of_row)
    names = pa.DictionaryArray.from_arrays(
        pa.array(of_role.astype(np.int32)), pa.array([REFERENCES[role] for role in _ROLES])
    )
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.full(count, Place.ROW, np.uint8)),
            pa.array(of_row.astype(np.int32)),
            names,
            pa.array(np.full(count, Kind.STRING, np.uint8)),
            keys,
            pa.nulls(count, pa.int64()),
            pa.nulls(count, pa.float64()),
            pa.nulls(count, pa.binary()),
        ],
        schema=ATTRIBUTES,
    )
