"""A disk that can be filled: a small file system where this machine lets one be mounted, and quotas everywhere.

disk = SmallDisk(folder)              # a tmpfs, mounted by root, or None where that is forbidden
disk.fill()                           # nothing more fits
disk.empty()

with file_size_limit(pid, num_bytes): …    # the process's files can't grow beyond this, as under a quota
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SIZE_MIB = 80


class SmallDisk:
    """A mounted file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink()


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk]:
    """Gone at the end of the ``with``."""
    folder.mkdir(parents=True)
    _mount(folder)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this machine lets the tests mount: root outside of a container does."""
    try:
        _mount(folder)
        subprocess.run(["umount", folder], check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _mount(folder: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_MIB}m", "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def file_size_limit(pid: int, num_bytes: int) -> Iterator[None]:
    """What the process writes beyond this place of a file fails."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, most))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def without_override() -> None:
    """For ``preexec_fn``: what is started is not above the permissions of files, though it be root."""
    import ctypes

    drop_from_bounding_set, override, read_search = 24, 1, 2
    libc = ctypes.CDLL(None)
    for capability in (override, read_search):
        libc.prctl(drop_from_bounding_set, capability, 0, 0, 0)  # fails for who has nothing to drop
