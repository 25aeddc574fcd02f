"""The labelled captures: what was sent, what truly happened, and which of it that telemetry shows at all.

tests/golden/captures/manifest.json    name → scenario, truth, observable
tests/golden/captures/<name>.pb        the trace request; .logs.pb and .metrics.pb beside it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttracer.schemas.batch import Batch, Signal
from tests.processing import classify, decoded, normalize, process

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"


@dataclass(frozen=True, slots=True)
class Capture:
    """One scenario run under one framework and dialect. Counts and failures are None where nobody knows."""

    name: str
    scenario: str
    counts: Mapping[str, int | None]
    failures: frozenset[tuple[str, str]] | None
    observable: Mapping[str, bool | None]

    @property
    def dialect(self) -> str:
        """Who made the spans: ``langgraph-openinference``, ``crewai-native``."""
        return "-".join(self.name.split("-")[:2])

    def rows(self, signal: Signal = Signal.TRACES) -> list[dict[str, Any]]:
        """The rows as classified, before redaction; none if the capture lacks the signal."""
        path = self.path(signal)
        if not path.exists():
            return []
        batch = process(self.decoded(signal), normalize(), classify())
        scopes = batch.tables["scopes"].column("ScopeName").to_pylist()
        return [{**row, "ScopeName": scopes[row["Scope"]]} for row in batch.rows.to_pylist()]

    def decoded(self, signal: Signal = Signal.TRACES) -> Batch:
        return decoded(self.path(signal).read_bytes(), signal)

    def path(self, signal: Signal = Signal.TRACES) -> Path:
        suffix = "" if signal is Signal.TRACES else f".{signal}"
        return CAPTURES / f"{self.name}{suffix}.pb"


def captures() -> list[Capture]:
    """All of them, by name."""
    manifest = json.loads((CAPTURES / "manifest.json").read_text())
    return [_capture(name, entry) for name, entry in sorted(manifest.items())]


def _capture(name: str, entry: Mapping[str, Any]) -> Capture:
    truth, observable = entry["truth"], entry["observable"]
    failures = truth["failures"]
    return Capture(
        name,
        entry["scenario"],
        {"model": truth["llm_calls"], "tool": truth["tool_calls"], "retrieve": truth["retrievals"]},
        None if failures is None else frozenset((kind, code) for kind, code in failures),
        {
            "model": observable["llm"],
            "tool": observable["tool"],
            "retrieve": observable["retrieve"],
            "failures": observable["failures"],
        },
    )
