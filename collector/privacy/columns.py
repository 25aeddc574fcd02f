"""Redaction of everything that is not an attribute: each column's declaration says what it may hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import compact
from agenttracer.collector.privacy import values
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.schemas.columns import HASHED, ID, LABEL, NAME, SAFE, TOOL_NAME, content_class

_CHECKS = {LABEL: values.are_labels, NAME: values.are_names, TOOL_NAME: values.are_tool_names}


def redact_columns(
    table: pa.RecordBatch, schema: pa.Schema, pseudonyms: Pseudonyms, tenant: str
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """The table with only what its schema's declarations allow, and the bytes that each row lost.

    A column without a declaration is left out.
    """
    columns: dict[str, pa.Array] = {}
    lost = np.zeros(table.num_rows, np.int64)
    for field in schema:
        index = table.schema.get_field_index(field.name)
        if index < 0:
            continue
        column = table.column(index)
        kind = content_class(field)
        if kind in (SAFE, ID):
            columns[field.name] = compact(column) if pa.types.is_dictionary(column.type) else column
        elif kind in _CHECKS:
            columns[field.name], sizes = _checked(column, kind, pseudonyms, tenant)
            lost += sizes
        elif kind == HASHED:
            encoded = column.dictionary_encode()
            columns[field.name] = pseudonyms.tokens(encoded.dictionary, tenant).take(encoded.indices)
        else:
            columns[field.name] = _empty(table.num_rows)
            lost += _lengths(column)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), lost


def _checked(
    column: pa.StringArray, kind: str, pseudonyms: Pseudonyms, tenant: str
) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
    """Values that pass stay. A label that doesn't is emptied; a name becomes a hash, so that it still tells
    one thing from another."""
    encoded = column.dictionary_encode()
    distinct = encoded.dictionary
    passing = _CHECKS[kind](distinct)
    if pc.all(passing, min_count=0).as_py():
        return column, np.zeros(len(column), np.int64)
    instead = pseudonyms.tokens(pc.if_else(passing, "", distinct), tenant) if kind != LABEL else ""
    replaced = pc.if_else(passing, distinct, instead).take(encoded.indices)
    bad = pc.fill_null(pc.invert(passing).take(encoded.indices), False).to_numpy(zero_copy_only=False)
    return replaced, np.where(bad, _lengths(column), 0)


def _empty(rows: int) -> pa.StringArray:
    return pa.array([""], pa.string()).take(pa.array(np.zeros(rows, np.int8)))


def _lengths(column: pa.StringArray) -> npt.NDArray[np.int64]:
    return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
