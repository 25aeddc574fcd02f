"""Markers: texts of every class that nobody may find in a store, each unique, and the search for them.

    mint = Mint()
    text = mint.marker("spans.attributes.value", CLASSES)     a card's number, a token, a sentence ...
    leaks_in(data)                                            which constants stand in some bytes, in any encoding
    mint.origin(data)                                         from which place and of which class they are

Every marker has a constant inside, ``qzkanari`` or, where only digits can stand, some digits of its own.
So one search finds all of them: as they are, in upper or lower case, or as base64 (at any of its three
alignments), percent-encoded, hexadecimal or UTF-16, whoever encoded them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from string import ascii_lowercase

Form = Callable[[str, int], str]
"""A marker out of its own word (``qzkanari`` and four letters) and its number."""


def _digits(base: str, number: int, width: int) -> str:
    return base + str(number % 10**width).zfill(width)


def _card(number: int) -> str:
    digits = _digits("49297707", number, 7)
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(digits)]
    check = -sum(each - 9 * (each > 9) for each in doubled) % 10
    return f"{digits}{check}"


def _iban(country: str, account: str) -> str:
    moved = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(moved) % 97:02d}{account}"


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _random(number: int, length: int) -> str:
    """Letters and digits as a random generator gives them, digits certainly among them."""
    digest = hashlib.sha512(str(number).encode()).digest()
    return base64.b64encode(digest).decode().replace("+", "x").replace("/", "7")[: length - 1] + "7"


def _grouped(text: str, separator: str = " ") -> str:
    return separator.join(text[at : at + 4] for at in range(0, len(text), 4))


CLASSES: dict[str, tuple[Form, ...]] = {
    "sentence": (
        lambda word, _: f"{word} told me that her diagnosis is terminal, says {word}",
        lambda word, _: f"does {word} know?",
        lambda word, _: f"Dear {word},\n\nplease cancel my order.\n{word}",
        lambda word, _: f"请取消{word}的订单，谢谢。",
        lambda word, _: json.dumps({"note": [f"ask {word}"]}),
        lambda word, _: f"<p>{word}</p>",
    ),
    "email": (
        lambda word, _: f"{word}@mail.example",
        lambda word, _: f"first.{word}+tag@sub.mail.example",
        lambda word, _: f"{word}%40mail.example",
    ),
    "phone": (
        lambda _, number: _digits("+49 170 7707", number, 3),
        lambda _, number: _digits("+491707707", number, 3),
    ),
    "card": (
        lambda _, number: _grouped(_card(number)),
        lambda _, number: _grouped(_card(number), "-"),
        lambda _, number: _card(number),
    ),
    "iban": (
        lambda word, _: _iban("LC", f"HEMM{word.upper()}000000000000"),
        lambda _, number: _iban("DE", _digits("370400447707", number, 6)),
        lambda _, number: _grouped(_iban("DE", _digits("370400447707", number, 6))),
    ),
    "ssn": (lambda _, number: f"577-07-{number % 9999 + 1:04d}",),
    "jwt": (
        lambda word, _: (
            f"{_base64url(json.dumps({'alg': 'HS256', 'typ': 'JWT'}))}."
            f"{_base64url(json.dumps({'sub': word}))}.{word}sig"
        ),
    ),
    "private_key": (
        lambda word, _: f"-----BEGIN PRIVATE KEY-----{word}",
        lambda word, _: f"-----BEGIN RSA PRIVATE KEY-----\nMII{word}\n-----END RSA PRIVATE KEY-----",
    ),
    "openai": (
        lambda word, number: f"sk-proj-{word}T3BlbkFJ{_random(number, 20)}",
        lambda word, number: f"sk-{word}{_random(number, 20)}",
    ),
    "anthropic": (lambda word, number: f"sk-ant-api03-{word}{_random(number, 80)}-{word[-4:]}AA",),
    "hugging_face": (lambda word, number: f"hf_{word}{_random(number, 22)}",),
    "stripe": (lambda word, number: f"sk_live_51{word}{_random(number, 10)}",),
    "aws": (lambda word, _: f"AKIA{word.upper()}WXYZ",),
    "google": (lambda word, number: f"AIza{word}{_random(number, 23)}",),
    "github": (
        lambda word, number: f"ghp_{word}{_random(number, 24)}",
        lambda word, number: f"github_pat_11ABCDEFG0{word}_{_random(number, 47)}{word}",
    ),
    "gitlab": (lambda word, _: f"glpat-{word}Abcd1234",),
    "slack": (lambda word, number: f"xoxb-2501234567890-{_digits('25', number, 11)}-{word}AbCd12345678",),
    "credential_url": (lambda word, _: f"postgres://admin:{word}@db.internal/prod",),
    "bearer": (
        lambda word, number: f"Bearer {word}{_random(number, 12)}",
        lambda word, _: "Basic " + base64.b64encode(f"user:{word}".encode()).decode(),
    ),
}
"""What must never survive, wherever it stands, in the shapes that come nearest to a label or a name."""

WORDS: dict[str, tuple[Form, ...]] = {
    "word": (lambda word, _: word,),
    "user_id": (lambda word, _: f"user-{word}",),
    "high_entropy": (lambda word, number: f"{_random(number, 14)}{word}{_random(number + 1, 14)}",),
}
"""What can't be told from a label or an opaque id: must never survive where none of these is allowed."""

_WORD = "qzkanari"
CONSTANTS = (
    _WORD, _WORD.upper(), "4929 7707", "4929-7707", "49297707", "+49 170 7707", "+491707707",
    "370400447707", "3704 0044 7707", "577-07-",
)  # fmt: skip
"""What every marker has inside."""
CAPTURED = "CANARY"
"""What the captures' content is marked with since they were made."""


def leaks_in(data: bytes) -> list[str]:
    """Which constants stand in the bytes, and how they are encoded."""
    lowered = data.lower()
    return [name for name, needle, folded in _NEEDLES if needle in (lowered if folded else data)]


def _needles(constant: str) -> dict[str, bytes]:
    plain = constant.encode()
    return {
        **{f"{constant} as base64 ({shift})": needle for shift, needle in enumerate(_as_base64(plain))},
        f"{constant} in hexadecimal": plain.hex().encode(),
        f"{constant} percent-encoded": "".join(f"%{byte:02x}" for byte in plain).encode(),
        f"{constant} in UTF-16": constant.lower().encode("utf-16-le"),
        constant: plain.lower(),
    }


def _as_base64(plain: bytes) -> list[bytes]:
    """What of its base64 doesn't depend on its neighbours, at each alignment."""
    found = []
    for shift in range(3):
        whole = len(plain) - (len(plain) + shift) % 3
        encoded = base64.b64encode(b"\0" * shift + plain[:whole])
        found.append(encoded[(0, 2, 3)[shift] :])
    return found


_NEEDLES = [
    (name, needle, "base64" not in name)
    for constant in (*CONSTANTS, CAPTURED)
    for name, needle in _needles(constant).items()
]


class Mint:
    """Makes markers, no two alike, and knows where each was put."""

    def __init__(self) -> None:
        self.planted: dict[str, tuple[str, str]] = {}
        self._numbers = count(1)
        self._turns: Counter[str] = Counter()

    def marker(self, place: str, classes: Mapping[str, Sequence[Form]]) -> str:
        """A new marker for a place, of each of its classes and forms in turn."""
        turn = self._turns[place]
        self._turns[place] += 1
        name = list(classes)[turn % len(classes)]
        forms = classes[name]
        number = next(self._numbers)
        text = forms[turn // len(classes) % len(forms)](_WORD + letters(number), number)
        self.planted[text] = (place, name)
        return text

    def origin(self, data: bytes) -> Counter[tuple[str, str]]:
        """(place, class) of the markers that stand in the bytes, as far as they are there in full."""
        if not leaks_in(data):
            return Counter()
        text = data.decode(errors="replace").lower()
        words = set(re.findall(rf"{_WORD}[a-z]{{4}}", text))
        return Counter(
            origin
            for marker, origin in self.planted.items()
            if (word := re.search(rf"{_WORD}[a-z]{{4}}", marker.lower())) and word[0] in words
            if marker.lower() in text
        ) + Counter(
            origin
            for marker, origin in self.planted.items()
            if _WORD not in marker.lower() and marker.lower() in text
        )


def letters(number: int) -> str:
    """A number as four letters, so that a marker can be all letters."""
    return "".join(ascii_lowercase[number // 26**place % 26] for place in (3, 2, 1, 0))
