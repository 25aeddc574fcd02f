"""Makes the embedded engine give back the memory that it doesn't use, without which it would be most of the process.

    limit_kept_memory()      before it is loaded: what is freed goes back after half a second, not after five
    EngineCode().release()   when it has started, and now and then: the pages of its code that aren't in use

The engine is a library of half a gigabyte, and starting it touches half of that. What is touched counts as this
process's memory for ever, though it is the file's. Dropped pages that are used again come back from the page cache.

Measured: idle 530 → 300 MiB; at 8,000 spans a second 770 → 590 MiB; the CPU is the same. Inserts use some 80 MiB of
the code; with what merges and questions use now and then, 120 had been touched after a minute.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_LIBRARY = "_chdb"
_MADV_DONTNEED = 4  # of madvise(2) on Linux
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[x-]p .*/([^/]*)")


def limit_kept_memory() -> None:
    """To be called before the engine is loaded; a setting of the environment's own stays."""
    os.environ.setdefault("JE_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0")


class EngineCode:
    """The mappings of the engine's library, to be made when it has started; none where there is no ``/proc``."""

    def __init__(self) -> None:
        self._mappings = list(_unchanged_mappings()) if sys.platform.startswith("linux") else []
        self._madvise = ctypes.CDLL(None).madvise
        self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def release(self) -> None:
        """Drop its pages, in a few milliseconds; those in use come back as they are used."""
        for start, end in self._mappings:
            self._madvise(start, end - start, _MADV_DONTNEED)


def _unchanged_mappings() -> Iterator[tuple[int, int]]:
    """The library's mappings of which no page was written to: dropping a written one would undo the write."""
    found = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if mapping := _MAPPING.fullmatch(line):
            found = (int(mapping[1], 16), int(mapping[2], 16)) if mapping[3].startswith(_LIBRARY) else None
        elif found and line.startswith("Anonymous:"):
            if line.split()[1] == "0":
                yield found
            found = None
