"""What was asked to be forgotten, what was found where, and that asking again finds nothing.

    erasure-20260102T030405Z.json     {"asked": {…}, "places": [{"place", "part", "found", "erased", "left"}], …}

It names the tenant, the run and the user's keyed hashes: never the user.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agenttracer import __version__
from agenttracer.collector.errors import StartError


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a place: ``left`` is what was still there when it was asked again."""

    place: str
    part: str
    found: int
    left: int

    @property
    def erased(self) -> int:
        """What is no longer there."""
        return max(self.found - self.left, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose rows: the tenant's, or those of a run or of a user of the tenant."""

    tenant: str
    run: str | None = None
    user_tokens: tuple[str, ...] = ()


@dataclass(slots=True)
class Receipt:
    """What an erasure, or a dry run of one, came to."""

    asked: Asked
    dry_run: bool
    collector_running: bool
    lines: list[Line] = field(default_factory=list)
    runs: int = 0
    traces: int = 0
    searched_not: Sequence[str] = ()
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all was erased, and nothing of it was found again."""
        return self.finished is not None and not self.dry_run and not any(line.left for line in self.lines)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "asked": {
                "tenant": self.asked.tenant,
                "run": self.asked.run,
                "user_tokens": list(self.asked.user_tokens),
            },
            "complete": self.is_complete,
            "dry_run": self.dry_run,
            "started": _time(self.started),
            "finished": _time(self.finished) if self.finished else None,
            "agenttracer_version": __version__,
            "collector_running": self.collector_running,
            "runs": self.runs,
            "traces": self.traces,
            "places": [{**asdict(line), "erased": line.erased} for line in self.lines],
            "exporters_without_erasure": list(self.searched_not),
        }


class ReceiptFile:
    """A file that is there before anything is erased, and says then that it is not complete."""

    def __init__(self, path: Path, receipt: Receipt) -> None:
        self.path = path
        self._receipt = receipt
        self._write("x")

    def update(self) -> None:
        """Write what is known by now."""
        self._write("w")

    def _write(self, mode: str) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if mode == "x" else os.O_TRUNC)
            with open(os.open(self.path, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump(self._receipt.plain(), file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StartError(
                f"the receipt {self.path} can't be written ({error.strerror}): name another file with --receipt"
            ) from None


def default_name(receipt: Receipt) -> str:
    """``erasure-<time>.json``."""
    return f"erasure-{receipt.started:%Y%m%dT%H%M%S%fZ}.json"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
