"""``agenttracer diff``: what changed from one version of an agent to another.

agenttracer diff --agent support --version 1.0 1.1 [--since 7d] [--limit 1000] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from agenttracer.collector.cli.runs_command import add_store, count, duration

if TYPE_CHECKING:
    from agenttracer.collector.cli.diff import Measure, Version
    from agenttracer.collector.cli.store import Store


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = commands.add_parser(
        "diff",
        help="compare two versions of an agent, and say what may be chance",
        description="Compare the ended runs of two versions of an agent. Failure rates and tool sequences are "
        "tested with Fisher's exact test, latency, cost and tokens with the Mann-Whitney test, p95 with a "
        "bootstrap; p values are corrected for how many tests there are (Holm), and below 0.05 a figure differs.",
    )
    parser.add_argument("--agent", required=True, metavar="NAME", help="whose versions")
    parser.add_argument(
        "--version", required=True, nargs=2, metavar=("X", "Y"), help="the version before, and after"
    )
    parser.add_argument(
        "--since", type=duration, default=0.0, metavar="DURATION", help="only runs seen in the last 12h, 7d"
    )
    parser.add_argument(
        "--limit",
        type=count,
        default=1000,
        metavar="N",
        help="most runs of each version, the newest (default: %(default)s)",
    )
    add_store(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.diff import (
        measures,
        sequence_measures,
        tool_measures,
        visible_failure_change,
    )
    from agenttracer.collector.cli.store import open_store

    with open_store(options.endpoint, options.database) as store:
        before, after = (_read(store, name, options) for name in options.version)
    parts = {
        "measures": measures(before, after),
        "tools": tool_measures(before, after),
        "sequences": sequence_measures(before, after),
    }
    visible = visible_failure_change(before, after)
    if options.json:
        print(json.dumps(_plain(options.agent, (before, after), parts, visible), indent=2))
    else:
        _print(options.agent, (before, after), parts, visible)
    return 0


def _read(store: Store, name: str, options: argparse.Namespace) -> Version:
    """The version's runs; raises ``StartError`` if there are none, naming the versions that there are."""
    from agenttracer.collector.cli.diff import known_versions, read_version
    from agenttracer.collector.cli.terminal import text
    from agenttracer.collector.errors import StartError

    filters = {
        "agent": options.agent,
        "tenant": options.tenant,
        "since_ms": int(options.since * 1000),
        "limit": options.limit,
    }
    version = read_version(store, name, filters)
    if not version.runs:
        known = known_versions(store, options.agent, options.tenant)
        listed = ", ".join(f"{row['AgentVersion'] or '(none)'} ({row['Runs']} runs)" for row in known)
        raise StartError(
            f"there are no ended runs of version {text(name)} of that agent"
            + (f"; there are {text(listed)}" if listed else ", and none of any other")
        )
    return version


def _plain(
    agent: str, versions: Sequence[Version], parts: dict[str, list[Measure]], visible: float
) -> dict[str, object]:
    return {
        "agent": agent,
        "versions": [
            {"version": version.name, "runs": len(version.runs), "failures": version.failed()}
            for version in versions
        ],
        "visible_failure_rate_change": visible,
        **{name: [asdict(measure) for measure in found] for name, found in parts.items()},
    }


def _print(agent: str, versions: Sequence[Version], parts: dict[str, list[Measure]], visible: float) -> None:
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column(text(agent), overflow="fold")
    for version in versions:
        table.add_column(text(version.name), justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_row("ended runs", *(str(len(version.runs)) for version in versions), "", "")
    for heading, name in (("", "measures"), ("calls per run", "tools"), ("tools of a run", "sequences")):
        if heading and parts[name]:
            table.add_section()
            table.add_row(text(heading, "bold"))
        for measure in parts[name]:
            style = "yellow" if measure.verdict == "differs" else ""
            p = "" if measure.p is None else f" (p = {measure.p:.2g})"
            table.add_row(
                text(measure.name),
                text(_figure(measure.before, measure.unit)),
                text(_figure(measure.after, measure.unit)),
                text(_change(measure), style),
                text(measure.verdict + p, style),
            )
    console = make_console()
    console.print(table)
    console.print(f"\nSo many runs show a change of the failure rate from {visible:.1%} on.")


def _figure(value: float | None, unit: str) -> str:
    from agenttracer.collector.cli.terminal import format_ms

    if value is None:
        return "-"
    if unit == "ms":
        return format_ms(value)
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:.6f}" if unit == "USD" else f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def _change(measure: Measure) -> str:
    before, after = measure.before, measure.after
    if before is None or after is None or before == after:
        return ""
    if measure.unit == "share":
        return f"{(after - before) * 100:+.1f} points"
    if not before:
        return "new"
    return "gone" if not after and measure.unit == "calls per run" else f"{(after - before) / before:+.0%}"
