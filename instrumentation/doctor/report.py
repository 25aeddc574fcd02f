"""How the findings are said: for people, or as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from agenttracer.instrumentation.doctor.findings import Findings, Problem
from agenttracer.instrumentation.doctor.probe import Arrival
from agenttracer.instrumentation.libraries.choice import Outcome, State
from agenttracer.instrumentation.libraries.table import BY_NAME


def as_json(findings: Findings, arrival: Arrival | None, problems: list[Problem]) -> str:
    """One object; its keys are the fields of ``Findings`` and ``Arrival``."""
    shown = asdict(findings) | {
        "arrival": arrival and asdict(arrival),
        "problems": [asdict(p) for p in problems],
    }
    return json.dumps({"healthy": not problems, **shown}, indent=2)


def as_text(findings: Findings, arrival: Arrival | None, problems: list[Problem]) -> str:
    """A page that says what was found, what would be done, and what to do."""
    return "\n".join(_lines(findings, arrival, problems))


def _lines(findings: Findings, arrival: Arrival | None, problems: list[Problem]) -> Iterator[str]:
    versions = f"Python {findings.python}, opentelemetry-sdk {findings.opentelemetry}"
    yield f"agenttracer {findings.agenttracer}, {versions}"
    yield ""
    yield "Frameworks"
    width = max((len(f"{each.framework} {each.version}") for each in findings.frameworks), default=0)
    for outcome in findings.frameworks:
        yield f"  {_mark(outcome)} {f'{outcome.framework} {outcome.version}':{width}}  {_plan(outcome)}"
    if not findings.frameworks:
        yield "  none that is known; a program's own spans and the SDK's need none"
    command = "is installed" if findings.has_command else "comes with pip install 'agenttracer[instrument]'"
    yield f"  opentelemetry-instrument {command}"
    yield ""
    yield "Content"
    yield "  off at the source; what is sent all the same, the collector drops"
    for name in findings.content_variables:
        yield f"  {name} asks for it: instrument() changes that"
    yield ""
    yield "Data"
    yield from _arrival(arrival)
    if problems:
        yield ""
        yield "To do"
        for problem in problems:
            yield f"  {problem.what}"
            yield f"    {problem.remedy}"


def _arrival(arrival: Arrival | None) -> Iterator[str]:
    if arrival is None:
        yield "  not tried"
        return
    where = f"{arrival.endpoint} ({arrival.protocol})"
    if not arrival.accepted:
        yield f"  ✗ {where} did not accept a span: {arrival.reason}"
        return
    yield f"  ✓ {where} accepted a span in {arrival.seconds * 1000:.0f} ms"
    if arrival.stored is None:
        yield "    whether it is stored: --query-url http://localhost:8123"
    elif arrival.stored:
        yield f"  ✓ stored {arrival.stored_seconds or 0:.1f} s after it was sent"
    else:
        yield f"  ✗ not stored: {arrival.reason}"


def _mark(outcome: Outcome) -> str:
    if outcome.state is State.MISSING and BY_NAME[outcome.framework].is_client:
        return "·"
    return "✗" if outcome.state in (State.MISSING, State.UNSUPPORTED) else "✓"


def _plan(outcome: Outcome) -> str:
    if outcome.state is State.MISSING:
        direct = "for calls outside a framework: " if BY_NAME[outcome.framework].is_client else ""
        return f"{direct}{outcome.install}"
    if outcome.instrumentor == "native":
        return "by itself"
    return outcome.detail or f"by {outcome.instrumentor}"
