"""Names in the scripts of the world: a second look at those that are not ASCII.

Blanks of another kind would make a name of a sentence, characters that nobody sees would hide one in it, and
some scripts write their sentences without blanks.
"""

from __future__ import annotations

import re
import unicodedata

# Separators, controls, formats, surrogates, private and unassigned characters.
_NO_LETTERS = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"})
# Letters and marks that show nothing; the selector of coloured pictures (FE0F) is none of them.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
)
_MOST_IDEOGRAPHS = 12
_MOST_SYLLABLES = 32
_IDEOGRAPHS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Thai, Lao, Tibetan, Burmese, Khmer, Kana.
_SYLLABLES = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff]")


def is_legible_name(text: str) -> bool:
    """Whether a name of the right form shows all that it says, and is no sentence written without blanks."""
    return (
        _BLANK.search(text) is None
        and len(_IDEOGRAPHS.findall(text)) <= _MOST_IDEOGRAPHS
        and len(_SYLLABLES.findall(text)) <= _MOST_SYLLABLES
        and not any(unicodedata.category(character) in _NO_LETTERS for character in text.replace(" ", ""))
    )
