"""Check digits: what makes a number a card's or a person's, and not a counter.

All take the bare characters. Each follows the issuer's published algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_DIHEDRAL = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def digits_of(text: str) -> str:
    """The digits in a text, without what stands between them."""
    return "".join(character for character in text if character in "0123456789")


def luhn(digits: str) -> bool:
    """Cards (ISO/IEC 7812), CA SIN, SE personnummer."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def mod_97(iban: str) -> bool:
    """IBAN (ISO 13616)."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    """IN Aadhaar."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_DIHEDRAL[check][int(_PERMUTED[place % 8][int(digit)])])
    return check == 0


def mod_11_10(digits: str) -> bool:
    """DE Steuer-ID (ISO 7064)."""
    product = 10
    for digit in digits[:-1]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits times their weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_date(year: str, month: str, day: str) -> bool:
    """Whether there is such a day; a year of two digits is of the 20th century, or of the 21st."""
    for century in ("",) if len(year) == 4 else ("19", "20"):
        try:
            date(int(century + year), int(month), int(day))
        except ValueError:
            continue
        return True
    return False
