"""One run as a waterfall: its steps below each other, each a bar from when it began to when it ended.

agent     customer-support      ████████████████████████████████    24 ms
model       gpt-4o-mini         ███████████                        8.2 ms  412/35  0.000083
tool        order_service  1                ██                     1.5 ms                    timeout (recovered)
tool        order_service  2                  ██                   1.5 ms
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from agenttracer.collector.cli.run_queries import Row
from agenttracer.collector.cli.run_table import failure, started, status, tokens
from agenttracer.collector.cli.terminal import format_ms, format_usd, text

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
_MAX_NAME_CHARACTERS = 32
_FIXED_CHARACTERS = 56


@dataclass(frozen=True, slots=True)
class _Line:
    step: Row
    name: str
    failure: str
    recovered: bool

    @property
    def bar_style(self) -> str:
        if self.failure or self.step["Status"] == "failure":
            return "yellow" if self.recovered else "red"
        return _TYPE_STYLES.get(self.step["StepType"], "")


def make_waterfall(run: Row, steps: Sequence[Row], failures: Sequence[Row], console: Console) -> Group:
    """The run's facts, its steps in the order of calls, and where it failed."""
    recovered = {failed["SpanId"] for failed in failures if failed["Recovered"]}
    lines = [_line(step, depth, step["SpanId"] in recovered) for step, depth in in_call_order(steps)]
    bars = draw_bars([line.step for line in lines], _bar_characters(lines, console.width))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("step", no_wrap=True)
    table.add_column("name", overflow="ellipsis", max_width=_MAX_NAME_CHARACTERS)
    table.add_column("try", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("failure", overflow="fold")
    for line, bar in zip(lines, bars, strict=True):
        step = line.step
        table.add_row(
            text(step["StepType"], _TYPE_STYLES.get(step["StepType"], "")),
            text(line.name),
            text(step["Attempt"]),
            text(bar, line.bar_style),
            text(format_ms(step["DurationMs"])),
            text(tokens(step)),
            text(format_usd(step["CostUsd"])),
            text(line.failure, "yellow" if line.recovered else "red"),
        )
    return Group(_facts(run), "", table)


def _line(step: Row, depth: int, recovered: bool) -> _Line:
    name = step["StepName"] or step["ToolName"] or step["Model"] or step["AgentName"] or "-"
    failed = f"{failure(step)} (recovered)" if recovered else failure(step)
    return _Line(step, "  " * depth + name, failed, recovered)


def _bar_characters(lines: Sequence[_Line], width: int) -> int:
    """What the other columns leave."""
    name = min(_MAX_NAME_CHARACTERS, max((len(line.name) for line in lines), default=0))
    failed = max((len(line.failure) for line in lines), default=0)
    return max(_MIN_BAR_CHARACTERS, min(_MAX_BAR_CHARACTERS, width - name - failed - _FIXED_CHARACTERS))


def in_call_order(steps: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Every step with its depth, callers before what they called."""
    known = {step["SpanId"] for step in steps}
    children: defaultdict[str, list[Row]] = defaultdict(list)
    for step in steps:
        # A parent that isn't a step, or never came, leaves its children at the top.
        children[step["ParentSpanId"] if step["ParentSpanId"] in known else ""].append(step)
    stack = [(step, 0) for step in reversed(children.pop("", []))]
    while stack:
        step, depth = stack.pop()
        yield step, depth
        stack.extend((child, depth + 1) for child in reversed(children.pop(step["SpanId"], [])))
    # Spans that name each other as parents hang from nothing.
    for circle in children.values():
        yield from ((step, 0) for step in circle)


def draw_bars(steps: Sequence[Row], width: int) -> list[str]:
    """A bar for each step, at most ``width`` characters, on one axis from the first start to the last end."""
    if not steps:
        return []
    begin = min(step["StartTimeNs"] for step in steps)
    end = max(step["StartTimeNs"] + step["DurationMs"] * 1e6 for step in steps)
    scale = width / max(end - begin, 1)
    return [
        _bar((step["StartTimeNs"] - begin) * scale, step["DurationMs"] * 1e6 * scale, width) for step in steps
    ]


def _bar(offset: float, length: float, width: int) -> str:
    """Blanks, then blocks; the last one to an eighth of a character, and at least a sliver."""
    start = min(int(offset), width - 1)
    eighths = min(max(1, round(length * 8)), (width - start) * 8)
    full, rest = divmod(eighths, 8)
    return " " * start + _EIGHTHS[8] * full + _EIGHTHS[rest].strip()


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
        counts.append(f"{format_usd(run['CostUsd'])} USD")
    second = f"{started(run['StartTimeNs'])}  {format_ms(run['DurationMs'])}  {', '.join(counts)}"
    return Group(first, text(second), text(f"trace {run['TraceId']}", "dim"))
