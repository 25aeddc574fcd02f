"""``agenttracer reprice``: give stored model calls the cost that a price table says now.

agenttracer reprice --since 2026-11-01 [--until 2026-12-01] [--tenant T] [--prices FILE] [--dry-run] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agenttracer.collector.cli.runs_command import add_store
from agenttracer.schemas.duration import parse_duration_seconds

if TYPE_CHECKING:
    from agenttracer.collector.cli.reprice import Models


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = commands.add_parser(
        "reprice",
        help="give stored model calls the cost that a price table says now",
        description="Work out CostUsd and PriceVersion of stored model calls again. Safe to repeat.",
    )
    parser.add_argument(
        "--since",
        type=_moment_ns,
        required=True,
        metavar="TIME",
        help="the first day or moment in UTC, 2026-11-01 or 2026-11-01T12:00, or how long ago: 30m, 12h, 7d",
    )
    parser.add_argument(
        "--until",
        type=_moment_ns,
        metavar="TIME",
        help="the first day or moment that is left alone (default: now)",
    )
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help="your own prices, as in the option prices_file of the processor",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    add_store(parser)
    parser.set_defaults(run=_run)


def _moment_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return time.time_ns() - int(parse_duration_seconds(text) * 1e9)
        except ValueError:
            raise argparse.ArgumentTypeError(
                "must be a day (2026-11-01), a moment (2026-11-01T12:00) or a duration (7d)"
            ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def _run(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.reprice import Window, reprice
    from agenttracer.collector.cli.store import open_store
    from agenttracer.collector.pricing.book import PriceBook
    from agenttracer.collector.pricing.table import load_prices

    book = PriceBook(load_prices(options.prices))
    window = Window(options.since, options.until or time.time_ns(), options.tenant)
    with open_store(options.endpoint, options.database) as store:
        models = reprice(store, book, window, write=not options.dry_run, progress=_progress(options.dry_run))
    if options.json:
        print(json.dumps(_plain(models, book.version, changed=not options.dry_run), indent=2))
    elif models:
        _print_table(models, book.version)
    else:
        print("no model calls in that time")
    return 0


def _progress(dry_run: bool) -> Callable[[str, int, int], None]:
    verb = "would change" if dry_run else "changed"

    def show(day: str, calls: int, changed: int) -> None:
        print(f"{day}: {changed} of {calls} calls {verb}", file=sys.stderr)

    return show


def _plain(models: Models, version: str, *, changed: bool) -> dict[str, object]:
    rows = [
        {
            "provider": provider,
            "model": model,
            "calls": total.calls,
            "changed": total.changed,
            "without_cost": total.unknown,
            "old_usd": float(total.old_usd),
            "new_usd": float(total.new_usd),
        }
        for (provider, model), total in sorted(models.items())
    ]
    return {"price_version": version, "written": changed, "models": rows}


def _print_table(models: Models, version: str) -> None:
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    table = Table(box=None, padding=(0, 1), header_style="bold", caption=f"prices {version}")
    for name in ("provider", "model"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "changed", "no cost", "old USD", "new USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for (provider, model), total in sorted(models.items()):
        counts = (total.calls, total.changed, total.unknown, f"{total.old_usd:.6f}", f"{total.new_usd:.6f}")
        table.add_row(*map(text, (provider or "-", model or "-", *counts)))
    old, new = (sum(getattr(total, name) for total in models.values()) for name in ("old_usd", "new_usd"))
    sums = (
        sum(total.calls for total in models.values()),
        sum(total.changed for total in models.values()),
        sum(total.unknown for total in models.values()),
    )
    table.add_row(*map(text, ("", "all", *sums, f"{old:.6f}", f"{new:.6f}")), style="bold")
    make_console().print(table)
