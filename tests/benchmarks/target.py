"""What is measured: something that takes OTLP, in a process of its own, and says when it has delivered."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0


class Target(ABC):
    """Listens at ``address`` and runs as ``pid`` between ``with`` and its end."""

    name: str
    address: str
    pid: int
    headers: ClassVar[Mapping[str, str]] = {}
    """What requests over HTTP must carry."""

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.__exit__(kind, error, trace)

    @abstractmethod
    def _start(self, ends: ExitStack) -> None:
        """Sets ``address`` and ``pid``; what is to be done at the end goes onto ``ends``, last thing first."""

    def delivered(self, spans: int) -> bool:
        """Whether so many spans have arrived where they belong, since the start."""
        return True

    def figures(self) -> Mapping[str, float]:
        """What only this target can tell, by the name of its column; asked once it has stopped."""
        return {}


def free_port() -> int:
    """A port of localhost that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_server(
    command: Sequence[str | Path],
    port: int,
    log: Path,
    ends: ExitStack,
    *,
    cores: int | None = None,
    **environment: str,
) -> int:
    """Start a process, return its pid once it listens; raises ``RuntimeError`` with the end of its log. It runs on the
    first ``cores`` of those that this process may use."""
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, sorted(usable)[:cores])  # what is started inherits it
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )
    finally:
        os.sched_setaffinity(0, usable)
    ends.callback(_stop, process)
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process.pid
        time.sleep(0.05)
    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
