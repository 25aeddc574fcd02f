"""Runs as a table, the newest first, or as a line each.

run       agent             status   started   duration  steps    tokens       USD  failures
e3fa0d92  customer-support  failure  14:03:11     15 ms      7  1145/201  0.000292  tool/timeout +1
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from rich.table import Table
from rich.text import Text

from agenttracer.collector.cli.run_queries import Row
from agenttracer.collector.cli.terminal import format_ms, format_usd, text

STATUS_STYLES = {
    "success": "green",
    "partial": "yellow",
    "failure": "red",
    "cancelled": "magenta",
    "running": "cyan",
    "queued": "blue",
}
_MIN_ID_CHARACTERS = 8


def make_run_table(runs: Sequence[Row]) -> Table:
    """The ids are as short as ``runs show`` needs them to tell these runs apart."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    # In a narrow terminal the columns that may wrap give way.
    several_tenants = len({run["TenantId"] for run in runs}) > 1
    table.add_column("run", no_wrap=True)
    if several_tenants:
        table.add_column("tenant", overflow="ellipsis")
    table.add_column("agent", overflow="ellipsis")
    table.add_column("status", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("failures", overflow="fold")
    length = short_id_length([run["RunId"] for run in runs])
    for run in runs:
        tenant = [text(run["TenantId"])] if several_tenants else []
        table.add_row(text(run["RunId"][:length]), *tenant, *_fields(run))
    return table


def _fields(run: Row) -> list[Text]:
    return [
        text(run["AgentName"] or run["ServiceName"] or "-"),
        status(run["Status"]),
        text(started(run["StartTimeNs"])),
        text(format_ms(run["DurationMs"])),
        text(run["Steps"]),
        text(tokens(run)),
        text(format_usd(run["CostUsd"])),
        text(_failures(run), "red" if run["Status"] == "failure" else "yellow"),
    ]


def make_run_line(run: Row) -> Text:
    """One run without a table round it, its whole id last."""
    agent, outcome, began, duration, steps, used, cost, failed = _fields(run)
    return Text.assemble(
        began, "  ", _padded(outcome, 9), "  ", _padded(agent, 24), f"{duration.plain:>8}  ",
        f"{steps.plain:>3} steps  ", f"{used.plain:>12}  {cost.plain:>9}  ", _padded(failed, 24), text(run["RunId"]),
    )  # fmt: skip


def _padded(field: Text, width: int) -> Text:
    field.pad_right(max(0, width - len(field)))
    return field


def short_id_length(ids: Sequence[str]) -> int:
    """How many characters tell different ids apart, eight at least."""
    distinct = sorted(set(ids))
    length = _MIN_ID_CHARACTERS
    for before, after in pairwise(distinct):
        shared = next(
            (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        length = max(length, shared + 1)
    return length


def status(word: str) -> Text:
    """A status in its colour."""
    return text(word, STATUS_STYLES.get(word, ""))


def started(unix_ns: int) -> str:
    """Local time of day, with the date if it isn't today's."""
    moment = datetime.fromtimestamp(unix_ns / 1e9).astimezone()
    is_today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def tokens(row: Row) -> str:
    """Input and output tokens; nothing if there were none, or nobody counted."""
    read, written = row["InputTokens"], row["OutputTokens"]
    return f"{read or 0}/{written or 0}" if read or written else ""


def failure(row: Row) -> str:
    """``type/code`` of what failed first."""
    return f"{row['FailureType']}/{row['FailureCode']}" if row["FailureCode"] else ""


def _failures(run: Row) -> str:
    """What failed first, and how many more failures there were."""
    more = run["Failures"] - 1
    return f"{failure(run)} +{more}" if failure(run) and more > 0 else failure(run)
