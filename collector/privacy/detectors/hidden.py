"""What hides characters: digits and letters of another width or script, ones that are not seen, JSON's escapes.

``４１１１`` is read as 4111, and ``41\\u200b11`` too; ``\\u0040`` is an @. Detectors look at values as they are read.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt

from agenttracer.collector.privacy.detectors.patterns import AnyOf
from agenttracer.collector.string_views import Lines

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
# Of ordinary characters.
_ESCAPED = AnyOf([r"\\u00[2-7][0-9A-Fa-f]"])
_ESCAPE = re.compile(r"\\u00([2-7][0-9A-Fa-f])")
_QUOTES = ('"', "\\")


def as_read(text: str) -> str:
    """The text in compatible, visible characters."""
    return unicodedata.normalize("NFKC", _ESCAPE.sub(_character, text).translate(_AS_READ))


def _character(escape: re.Match[str]) -> str:
    character = chr(int(escape.group(1), 16))
    # A quote that were undone would end the string that it stands in.
    return escape.group() if character in _QUOTES else character


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


def hiding(lines: Lines) -> npt.NDArray[np.bool_]:
    """Which lines have such a thing in them: one look at the bytes of all of them at once."""
    found = _ESCAPED.hit(lines)
    found[lines.rows(_characters(lines))] = True
    return found


def _characters(lines: Lines) -> npt.NDArray[np.int64]:
    """Where the characters are that hide others, by numpy."""
    data = np.frombuffer(lines.text, np.uint8)
    if not len(data) or data.max() < 0x80:
        return np.zeros(0, np.int64)
    # Where a character of several bytes starts; the scripts of China, Japan and Korea have nothing to hide with.
    leads = np.flatnonzero((data >= 0xC2) & ((data < 0xE3) | (data >= 0xEA)))
    first, second, third = (
        data[np.minimum(leads + more, len(data) - 1)].astype(np.int64) for more in range(3)
    )
    starts = (first << 16) | (second << 8) | np.where(first < 0xE0, 0, third)
    return leads[np.searchsorted(_EDGES, starts, side="right") % 2 == 1]
