"""``make accuracy``: how many facts of the labelled captures came out right, by dialect, and every miss."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from rich.console import Console
from rich.table import Table

from tests.accuracy.corpus import captures
from tests.accuracy.scoring import MEASURES, Miss, Score, score


def main() -> int:
    """Prints the report; 1 if a miss is ours."""
    by_dialect: dict[str, Score] = defaultdict(Score)
    for capture in captures():
        scored, total = score(capture), by_dialect[capture.dialect]
        total.right += scored.right
        total.looked_at += scored.looked_at
        total.misses += scored.misses
    console = Console(width=160)
    console.print(_table(by_dialect))
    misses = [miss for total in by_dialect.values() for miss in total.misses]
    ours = [miss for miss in misses if not miss.reason]
    _list(console, "Not in the telemetry", [miss for miss in misses if miss.reason])
    _list(console, "Ours", ours)
    return 1 if ours else 0


def _table(by_dialect: dict[str, Score]) -> Table:
    table = Table(title="Right of what the telemetry shows, by dialect")
    table.add_column("dialect")
    for measure in MEASURES:
        table.add_column(measure, justify="right")
    right: Counter[str] = Counter()
    looked_at: Counter[str] = Counter()
    for dialect, total in by_dialect.items():
        table.add_row(dialect, *(_cell(total.right, total.looked_at, measure) for measure in MEASURES))
        right += total.right
        looked_at += total.looked_at
    table.add_section()
    table.add_row("all", *(_cell(right, looked_at, measure) for measure in MEASURES))
    return table


def _cell(right: Counter[str], looked_at: Counter[str], measure: str) -> str:
    return f"{right[measure]}/{looked_at[measure]}" if looked_at[measure] else "–"


def _list(console: Console, title: str, misses: list[Miss]) -> None:
    counted = Counter(misses)
    console.print(f"\n{title}: {len(misses)}", highlight=False)
    for miss, times in counted.items():
        often = f" ×{times}" if times > 1 else ""
        reason = f"  ({miss.reason})" if miss.reason else ""
        console.print(
            f"  {miss.capture}: {miss.measure}: {miss.expected}, got {miss.actual}{often}{reason}",
            highlight=False,
        )


if __name__ == "__main__":
    sys.exit(main())
