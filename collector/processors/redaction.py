"""Takes out everything private, before the first byte reaches a disk.

    processors:
      redaction:
        key_file: ./data/keys/redaction.key
        allowed_keys: [my.team]

Fail closed: what no rule allows is dropped, and counted. It goes over everything that an OTLP payload can
carry: the one attribute table holds every attribute of every place, and every other column says in its
declaration (``schemas/``) what it may hold.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from agenttracer.collector.attributes import view
from agenttracer.collector.component import Context, Options, Processor
from agenttracer.collector.privacy.attribute_table import Redacted, candidates, redact_attributes
from agenttracer.collector.privacy.columns import columns_to_check, redact_columns
from agenttracer.collector.privacy.names import span_names
from agenttracer.collector.privacy.policy import Policy
from agenttracer.collector.privacy.pseudonyms import Pseudonyms, read_or_make_key
from agenttracer.collector.privacy.values import Checks
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.tables import STORED


class RedactionOptions(Options):
    """Options of ``redaction``."""

    key_file: Path = Field(
        default=Path("./data/keys/redaction.key"),
        description="Key for the hashes of users and sessions, made on first use; deleting it makes them unlinkable.",
    )
    allowed_keys: tuple[str, ...] = Field(
        default=(),
        description="Attribute keys allowed besides the built-in ones, when their values pass as labels.",
    )
    blocked_key_patterns: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions; an attribute whose key matches is dropped, whatever else allows it.",
    )

    @field_validator("blocked_key_patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        Policy(blocked_keys=patterns)
        return patterns


class Redaction(Processor[RedactionOptions]):
    """The default policy over a whole batch."""

    options_type = RedactionOptions

    def __init__(self, options: RedactionOptions, context: Context) -> None:
        super().__init__(options, context)
        self._policy = Policy(allowed_keys=options.allowed_keys, blocked_keys=options.blocked_key_patterns)
        self._checks = Checks()
        self._pseudonyms: Pseudonyms | None = None

    async def start(self) -> None:
        self._pseudonyms = Pseudonyms(await asyncio.to_thread(read_or_make_key, self.options.key_file))

    def process(self, batch: Batch) -> Batch:
        assert self._pseudonyms is not None, "started"
        tenant = batch.tables["resources"].column("TenantId")[0].as_py()
        schemas = STORED[batch.signal]
        attributes = view(batch)
        found = candidates(attributes, self._policy)
        columns = columns_to_check(batch.tables, schemas)
        verdicts = self._checks(
            [(column.kind, column.encoded.dictionary) for column in columns]
            + [(kind, encoded.dictionary) for kind, _, encoded in found.rows]
        )
        redacted = redact_attributes(
            attributes, batch, found, verdicts[len(columns) :], self._pseudonyms, tenant
        )
        tables = {"attributes": redacted.table}
        lost = {}
        for name, schema in schemas.items():
            if name != "attributes":
                judged = {
                    column.name: (column, verdict)
                    for column, verdict in zip(columns, verdicts, strict=False)
                    if column.table == name
                }
                tables[name], lost[name] = redact_columns(
                    batch.tables[name], schema, judged, self._pseudonyms, tenant
                )
        clean = Batch(batch.signal, tables)
        rows = {
            "PolicyHash": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(batch.num_rows, np.int32)), pa.array([self._policy.hash])
            ),
            **_summary(batch, redacted, lost["rows"]),
        }
        if batch.signal is Signal.TRACES:
            rows["SpanName"] = span_names(clean)
        self._count(redacted)
        return clean.with_columns(**rows)

    def _count(self, redacted: Redacted) -> None:
        for (rule, action), count in redacted.counts.items():
            # ``class`` is a word of Python, not of the label.
            self.context.telemetry.add(
                "agent_redactions_total", count, **{"rule": rule, "class": "attribute", "action": action}
            )


def _summary(batch: Batch, redacted: Redacted, own_bytes: np.ndarray) -> dict[str, pa.Array]:
    """How many values each row lost, and their size: its own, its body's, and its events' and links'."""
    count = np.zeros(batch.num_rows, np.int64)
    size = own_bytes.astype(np.int64)
    for place, table in (
        (Place.ROW, None),
        (Place.BODY, None),
        (Place.EVENT, "events"),
        (Place.LINK, "links"),
        (Place.EXEMPLAR, "exemplars"),
    ):
        chosen = redacted.places == place
        owners = redacted.owners[chosen]
        if not len(owners):
            continue
        rows = owners if table is None else batch.tables[table].column("Owner").to_numpy()[owners]
        count += np.bincount(rows, minlength=batch.num_rows)
        size += np.bincount(rows, weights=redacted.bytes[chosen], minlength=batch.num_rows).astype(np.int64)
    return {"RedactedCount": pa.array(count, pa.uint32()), "RedactedBytes": pa.array(size, pa.uint64())}
