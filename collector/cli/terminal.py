"""How commands write tables: as wide as the terminal, and never what a stored value would do to it."""

from __future__ import annotations

import sys
from decimal import Decimal

from rich.console import Console
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 160


def make_console() -> Console:
    """Writes to stdout; in a pipe or a file it is wide enough for every column, and has no colours."""
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(width=width, highlight=False)


def text(value: object, style: str = "") -> Text:
    """A value as it is, markup and all, but for characters that move a cursor; nothing for None."""
    shown = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown), style=style)


def format_usd(dollars: Decimal | float | None) -> str:
    """A cost with as many decimals as tell something: ``12.50``, ``0.0312``, ``0.000213``; nothing if unknown."""
    if dollars is None:
        return ""
    decimals = 2 if dollars >= 1 or not dollars else 4 if dollars >= 0.01 else 6
    return f"{dollars:.{decimals}f}"


def format_ms(milliseconds: float) -> str:
    """A duration in its own size: ``0.4 ms``, ``312 ms``, ``4.2 s``, ``3m 20s``, ``2h 5m``."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {seconds}s"
    return f"{minutes // 60}h {minutes % 60}m"
