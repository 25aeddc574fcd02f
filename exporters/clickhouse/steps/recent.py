"""The runs that were written lately, in memory: their next spans will be folded together with these.

    run ─▶ which rows of which table        bits of each run that was ever here, or is in the store
                                             └─ the store is asked for its rows

A run that is in neither is new. Only so many rows are held, the newest, and none for longer than two minutes: what
changes stored rows otherwise (``reprice``) leaves runs alone that were seen since.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agenttracer.collector.folding.runs import Run

MAX_ROWS = 100_000
MAX_AGE_SECONDS = 120.0
# A Bloom filter of 16 MiB. Where four million runs are known, one new run in eight hundred is looked for in vain, where
# twenty million are, one in twenty. With one bit a run it was one in thirty for four million, and the looking took a
# tenth of an insert's time.
_BITS = 1 << 27
_BITS_OF_RUN = 4


@dataclass(frozen=True, slots=True)
class _Written:
    """Rows that were written together."""

    rows: pa.Table
    runs: Sequence[Run]
    time: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the rows of a run are."""

    written: _Written
    numbers: npt.NDArray[np.int64]


class RecentRuns:
    """Rows of ``agent_step_spans``: all of a run, or none."""

    def __init__(self) -> None:
        self._written: deque[_Written] = deque()  # the oldest first
        self._places: dict[Run, _Place] = {}
        self._held = 0
        self._known: npt.NDArray[np.uint8] = np.zeros(_BITS // 8, np.uint8)

    def find(self, runs: Sequence[Run]) -> tuple[list[pa.Table], list[Run]]:
        """The rows of those runs that are here, and the runs that may be in the store alone."""
        found: dict[int, tuple[pa.Table, list[npt.NDArray[np.int64]]]] = {}
        others = []
        for run in runs:
            if (place := self._places.get(run)) is None:
                others.append(run)
            else:
                rows = place.written.rows
                found.setdefault(id(rows), (rows, []))[1].append(place.numbers)
        tables = [rows.take(pa.array(np.concatenate(numbers))) for rows, numbers in found.values()]
        return tables, self._known_of(others)

    def put(self, rows: pa.Table, runs: Sequence[Run], numbers: Sequence[npt.NDArray[np.int64]]) -> None:
        """Keep the rows: of each run all that there are, by their numbers. What was here of the same runs goes."""
        written = _Written(rows, runs, time.monotonic())
        self._places.update((run, _Place(written, own)) for run, own in zip(runs, numbers, strict=True))
        self._written.append(written)
        self._held += rows.num_rows
        while self._written and (
            self._held > MAX_ROWS or written.time - self._written[0].time > MAX_AGE_SECONDS
        ):
            self._forget(self._written.popleft())

    def drop(self, runs: Iterable[Run]) -> None:
        """What is here of these runs is no longer all that there is."""
        for run in runs:
            self._places.pop(run, None)

    def know(self, numbers: Iterable[int]) -> None:
        """That the runs of these numbers, see ``number_of``, are in the store."""
        bits = _bits(np.fromiter(numbers, np.uint64))
        np.bitwise_or.at(self._known, bits >> np.uint64(3), _within_byte(bits))

    def _known_of(self, runs: Sequence[Run]) -> list[Run]:
        bits = _bits(np.fromiter(map(number_of, runs), np.uint64, len(runs)))
        known = (self._known[bits >> np.uint64(3)] & _within_byte(bits)) != 0
        return [runs[place] for place in np.flatnonzero(known.all(axis=1)).tolist()]

    def _forget(self, oldest: _Written) -> None:
        self._held -= oldest.rows.num_rows
        for run in oldest.runs:
            place = self._places.get(run)
            if place is not None and place.written is oldest:
                del self._places[run]


def number_of(run: Run) -> int:
    """ClickHouse's ``CRC32(RunId)``: two runs of the same number cost a question too many, no more."""
    return zlib.crc32(run[1].encode())


def _bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The places of each run's bits (rows), from two halves of one hash: they are as good as so many hashes."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    first, step = mixed >> np.uint64(32), mixed | np.uint64(1)
    times: npt.NDArray[np.uint64] = np.arange(_BITS_OF_RUN).astype(np.uint64)
    bits: npt.NDArray[np.uint64] = np.add(first[:, None], np.multiply(step[:, None], times))
    return bits & np.uint64(_BITS - 1)


def _within_byte(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    return np.uint8(1) << (bits & np.uint64(7)).astype(np.uint8)
