"""Which rows are one call: the reference, row by row, for what the views do in SQL.

1. A model, tool or retrieve step whose nearest ancestor that does anything (``other`` and spans that are no
   steps are passed through) has the same type is the same call, said twice: the outer one stands for both.
2. Model steps with the same response id are one call, wherever they stand.
3. A call has failed if any of its rows has; the deepest says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

_CALLS = ("model", "tool", "retrieve")


@dataclass(frozen=True, slots=True)
class Call:
    """One real call: its outermost row first, those that repeat it behind."""

    kind: str
    rows: tuple[Row, ...]

    def value(self, column: str) -> Any:
        """The outermost row's value, else the next one's; None if no row has one."""
        return next((row[column] for row in self.rows if row.get(column) not in (None, "")), None)


def fold(rows: Sequence[Row]) -> list[Call]:
    """The model, tool and retrieve calls of these rows; ``respond`` is a model call."""
    row_of = {(row["TraceId"], row["SpanId"]): row for row in rows}
    outermost: dict[tuple[str, str], tuple[str, str]] = {}
    depth: dict[tuple[str, str], int] = {}
    for key, row in row_of.items():
        if kind(row) in _CALLS:
            outermost[key], depth[key] = _outermost(row_of, key)
    groups: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    first_with: dict[str, tuple[str, str]] = {}
    for key in sorted(outermost, key=lambda key: depth[key]):
        top = outermost[key]
        answer = row_of[key].get("ResponseId")
        if answer and kind(row_of[key]) == "model":
            top = first_with.setdefault(answer, top)
        groups[top].append(key)
    return [Call(kind(row_of[top]), tuple(row_of[key] for key in keys)) for top, keys in groups.items()]


def kind(row: Row) -> str:
    """The step type, ``respond`` as the model call that it is."""
    step = str(row.get("StepType") or "")
    return "model" if step == "respond" else step


def _outermost(row_of: Mapping[tuple[str, str], Row], key: tuple[str, str]) -> tuple[tuple[str, str], int]:
    top, depth = key, 0
    above = (key[0], row_of[key].get("ParentSpanId", ""))
    while above in row_of:
        depth += 1
        step = kind(row_of[above])
        if step == kind(row_of[key]):
            top = above
        elif step not in ("", "other", "plan"):
            break
        above = (above[0], row_of[above].get("ParentSpanId", ""))
    return top, depth
