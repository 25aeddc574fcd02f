"""Characters that hide others: digits and letters of another width or script, and ones that are not seen.

``４１１１`` is read as 4111, and ``41\\u200b11`` too. Detectors look at values as they are read.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# The zero of every script of the Basic Multilingual Plane whose digits NFKC leaves as they are.
_ZEROES = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰"
_UNSEEN = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
)  # fmt: skip
# Full width: + - and digits, @ and letters, letters. Its other punctuation is what Chinese is written with.
_WIDE = ((0xFF0B, 0xFF0B), (0xFF0D, 0xFF0D), (0xFF10, 0xFF19), (0xFF20, 0xFF3A), (0xFF41, 0xFF5A))
_BEYOND = ((0x1D400, 0x1D7FF), (0x1F100, 0x1F1FF), (0xE0000, 0xE01EF))

_AS_READ: dict[int, str | None] = {
    **{ord(zero) + digit: str(digit) for zero in _ZEROES for digit in range(10)},
    **{point: None for first, last in (*_UNSEEN, (0xE0000, 0xE01EF)) for point in range(first, last + 1)},
}


def as_read(text: str) -> str:
    """The text in compatible, visible characters."""
    return unicodedata.normalize("NFKC", text.translate(_AS_READ))


def _start(point: int) -> int:
    """The first three bytes of its UTF-8; of two, the third is left out."""
    encoded = chr(point).encode()[:3]
    return int.from_bytes(encoded.ljust(3, b"\0"), "big")


# The starts of what hides, as pairs of first and one past the last.
_EDGES = np.array(
    [
        edge
        for first, last in sorted(
            [*_UNSEEN, *_WIDE, *_BEYOND, *((ord(zero), ord(zero) + 9) for zero in _ZEROES)]
        )
        for edge in (_start(first), _start(last) + 1)
    ]
)


def hiding(values: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which values have such characters, by numpy over the bytes of all of them at once."""
    rows = np.zeros(len(values), bool)
    if values.buffers()[2] is None:
        return rows
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset :][: len(values) + 1]
    data = np.frombuffer(values.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    if not len(data) or data.max() < 0x80:
        return rows
    # Where a character of several bytes starts; the scripts of China, Japan and Korea have nothing to hide with.
    leads = np.flatnonzero((data >= 0xC2) & ((data < 0xE3) | (data >= 0xEA)))
    first, second, third = (
        data[np.minimum(leads + more, len(data) - 1)].astype(np.int64) for more in range(3)
    )
    starts = (first << 16) | (second << 8) | np.where(first < 0xE0, 0, third)
    hidden = leads[np.searchsorted(_EDGES, starts, side="right") % 2 == 1]
    rows[np.searchsorted(offsets - offsets[0], hidden, side="right") - 1] = True
    return rows
