"""What is measured: something that takes OTLP, in a process of its own, and says when it has delivered."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class Target(ABC):
    """Listens at ``address`` and runs as ``pid`` between ``with`` and its end."""

    name: str
    address: str
    pid: int

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

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


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when something listens; raises ``RuntimeError`` with the log's end if that doesn't happen."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"it did not start:\n{log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and the end of the process."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
