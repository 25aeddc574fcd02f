"""One run as a waterfall: its steps below each other, each a bar from when it began to when it ended.

agent     customer-support      ████████████████████████████████    24 ms
plan        choose_actions      ███████████                        8.2 ms
tool        order_service  1                ██                     1.5 ms             timeout (recovered)
tool        order_service  2                  ██                   1.5 ms
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agenttracer.collector.cli.run_queries import Row
from agenttracer.collector.cli.run_table import failure, started, status, tokens
from agenttracer.collector.cli.terminal import format_ms, text

_TYPE_STYLES = {
    "plan": "blue",
    "retrieve": "cyan",
    "model": "magenta",
    "tool": "green",
    "respond": "bright_blue",
    "memory": "bright_cyan",
    "agent": "white",
}
_COUNTS = (
    ("Steps", "step"),
    ("ModelCalls", "model call"),
    ("ToolCalls", "tool call"),
    ("Retrievals", "retrieval"),
    ("Failures", "failure"),
)
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_MIN_BAR_CHARACTERS = 12
_MAX_BAR_CHARACTERS = 60
_NAME_CHARACTERS = 32
_OTHER_COLUMNS = 78


def make_waterfall(run: Row, steps: Sequence[Row], failures: Sequence[Row], console: Console) -> Group:
    """The run's facts, its steps in the order of calls, and where it failed."""
    recovered = {failed["SpanId"] for failed in failures if failed["Recovered"]}
    width = max(_MIN_BAR_CHARACTERS, min(_MAX_BAR_CHARACTERS, console.width - _OTHER_COLUMNS))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("step", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=_NAME_CHARACTERS)
    table.add_column("try", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=width)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("tokens in/out", justify="right", no_wrap=True)
    table.add_column("failure", no_wrap=True, overflow="ellipsis")
    for step, depth, bar in lay_out(steps, width):
        kind = step["StepType"]
        failed = bool(step["FailureCode"]) or step["Status"] == "failure"
        style = "red" if failed else _TYPE_STYLES.get(kind, "")
        table.add_row(
            text(kind, style),
            text("  " * depth + _name(step)),
            text(step["Attempt"]),
            Text(bar, style=style),
            text(format_ms(step["DurationMs"])),
            text(tokens(step)),
            text(
                _failure(step, step["SpanId"] in recovered),
                "yellow" if step["SpanId"] in recovered else "red",
            ),
        )
    return Group(_facts(run), Padding(table, (1, 0, 0, 0)))


def lay_out(steps: Sequence[Row], width: int) -> Iterator[tuple[Row, int, str]]:
    """Each step with its depth and its bar of at most ``width`` characters, callers before what they called."""
    if not steps:
        return
    begin = min(step["StartTimeNs"] for step in steps)
    end = max(step["StartTimeNs"] + step["DurationMs"] * 1e6 for step in steps)
    scale = width / max(end - begin, 1)
    for step, depth in _in_call_order(steps):
        offset = (step["StartTimeNs"] - begin) * scale
        yield step, depth, _bar(offset, step["DurationMs"] * 1e6 * scale, width)


def _in_call_order(steps: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    known = {step["SpanId"] for step in steps}
    children: defaultdict[str, list[Row]] = defaultdict(list)
    for step in steps:
        # A parent that isn't a step, or never came, leaves its children at the top.
        children[step["ParentSpanId"] if step["ParentSpanId"] in known else ""].append(step)
    stack = [(step, 0) for step in reversed(children[""])]
    while stack:
        step, depth = stack.pop()
        yield step, depth
        stack.extend((child, depth + 1) for child in reversed(children.pop(step["SpanId"], [])))


def _bar(offset: float, length: float, width: int) -> str:
    """Blanks, then blocks; the last one to an eighth of a character, and at least a sliver."""
    start = min(int(offset), width - 1)
    eighths = max(1, round(length * 8))
    full, rest = divmod(min(eighths, (width - start) * 8), 8)
    return " " * start + _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")


def _name(step: Row) -> str:
    return str(step["StepName"] or step["ToolName"] or step["Model"] or step["AgentName"] or "-")


def _failure(step: Row, recovered: bool) -> str:
    return f"{failure(step)} (recovered)" if recovered else failure(step)


def _facts(run: Row) -> Group:
    agent = " ".join(filter(None, (run["AgentName"] or run["ServiceName"], run["AgentVersion"])))
    first = Text.assemble("run ", text(run["RunId"], "bold"), "  ", text(agent), "  ", status(run["Status"]))
    if run["FailureCode"]:
        first.append_text(Text.assemble("  ", text(failure(run), "red")))
    counts = [
        f"{run[column]} {noun if run[column] == 1 else noun + 's'}" for column, noun in _COUNTS if run[column]
    ]
    if used := tokens(run):
        counts.append(f"{used} tokens")
    if run["CostUsd"] is not None:
        counts.append(f"{run['CostUsd']} USD")
    second = f"{started(run['StartTimeNs'])}  {format_ms(run['DurationMs'])}  {', '.join(counts)}"
    return Group(first, text(second), text(f"trace {run['TraceId']}", "dim"))
