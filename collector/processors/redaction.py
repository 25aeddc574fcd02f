"""Takes out everything private, before the first byte reaches a disk.

    processors:
      redaction:
        key_file: ./data/keys/redaction.key
        allowed_keys: [my.note]
        overrides:
          - tenants: [acme]
            mode: labels

Fail closed: what no rule allows is dropped, and counted. It goes over everything that an OTLP payload can
carry: the one attribute table holds every attribute of every place, and every other column says in its
declaration (``schemas/``) what it may hold. The options are in ``privacy/options.py``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.component import Context, Processor
from agenttracer.collector.erasure.rows import without
from agenttracer.collector.privacy.cardinality import Cardinality
from agenttracer.collector.privacy.key_file import read_or_make_keys
from agenttracer.collector.privacy.ledger import Line
from agenttracer.collector.privacy.options import Content, Override, RedactionOptions
from agenttracer.collector.privacy.pseudonyms import Pseudonyms
from agenttracer.collector.privacy.redactor import Redactor
from agenttracer.schemas.batch import Batch, Signal

__all__ = ["Redaction", "RedactionOptions"]

_log = logging.getLogger(__name__)
_MAX_SERVICES = 200
_OTHER_SERVICES = "other"


class Redaction(Processor[RedactionOptions]):
    """The policy of each tenant and agent over their rows."""

    options_type = RedactionOptions

    def __init__(self, options: RedactionOptions, context: Context) -> None:
        super().__init__(options, context)
        cardinality = Cardinality(options.max_names)
        self._default = Redactor(options.policy_for(None), cardinality, options.summary)
        self._overrides = [
            (override, Redactor(options.policy_for(override), cardinality, options.summary))
            for override in options.overrides
        ]
        self._pseudonyms: Pseudonyms | None = None
        self._services: set[str] = set()

    @classmethod
    def needs_exporter(cls, options: RedactionOptions, signal: Signal) -> str | None:
        keeps_content = Content.ARTIFACT in (options.content, *(each.content for each in options.overrides))
        return "artifacts" if keeps_content and signal is not Signal.METRICS else None

    async def start(self) -> None:
        self._pseudonyms = Pseudonyms(await asyncio.to_thread(read_or_make_keys, self.options.key_file))
        if self.options.allow_all_keys or any(override.allow_all_keys for override in self.options.overrides):
            _log.warning(
                "%s: allow_all_keys stores the text of every attribute; only what detectors and "
                "blocked_values find is masked",
                self.context.id,
            )

    def process(self, batch: Batch) -> Batch:
        assert self._pseudonyms is not None, "started"
        tenant = batch.tables["resources"].column("TenantId")[0].as_py()
        tokens = self._pseudonyms.for_tenant(tenant)
        now = time.time_ns()
        parts = []
        for redactor, part in self._by_policy(batch, tenant):
            clean = redactor.redact(part, tenant, tokens, now)
            self._count(clean.lines)
            parts.append(clean.batch)
        return parts[0] if len(parts) == 1 else unpack([pack(part) for part in parts])

    def _by_policy(self, batch: Batch, tenant: str) -> list[tuple[Redactor, Batch]]:
        """The rows of each policy; most batches have one."""
        rest = np.ones(batch.num_rows, bool)
        parts: list[tuple[Redactor, Batch]] = []
        for override, redactor in self._overrides:
            if override.tenants and tenant not in override.tenants:
                continue
            chosen = rest & _of_agents(batch, override)
            if chosen.all():
                return [(redactor, batch)]
            if chosen.any():
                parts.append((redactor, without(batch, ~chosen)))
                rest &= ~chosen
        if not parts:
            return [(self._default, batch)]
        return [*parts, (self._default, without(batch, ~rest))] if rest.any() else parts

    def _count(self, lines: Sequence[Line]) -> None:
        telemetry = self.context.telemetry
        for line in lines:
            outcome = line.outcome
            # ``class`` is a word of Python, not of the label.
            labels = {"rule": outcome.rule, "class": outcome.kind, "action": outcome.change.value}
            telemetry.add("agent_redactions_total", line.count, **labels)
            if outcome.violates:
                telemetry.add(
                    "agent_policy_violations_total", line.count, service=self._service(line.service)
                )

    def _service(self, name: str) -> str:
        """A service's name as a label: a client must not make series without end."""
        if name not in self._services:
            if len(self._services) >= _MAX_SERVICES:
                return _OTHER_SERVICES
            self._services.add(name)
        return name


def _of_agents(batch: Batch, override: Override) -> npt.NDArray[np.bool_]:
    """Which rows an override is for, as far as agents go."""
    if not override.agents:
        return np.ones(batch.num_rows, bool)
    index = batch.rows.schema.get_field_index("AgentName")
    if index < 0:
        return np.zeros(batch.num_rows, bool)
    agents = batch.rows.column(index)
    return np.isin(agents.to_numpy(zero_copy_only=False).astype(object), list(override.agents))
