"""The figures as a table for people and as JSON for machines."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

_PACKAGES = ("agenttracer", "grpcio", "pyarrow", "ptars", "chdb-core")
_WIDTH = 180

HALF_LOAD_COLUMNS = {
    "capacity_spans_a_second": ("can take spans/s", "{:,.0f}"),
    "spans_a_second": ("sent spans/s", "{:,.0f}"),
    "cores": ("cores", "{:.2f}"),
    "answer_p50_ms": ("ack p50 ms", "{:.0f}"),
    "answer_p99_ms": ("p99 ms", "{:.0f}"),
    "resident_mib": ("resident MiB", "{:.0f}"),
    "peak_mib": ("peak MiB", "{:.0f}"),
    "refused_requests": ("refused", "{:.0f}"),
}
COLUMNS = {
    "cpu_us_a_span": ("CPU µs/span", "{:.2f}"),
    "times_rotel": ("× Rotel", "{:.2f}"),
    "spans_a_second": ("spans/s", "{:,.0f}"),
    "answer_p50_ms": ("ack p50 ms", "{:.1f}"),
    "answer_p99_ms": ("p99 ms", "{:.1f}"),
    "peak_mib": ("peak MiB", "{:.0f}"),
    "settled_mib": ("settled MiB", "{:.0f}"),
    "group_spans": ("spans/group", "{:.0f}"),
    "journal_bytes_a_span": ("journal B/span", "{:.0f}"),
    "written_bytes_a_span": ("written B/span", "{:.0f}"),
    "store_bytes_a_span": ("store B/span", "{:.0f}"),
    "refused_requests": ("refused", "{:.0f}"),
}


def machine(others: Mapping[str, str]) -> dict[str, str]:
    """Where the figures were measured, and of what; ``others`` are the versions of what it is compared with."""
    packages = {package: version(package) for package in _PACKAGES}
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **packages,
        **others,
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def print_machine(facts: Mapping[str, str]) -> None:
    """One line."""
    _console().print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)


def print_runs(title: str, rows: Sequence[tuple[str, Mapping[str, float]]]) -> None:
    """A row a target; what none of them can tell has no column."""
    shown = [name for name in COLUMNS if any(name in figures for _, figures in rows)]
    table = Table(box=None, header_style="bold")
    table.add_column("into", no_wrap=True)
    for name in shown:
        table.add_column(COLUMNS[name][0], justify="right", no_wrap=True)
    for target, figures in rows:
        cells = (COLUMNS[name][1].format(figures[name]) if name in figures else "" for name in shown)
        table.add_row(target, *cells)
    _print(title, table)


def print_stages(figures: Mapping[tuple[int, int], Mapping[str, float]]) -> None:
    """A row a stage, a column a group size."""
    table = Table(box=None, header_style="bold")
    table.add_column("stage")
    for requests, spans in figures:
        table.add_column(f"{requests} × {spans}", justify="right")
    for stage in next(iter(figures.values())):
        table.add_row(stage, *(f"{stages[stage]:.2f}" for stages in figures.values()))
    _print("CPU µs/span by stage, in one thread (requests × spans a group)", table)


def print_queries(figures: Mapping[str, float]) -> None:
    """A row a question; what it was asked of stands above."""
    table = Table(box=None, header_style="bold")
    table.add_column("question")
    table.add_column("ms", justify="right")
    about = {name: figures[name] for name in figures if "_" in name}
    for name in (name for name in figures if name not in about):
        table.add_row(name, f"{figures[name]:.1f}")
    facts = ", ".join(f"{name.replace('_', ' ')} {value:,.1f}" for name, value in about.items())
    _print(f"Answers from the embedded store ({facts})", table)


def print_redaction(figures: Mapping[str, Mapping[str, float]]) -> None:
    """A row a case, a column a size of groups."""
    table = Table(box=None, header_style="bold")
    table.add_column("redaction of")
    for spans in next(iter(figures.values())):
        table.add_column(f"{spans} spans a group", justify="right")
    for case, costs in figures.items():
        table.add_row(case, *(f"{cost:.2f}" for cost in costs.values()))
    _print("What redaction costs, CPU µs/span", table)


def print_sdk(figures: Mapping[str, Mapping[str, float]]) -> None:
    """A row a figure: OpenTelemetry's, ours, and how many times it that is."""
    table = Table(box=None, header_style="bold")
    table.add_column("SDK")
    for title in ("opentelemetry-sdk", "agenttracer", "×"):
        table.add_column(title, justify="right")
    for name, one in figures.items():
        table.add_row(name, *(f"{one[key]:.2f}" for key in ("plain", "agenttracer", "times")))
    _print("What the SDK costs its program (CPU)", table)


def print_half_load(figures: Mapping[str, Mapping[str, float]]) -> None:
    """A row a kind of load."""
    table = Table(box=None, header_style="bold")
    table.add_column("embedded store")
    for title, _ in HALF_LOAD_COLUMNS.values():
        table.add_column(title, justify="right")
    for name, one in figures.items():
        table.add_row(name, *(shown.format(one[key]) for key, (_, shown) in HALF_LOAD_COLUMNS.items()))
    _print("At half of what it can take, requests at their times (open loop)", table)


def _print(title: str, table: Table) -> None:
    console = _console()
    console.print(f"\n{title}", highlight=False)
    console.print(table)


def _console() -> Console:
    # As wide as the tables: in a file or a narrow terminal a figure must not be cut.
    return Console(width=_WIDTH)
