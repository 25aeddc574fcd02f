"""The questions of docs/sql.md, and a set of runs in which each of them has an answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.otlp_traces import START_UNIX_NS, request, span
from tests.running_collector import ROOT

MS = 1_000_000
_QUESTION = re.compile(r"^### (\d+\. .+?)$.*?^```sql\n(.+?)^```$", re.MULTILINE | re.DOTALL)
_traces = itertools.count(0xA11CE)


def questions() -> list[tuple[str, str]]:
    """(heading, query) in the order of the document."""
    return _QUESTION.findall((ROOT / "docs" / "sql.md").read_text())


def payload() -> bytes:
    """An OTLP request with the runs of an afternoon."""
    spans = [each for version in ("1.0", "1.1") for number in range(3) for each in _run(version, number)]
    return request(*spans).SerializeToString()


class _Run:
    """One run's spans, one after the other on a clock."""

    def __init__(self, version: str, status: str) -> None:
        self.trace = next(_traces)
        self.identifiers = itertools.count(self.trace << 16)
        self.at_ms = 0
        self.root = next(self.identifiers)
        common = {
            "gen_ai.agent.name": "concierge",
            "gen_ai.agent.version": version,
            "user.id": f"user-{version}",
        }
        self.common = {**common, "gen_ai.conversation.id": f"talk-{version}"}
        self.status = status

    def step(self, kind: str, ms: int, error: str | None = None, **given: Any) -> Span:
        """A step of so many milliseconds."""
        named = {key.replace("__", "."): each for key, each in given.items()}
        made = span(
            kind, {"agent.step.type": kind, **self.common, **named}, trace=self.trace,
            identifier=next(self.identifiers), parent=self.root, error=error,
        )  # fmt: skip
        return self._timed(made, self.at_ms, ms)

    def call(self, model: str, read: int, **given: Any) -> Span:
        """A model call that reads so many tokens, a quarter of them from a cache."""
        used = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": read, "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": read // 4, "gen_ai.response.time_to_first_chunk": 0.25,
        }  # fmt: skip
        return self.step("model", 80, **used, **given)

    def end(self) -> Span:
        """The root, over all of it."""
        given = {"agent.step.type": "agent", "agent.run.status": self.status, **self.common}
        made = span("agent", given, trace=self.trace, identifier=self.root)
        duration, self.at_ms = self.at_ms, 0
        return self._timed(made, 0, duration)

    def _timed(self, made: Span, at_ms: int, ms: int) -> Span:
        made.start_time_unix_nano = START_UNIX_NS + at_ms * MS
        made.end_time_unix_nano = made.start_time_unix_nano + ms * MS
        self.at_ms = at_ms + ms
        return made


def _run(version: str, number: int) -> Iterator[Span]:
    run = _Run(version, "failure" if number == 2 else "success")
    yield run.call("gpt-4o-mini", 400 + 1000 * number)
    yield run.step("retrieve", 20, agent__step__name="find_rooms", agent__retrieval__document_count=number)
    timed_out = {"agent__failure__type": "tool", "agent__failure__code": "timeout"}
    book = {"agent__step__name": "book", "gen_ai__tool__name": "book"}
    yield run.step("tool", 300, "", **book, **timed_out, agent__step__attempt=1)
    yield run.step("tool", 30, **book, agent__step__attempt=2)
    for _ in range(6 if version == "1.1" else 1):
        yield run.step("tool", 10, agent__step__name="search", gen_ai__tool__name="search")
    yield run.call("house-model-7", 900)
    if number == 2:
        limited = {"agent__failure__type": "model", "agent__failure__code": "rate_limited"}
        yield run.step("respond", 10, "", agent__step__name="answer", **limited)
    yield run.end()
