"""The figures of one run as docs/benchmarks.md, for people who decide by them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.report import COLUMNS, HALF_LOAD_COLUMNS

_PROMISES = {
    "debug exporter": ("AgentTracer, debug exporter", "yes", "yes"),
    "embedded store": ("AgentTracer, embedded store", "yes", "yes"),
    "rotel": ("Rotel, into an empty sink", "no", "no"),
    "phoenix": ("Phoenix, SQLite", "no: answers from a queue in memory", "no"),
    "mlflow": ("MLflow, SQLite", "yes", "no"),
}
_HEAD = """# Benchmarks

Written by `make bench`. The load is spans of agents with prompts in them, 650 bytes and 9 attributes each; the
client runs on the same machine and takes its part of it. CPU is that of all of a program's processes, until it
is quiet again, merges included. Wall clock and latency depend on what else the machine does; CPU a span, and
ratios within one run, do so less.

*Durable*: what was acknowledged survives `kill -9`. *Redacted*: prompts, responses and personal data are taken
out before anything is written to a disk.
"""
_SQLITE = """Phoenix and MLflow are measured with requests of 100 spans and few of them, since they are slow; they
are made to show traces to people, not to take those of a fleet. Memory is the highest of all processes together.
"""
_HALF = """Requests come at their times, whether or not the ones before are answered, and an answer's time counts from
when its request was due: what a slow one keeps waiting is seen, too. Half is of what the same process took just
before in a closed loop: for some seconds, from the first request to the last row stored (a burst), and for about
a minute, until the merges that it put off were done as well, 20 seconds at most (what lasts). Memory is of the whole
process, the engine in it, in the second half of the time.
"""
_REDACTION = """In one thread. The texts of 4 KB are all different, and one of fifty holds something private. A group
takes requests that wait, up to 16 MiB: three of 1,000 spans with such texts.
"""


def write_document(path: Path, facts: Mapping[str, str], found: Mapping[str, Any]) -> None:
    """Write the page; what wasn't measured is left out."""
    today = datetime.datetime.now(datetime.UTC).date()
    machine = "\n".join(_table(("", ""), facts.items()))
    parts = [_HEAD, f"Measured on {today}:\n\n{machine}\n"]
    rows = _compared(found)
    if rows:
        title = ("", "spans a request", "CPU µs/span", "spans/s", "memory MiB", "durable", "redacted")
        parts += ["## Side by side\n", "\n".join(_table(title, rows)) + "\n", _SQLITE]
    for measured in found.values():
        if isinstance(measured, dict) and "title" in measured and len(measured["medians"]) > 1:
            parts += [
                f"## {measured['title'][0].upper()}{measured['title'][1:]}\n",
                _runs(measured["medians"]),
            ]
    if halves := found.get("half-load"):
        title = ("embedded store", *(name for name, _ in HALF_LOAD_COLUMNS.values()))
        rows = [
            (name, *(shown.format(one[key]) for key, (_, shown) in HALF_LOAD_COLUMNS.items()))
            for name, one in halves.items()
        ]
        parts += ["## At half of what it can take\n", _HALF, "\n".join(_table(title, rows)) + "\n"]
    if stages := found.get("stages"):
        title = ("stage", *(f"{load} (requests × spans)" for load in stages))
        rows = [
            (stage, *(f"{figures[stage]:.2f}" for figures in stages.values()))
            for stage in next(iter(stages.values()))
        ]
        parts += ["## CPU µs/span by stage, in one thread\n", "\n".join(_table(title, rows)) + "\n"]
    if costs := found.get("redaction"):
        title = ("redaction of", *(f"{spans} spans a group" for spans in next(iter(costs.values()))))
        rows = [(case, *(f"{cost:.2f}" for cost in of_case.values())) for case, of_case in costs.items()]
        parts += ["## What redaction costs, CPU µs/span\n", _REDACTION, "\n".join(_table(title, rows)) + "\n"]
    path.write_text("\n".join(parts))


def _compared(found: Mapping[str, Any]) -> list[Sequence[str]]:
    large = next((found[key] for key in found if " 1000 " in key), {"medians": {}})["medians"]
    each = [(name, "1000", figures) for name, figures in large.items()]
    each += [(name, "100", found[name]["medians"][name]) for name in ("phoenix", "mlflow") if name in found]
    rows = []
    for name, spans, figures in each:
        if name in _PROMISES:
            title, durable, redacted = _PROMISES[name]
            shown = [
                COLUMNS[key][1].format(figures[key])
                for key in ("cpu_us_a_span", "spans_a_second", "peak_mib")
            ]
            rows.append((title, spans, *shown, durable, redacted))
    return rows


def _runs(medians: Mapping[str, Mapping[str, float]]) -> str:
    keys = [key for key in COLUMNS if any(key in figures for figures in medians.values())]
    rows = [
        (name, *(COLUMNS[key][1].format(figures[key]) if key in figures else "" for key in keys))
        for name, figures in medians.items()
    ]
    return "\n".join(_table(("into", *(COLUMNS[key][0] for key in keys)), rows)) + "\n"


def _table(title: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (title, ["---"] * len(title), *rows)]
