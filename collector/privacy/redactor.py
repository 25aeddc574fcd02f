"""One policy over one tenant's batch: every attribute of every place, and every other column.

keys and columns → what is to be checked → one check of all distinct values → the clean tables
                                                                           → names, sizes, ledger
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.attributes import View, view, with_attributes
from agenttracer.collector.privacy.attribute_table import ATTRIBUTE, AttributeRedaction, Redacted, candidates
from agenttracer.collector.privacy.cardinality import TOO_MANY, Cardinality
from agenttracer.collector.privacy.column_policy import declared
from agenttracer.collector.privacy.columns import Lost, Tokens, columns_to_check, redact_columns
from agenttracer.collector.privacy.detectors import DEFAULTS, TABLE, Detectors
from agenttracer.collector.privacy.free_text import FreeText
from agenttracer.collector.privacy.kept_content import keep_content
from agenttracer.collector.privacy.ledger import (
    Changed,
    Line,
    changed_column,
    ledger_table,
    lines,
    together,
)
from agenttracer.collector.privacy.names import span_names
from agenttracer.collector.privacy.options import Content, PolicyOptions, Summary
from agenttracer.collector.privacy.outcomes import UNCHANGED, Change, Outcomes, Rule
from agenttracer.collector.privacy.policy import Policy
from agenttracer.collector.privacy.sanitizers import sanitizers
from agenttracer.collector.privacy.summary import summarized
from agenttracer.collector.privacy.values import MISSHAPEN, Checks
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.columns import TEXT
from agenttracer.schemas.content import INPUT, OUTPUT, content_role
from agenttracer.schemas.tables import DECODED, STORED

_SIZES = {INPUT: "InputBytes", OUTPUT: "OutputBytes"}
_TABLE_OF_PLACE = {Place.EVENT: "events", Place.LINK: "links", Place.EXEMPLAR: "exemplars"}


@dataclass(frozen=True, slots=True)
class Clean:
    """A redacted batch; the attributes as they came, what became of each of them, and what the columns lost;
    and the ledger's lines."""

    batch: Batch
    attributes: View
    redacted: Redacted
    lost: list[Lost]
    lines: list[Line]


class Redactor:
    """A policy with all that carries it out."""

    def __init__(
        self, options: PolicyOptions, cardinality: Cardinality, summary: Summary = Summary.SILENT
    ) -> None:
        self.policy = Policy(options)
        self._declared = {signal: declared(schemas, self.policy) for signal, schemas in STORED.items()}
        self.outcomes = Outcomes()
        self._cardinality = cardinality
        self._summary = summary
        # Ids look random. Where a key is known to hold one, that says nothing.
        enabled = [
            each
            for each in TABLE
            if each.name in (DEFAULTS if options.detectors is None else options.detectors)
        ]
        of_known_keys = [each.name for each in enabled if not each.free_text]
        detectors = Detectors([each.name for each in enabled], options.extra_detectors)
        self._checks = Checks(Detectors(of_known_keys, options.extra_detectors), detectors)
        self._free_text = FreeText(options, detectors)
        self._attributes = AttributeRedaction(
            self._free_text,
            sanitizers(options),
            self.outcomes,
            self.rule,
            every_type=options.redact_all_types,
        )

    def redact(self, batch: Batch, tenant: str, tokens: Tokens, time_unix_ns: int) -> Clean:
        """The batch with nothing private in it, in the columns that are stored."""
        declarations = self._declared[batch.signal]
        attributes = view(batch)
        found = candidates(attributes, self.policy)
        columns = columns_to_check(batch.tables, declarations)
        values = [(column.kind, column.encoded.dictionary) for column in columns]
        values += [(each.kind, each.distinct) for each in found.checked]
        verdicts = [
            self._cardinality.limit(tenant, kind, distinct, verdict)
            for (kind, distinct), verdict in zip(values, self._checks(values), strict=True)
        ]
        redacted = self._attributes(attributes, batch, found, verdicts[len(columns) :], tokens)
        tables = {"attributes": redacted.table}
        lost: list[Lost] = []
        for name, columns_of_table in declarations.items():
            if name in batch.tables:
                judged = {
                    column.name: (column, verdict)
                    for column, verdict in zip(columns, verdicts, strict=False)
                    if column.table == name
                }
                tables[name], of_table = redact_columns(
                    name, batch.tables[name], columns_of_table, judged, tokens, self._free_text
                )
                lost += of_table
        if self.policy.options.content is Content.ARTIFACT and batch.signal is not Signal.METRICS:
            dropped = redacted.outcomes == self.outcomes.number(Rule.CONTENT, ATTRIBUTE, Change.DROP)
            kept = keep_content(attributes, dropped, batch, tables["rows"], self._free_text, tenant)
            if kept is not None:
                moved = self.outcomes.number(Rule.CONTENT, ATTRIBUTE, Change.MOVE)
                redacted = replace(redacted, outcomes=np.where(kept.moved, moved, redacted.outcomes))
                tables["attributes"] = with_attributes(redacted.table, kept.references)
                tables["contents"] = kept.contents
        if self._summary is not Summary.SILENT:
            tables["attributes"] = self._summarized(tables["attributes"], attributes, redacted)
        clean = Batch(batch.signal, tables)
        rows = {
            "PolicyHash": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(batch.num_rows, np.int32)), pa.array([self.policy.hash])
            )
        }
        if batch.signal is Signal.TRACES:
            rows["SpanName"] = span_names(clean)
            lost = _with_renamed(lost, batch, rows["SpanName"])
            rows |= _content_sizes(batch, attributes, redacted)
        rows |= _losses(batch, attributes, redacted, lost)
        clean = clean.with_columns(**rows)
        entries = self._lines(clean, attributes, redacted, lost)
        ledger = ledger_table(entries, tenant, self.policy.hash, time_unix_ns)
        return Clean(clean.with_tables(ledger=ledger), attributes, redacted, lost, entries)

    def rule(self, verdict: int) -> str:
        """The rule that a verdict on a value stands for."""
        if verdict == MISSHAPEN:
            return Rule.SHAPE
        return Rule.CARDINALITY if verdict == TOO_MANY else self._checks.detector(verdict)

    def _summarized(self, clean: pa.RecordBatch, attributes: View, redacted: Redacted) -> pa.RecordBatch:
        dropped = [
            number
            for number in range(1, len(self.outcomes) + 1)
            if self.outcomes[number].change is Change.DROP
        ]
        gone = np.isin(redacted.outcomes, dropped)
        what = {
            "redacted": gone,
            "masked": (redacted.outcomes != UNCHANGED) & ~gone,
            "allowed": self._let_pass(attributes, redacted),
            "ignored": redacted.ignored,
        }
        named = None
        if self._summary is Summary.DEBUG:
            named = np.array(self.policy.tellable(attributes.keys), bool)[attributes.codes]
        return summarized(clean, attributes, what, named)

    def _let_pass(self, attributes: View, redacted: Redacted) -> npt.NDArray[np.bool_]:
        """Which values stay because an ``allowed_values`` expression says so."""
        stays = (redacted.outcomes == UNCHANGED) & (attributes.kinds == Kind.STRING) & ~redacted.ignored
        rows = np.flatnonzero(stays)
        stays[rows] = self._free_text.exempt(attributes.table.column("string").take(pa.array(rows)))
        return stays

    def _lines(self, clean: Batch, attributes: View, redacted: Redacted, lost: Sequence[Lost]) -> list[Line]:
        rows = np.flatnonzero(redacted.outcomes)
        parts = [
            Changed(
                attributes.table.column("place").to_numpy()[rows],
                attributes.owners[rows].astype(np.int64),
                redacted.outcomes[rows],
                redacted.bytes[rows],
            )
        ]
        for each in lost:
            rule = self.rule(each.rule) if isinstance(each.rule, int) else each.rule
            outcome = self.outcomes.number(rule, each.kind, each.change)
            parts.append(changed_column(clean, each.table, outcome, each.rows, each.bytes))
        changed = together(parts)
        return lines(clean, changed, self.outcomes) if len(changed.owners) else []


def _with_renamed(lost: Sequence[Lost], batch: Batch, names: pa.StringArray) -> list[Lost]:
    """A span's name is always made anew; it lost something where it became another."""
    before = batch.rows.column("SpanName")
    rows = np.flatnonzero(pc.not_equal(before, names).fill_null(False).to_numpy(zero_copy_only=False))
    others = [each for each in lost if each.column != "SpanName"]
    if not len(rows):
        return others
    sizes = pc.binary_length(before).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[rows]
    return [*others, Lost("rows", "SpanName", Rule.SPAN_NAME, TEXT, Change.DROP, rows, sizes)]


def _losses(batch: Batch, attributes: View, redacted: Redacted, lost: Sequence[Lost]) -> dict[str, pa.Array]:
    """How many attributes each row lost, and how many bytes: its own, its body's, its events' and links'."""
    count = np.zeros(batch.num_rows, np.int64)
    size = np.zeros(batch.num_rows, np.int64)
    sent = DECODED[batch.signal]["rows"].names
    for each in lost:
        # Other columns were made here, from attributes that are counted on their own.
        if each.table == "rows" and each.column in sent:
            size[each.rows] += each.bytes
    changed = redacted.outcomes != UNCHANGED
    for place in (Place.ROW, Place.BODY, Place.EVENT, Place.LINK, Place.EXEMPLAR):
        part = attributes.place(place)
        if part.stop == part.start or not changed[part].any():
            continue
        rows = _rows(batch, place, attributes.owners[part][changed[part]])
        count += np.bincount(rows, minlength=batch.num_rows)
        weights = redacted.bytes[part][changed[part]]
        size += np.bincount(rows, weights=weights, minlength=batch.num_rows).astype(np.int64)
    return {"RedactedCount": pa.array(count, pa.uint32()), "RedactedBytes": pa.array(size, pa.uint64())}


def _content_sizes(batch: Batch, attributes: View, redacted: Redacted) -> dict[str, pa.Array]:
    """How many bytes of content went into each step, and came out of it."""
    roles = [content_role(key) for key in attributes.keys]
    columns = {}
    for role, column in _SIZES.items():
        of_key = np.array([each == role for each in roles], bool)
        if not of_key.any():
            continue
        size = np.zeros(batch.num_rows, np.int64)
        for place in (Place.ROW, Place.EVENT):
            part = attributes.place(place)
            chosen = of_key[attributes.codes[part]]
            if chosen.any():
                rows = _rows(batch, place, attributes.owners[part][chosen])
                weights = redacted.bytes[part][chosen]
                size += np.bincount(rows, weights=weights, minlength=batch.num_rows).astype(np.int64)
        columns[column] = pa.array(size, pa.uint64())
    return columns


def _rows(batch: Batch, place: Place, owners: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The rows that the owners at a place belong to."""
    table = _TABLE_OF_PLACE.get(place)
    return owners if table is None else batch.tables[table].column("Owner").to_numpy()[owners]
