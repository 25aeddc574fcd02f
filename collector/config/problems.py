"""Every problem of a configuration at once, each with its file, its path in it and the fix.

invalid configuration: otel-config.yaml:31: service::pipelines::traces: references exporter "x"
which is not configured; add it under exporters:, or remove it (configured: clickhouse, debug)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from agenttracer.collector.errors import ConfigError

Path = tuple[str, ...]
"""Keys from the root of the configuration; an element of a list is its index as text."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a value was written: a file and its line, or another source without lines."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass
class Problems:
    """Collects problems, so that the operator mends them in one go."""

    positions: Mapping[Path, Position]
    _messages: list[str] = field(default_factory=list)

    def add(self, path: Path, message: str, fix: str = "", *, at: Path | None = None) -> None:
        """Note a problem of ``path``; ``at`` is the place to look at when it is a more exact one."""
        text = f"{self.locate(path if at is None else at, path)}: {message}"
        self._messages.append(f"{text}; {fix}" if fix else text)

    def locate(self, at: Path, path: Path) -> str:
        """``file:line: the::path``, with the nearest place that was really written."""
        known = (at[:length] for length in range(len(at), -1, -1))
        position = next((str(self.positions[place]) for place in known if place in self.positions), "")
        return ": ".join(part for part in (position, "::".join(path)) if part)

    def raise_any(self) -> None:
        """Raise one ``ConfigError`` that holds all problems, if there are any."""
        if self._messages:
            raise invalid(*dict.fromkeys(self._messages))


def invalid(*messages: str) -> ConfigError:
    """The error for these problems: one line for one, a list for several."""
    head, gap = "invalid configuration:", "\n  "
    return ConfigError(f"{head} {messages[0]}" if len(messages) == 1 else gap.join((head, *messages)))


def nearest(word: str, valid: Iterable[str]) -> str:
    """``did you mean "otlp"?`` when one of the valid words looks like the given one, else nothing."""
    close = get_close_matches(word, list(valid), n=1)
    return f'did you mean "{close[0]}"?' if close else ""
