"""What a process and its children have used so far, from ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU is user and system time; ``written_bytes`` is what was sent to the disk."""

    cpu_seconds: float
    resident_bytes: int
    peak_bytes: int
    written_bytes: int


def usage(pid: int) -> Usage:
    """The sum over the process and all its descendants; one that has ended counts nothing."""
    parts = [part for member in _tree(pid) if (part := _of_one(member)) is not None]
    return Usage(
        sum(part.cpu_seconds for part in parts),
        sum(part.resident_bytes for part in parts),
        sum(part.peak_bytes for part in parts),
        sum(part.written_bytes for part in parts),
    )


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            members = children.read_text().split()
        except OSError:  # the thread ended meanwhile
            continue
        for child in members:
            yield from _tree(int(child))


def _of_one(pid: int) -> Usage | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        memory = _numbers(f"/proc/{pid}/status")
        disk = _numbers(f"/proc/{pid}/io")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # After the name, which may hold blanks: utime, stime, and those of children that were waited for.
    ticks = sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return Usage(ticks / _TICKS_A_SECOND, memory["VmRSS"] * 1024, memory["VmHWM"] * 1024, disk["write_bytes"])


def _numbers(path: str) -> dict[str, int]:
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return {
        name: int(value.split()[0])
        for name, _, value in lines
        if value.split()[:1] and value.split()[0].isdigit()
    }
