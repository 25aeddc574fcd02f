"""What analysis needs, before and behind redaction, in the payloads captured from real frameworks.

    corpus = Corpus(pipelines)
    corpus.survivals("langgraph-openinference")     {"ToolName": [12, 12], "error.type": [3, 3]}   given, kept as given
    corpus.dropped()                                {"row gen_ai.tool.call.id": {"drop shape": 2}}

Values are compared and counted, never shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.explanation import dry_run
from agenttracer.collector.privacy.options import PolicyOptions
from agenttracer.schemas.attributes import ALLOWED, ALLOWED_PREFIXES, HASHED
from agenttracer.schemas.batch import Batch, Kind, Signal
from agenttracer.schemas.columns import HASHED as HASHED_COLUMN
from agenttracer.schemas.columns import ID, SAFE, TEXT, content_class
from agenttracer.schemas.tables import STORED
from tests.privacy.storing import Pipelines
from tests.processing import classify, decoded, normalize, process
from tests.running_collector import captures

NUMBERS = (Kind.BOOL, Kind.INT, Kind.DOUBLE)
LABELS = (
    "error.type", "exception.type", "gen_ai.response.finish_reasons", "gen_ai.response.id", "gen_ai.tool.call.id",
    "openinference.span.kind", "traceloop.span.kind", "langsmith.span.kind", "http.route", "gen_ai.token.type",
)  # fmt: skip
"""Attributes that tell what no column does."""
MADE_BY_REDACTION = ("PolicyHash", "RedactedCount", "RedactedBytes", "InputBytes", "OutputBytes")


@dataclass(frozen=True)
class Pair:
    """A dialect's payloads of one signal as one batch: classified, and redacted."""

    dialect: str
    before: Batch
    after: Batch

    def columns(self, *kinds: str) -> Iterator[tuple[str, str, pa.Array, pa.Array]]:
        """(table, column, given, kept) of the columns of these content classes."""
        for table, schema in STORED[self.before.signal].items():
            if table == "attributes" or table not in self.before.tables:
                continue
            given, kept = self.before.tables[table], self.after.tables[table]
            for field in schema:
                if content_class(field) in kinds and field.name in given.schema.names:
                    yield table, field.name, given.column(field.name), kept.column(field.name)


class Corpus:
    """Every capture, dialect by dialect."""

    def __init__(self, pipelines: Pipelines) -> None:
        bodies: dict[tuple[str, Signal], list[bytes]] = defaultdict(list)
        for signal, name, body in captures():
            bodies[dialect_of(name), signal].append(body)
        self.pairs = []
        for (dialect, signal), parts in sorted(bodies.items()):
            before = process(decoded(b"".join(parts), signal), normalize(), classify())
            self.pairs.append(Pair(dialect, before, pipelines.redaction.process(before)))

    @cached_property
    def survivals(self) -> dict[str, dict[str, list[int]]]:
        """Dialect → name or label → [given, kept as it was given]."""
        counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for pair in self.pairs:
            mine = counts[pair.dialect]
            for _, name, given, kept in pair.columns(*_KEPT_CLASSES):
                count = mine[name]
                count[0] += pc.sum(_is_given(given)).as_py() or 0
                count[1] += pc.sum(pc.and_(_is_given(given), _same(given, kept))).as_py() or 0
            for at, batch in enumerate((pair.before, pair.after)):
                for key, number in _keys(batch).items():
                    if key in LABELS:
                        mine[key][at] += number
        return {
            dialect: {name: count for name, count in sorted(mine.items()) if count[0]}
            for dialect, mine in sorted(counts.items())
        }

    def dropped(self) -> dict[str, dict[str, int]]:
        """What may stay and didn't: place and key, or column → action and rule → how often. Free text, which may
        not, is left out."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for pair in self.pairs:
            for effect in dry_run(PolicyOptions(), pair.before):
                is_column = effect.place.endswith("column")
                may_stay = effect.key not in _TEXTS if is_column else _is_allowed(effect.key)
                if effect.action != "keep" and may_stay:
                    found[f"{effect.place} {effect.key}"][f"{effect.action} {effect.rule}"] += effect.count
        return {key: dict(sorted(rules.items())) for key, rules in sorted(found.items())}

    def numbers(self) -> dict[str, list[int]]:
        """Key → [given, kept] of the numbers and booleans that redaction dropped any of."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for pair in self.pairs:
            for at, batch in enumerate((pair.before, pair.after)):
                for key, number in _keys(batch, NUMBERS).items():
                    counts[key][at] += number
        return {key: count for key, count in sorted(counts.items()) if count[0] != count[1]}


def dialect_of(capture: str) -> str:
    """Framework and dialect, of a capture's name."""
    return "-".join(capture.partition(".")[0].split("-")[:2])


_ALL_CLASSES = {
    content_class(field)
    for schemas in STORED.values()
    for table, schema in schemas.items()
    if table != "attributes"
    for field in schema
}
_KEPT_CLASSES = tuple(sorted(_ALL_CLASSES - {SAFE, ID, TEXT, HASHED_COLUMN}))
_TEXTS = {
    field.name
    for schemas in STORED.values()
    for table, schema in schemas.items()
    if table != "attributes"
    for field in schema
    if content_class(field) == TEXT
}


def _is_allowed(key: str) -> bool:
    return ALLOWED.get(key, HASHED) != HASHED or key.startswith(tuple(ALLOWED_PREFIXES))


def _keys(batch: Batch, kinds: Sequence[int] = tuple(Kind)) -> dict[str, int]:
    """How often each key stands in a batch, with a value of these kinds."""
    chosen = batch.attributes.filter(pc.is_in(batch.attributes.column("kind"), pa.array(kinds, pa.uint8())))
    return {
        each["values"]: each["counts"]
        for each in pc.value_counts(chosen.column("key").cast(pa.string())).to_pylist()
    }


def _is_given(column: pa.Array) -> pa.BooleanArray:
    return pc.fill_null(pc.not_equal(column, ""), False)


def _same(given: pa.Array, kept: pa.Array) -> pa.BooleanArray:
    return pc.fill_null(pc.equal(given, kept), False)
