"""Strings moved without their bytes: Arrow's views as 16-byte records in numpy, and one copy at the end.

Arrow's own ``take`` appends string after string to a buffer that grows, and has none for views. Of texts of 4 KB
it takes three times as long as this, and of two arrays it needs them in one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_PART_BYTES = 2 << 20
"""Of text at a time: it stays in the processor's cache, and no more of it is copied than the allocator keeps."""
_RECORD = np.dtype(np.complex128)
"""Sixteen bytes that numpy moves as one; of structured records it asks what they are at each turn."""
_VIEW = np.dtype([("size", np.int32), ("prefix", "V4"), ("buffer", np.int32), ("start", np.int32)])
_INLINE_BYTES = 12
"""Up to here the bytes stand in the view itself, from ``prefix`` on."""
_NOTHING, _NEWLINE = (
    np.frombuffer(len(text).to_bytes(4, "little") + text.ljust(_INLINE_BYTES, b"\0"), _RECORD)[0]
    for text in (b"", b"\n")
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Strings as one text, each with a newline behind it, and where each starts."""

    text: pa.Buffer
    starts: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> bytes:
        """One of the strings."""
        return bytes(self.text[int(self.starts[row]) : self.end(row) - 1])

    def end(self, row: int) -> int:
        """Where the next one starts."""
        return int(self.starts[row + 1]) if row + 1 < len(self.starts) else self.text.size

    def rows(self, places: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """In which of the strings places of the text are."""
        # Of any other type than theirs, places would make a copy of all starts.
        return np.searchsorted(self.starts, np.asarray(places, np.int32), side="right") - 1


@dataclass(frozen=True, slots=True)
class StringViews:
    """Strings, or nulls, that stand in buffers of others. One record a string, its layout that of Arrow's format."""

    records: npt.NDArray[np.complex128]
    valid: npt.NDArray[np.bool_] | None
    data: tuple[pa.Buffer, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: slice) -> StringViews:
        """Some of them."""
        valid = None if self.valid is None else self.valid[place]
        return StringViews(self.records[place], valid, self.data)

    @property
    def sizes(self) -> npt.NDArray[np.int32]:
        """The bytes of each; of none 0."""
        sizes = self.records.view(_VIEW)["size"]
        return sizes if self.valid is None else np.where(self.valid, sizes, 0)

    @classmethod
    def of(cls, strings: pa.StringArray) -> StringViews:
        """The strings of an array; nothing is copied but what is short."""
        made = strings.cast(pa.string_view())
        _, views, *data = made.buffers()
        valid = strings.is_valid().to_numpy(zero_copy_only=False) if strings.null_count else None
        return cls(np.frombuffer(views, _RECORD)[made.offset :][: len(made)], valid, tuple(data))

    @classmethod
    def together(cls, parts: Sequence[StringViews]) -> StringViews:
        """All of them, one after the other."""
        records = np.concatenate([part.records for part in parts])
        views = records.view(_VIEW)
        first, buffers = 0, 0
        for part in parts:
            if buffers and part.data:
                own = views[first : first + len(part)]
                own["buffer"][own["size"] > _INLINE_BYTES] += buffers
            first, buffers = first + len(part), buffers + len(part.data)
        valid = None
        if any(part.valid is not None for part in parts):
            valid = np.concatenate(
                [np.ones(len(part), bool) if part.valid is None else part.valid for part in parts]
            )
        return cls(records, valid, tuple(buffer for part in parts for buffer in part.data))

    def take(self, rows: npt.NDArray[np.int64]) -> StringViews:
        """These of them, in this order; -1 stands for none."""
        missing = rows < 0
        valid = None if self.valid is None else self.valid[rows]
        if missing.any():
            valid = ~missing if valid is None else valid & ~missing
        return StringViews(self.records[rows], valid, self.data)

    def parts(self) -> Iterator[slice]:
        """Slices of about ``_PART_BYTES`` or of one string."""
        part = np.cumsum(self.sizes, dtype=np.int64) // _PART_BYTES
        cuts = np.flatnonzero(np.diff(part)) + 1
        for first, last in pairwise([0, *cuts.tolist(), len(self)]):
            if last > first:
                yield slice(first, last)

    def replaced(self, rows: npt.NDArray[np.int64], texts: pa.StringArray) -> StringViews:
        """All of them, with others in these rows."""
        if not len(rows):
            return self
        places = np.arange(len(self))
        places[rows] = len(self) + np.arange(len(rows))
        return StringViews.together([self, StringViews.of(texts)]).take(places)

    def filled(self) -> StringViews:
        """The strings, an empty one for none."""
        if self.valid is None:
            return self
        return StringViews(np.where(self.valid, self.records, _NOTHING), None, self.data)

    def lines(self) -> Lines:
        """The strings as one text, copied once; of none an empty line."""
        records = np.empty(2 * len(self), _RECORD)
        records[::2] = self.filled().records
        records[1::2] = _NEWLINE
        _, offsets, text = StringViews(records, None, self.data).array().buffers()
        return Lines(text, np.frombuffer(offsets, np.int32)[: 2 * len(self) : 2].copy())

    def array(self) -> pa.StringArray:
        """The strings on their own, copied once. Raises ``pa.ArrowInvalid`` for more than 2 GiB of them."""
        present = None if self.valid is None else pa.array(self.valid).buffers()[1]
        buffers = [present, pa.py_buffer(self.records), *self.data]
        return pa.Array.from_buffers(pa.string_view(), len(self), buffers).cast(pa.string())
