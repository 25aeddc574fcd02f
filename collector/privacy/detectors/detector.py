"""One row of the table: what a detector looks for, and the examples that prove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """What a pattern found, for the second look."""

    text: str
    value: str
    """What is to be masked of it: all, or what the groups of the pattern leave."""
    before: str
    after: str
    """The characters around ``text``: one, and up to two."""


@dataclass(frozen=True, slots=True)
class Detector:
    """What may not be in a value.

    ``pattern`` is RE2's, as short as tells it, and goes around the whole of what is to be masked; a first group
    is left of that and stays, a second one right of it. ``verify`` is a second look, at what ``pattern`` found
    alone. ``hits`` and ``misses`` are made up.
    """

    name: str
    pattern: str
    hits: tuple[str, ...]
    misses: tuple[str, ...]
    verify: Callable[[Hit], bool] | None = None
    default: bool = True
    free_text: bool = False
    """Only in free text: ids look like what it finds."""


def labelled(words: str, value: str) -> str:
    """A pattern of ``value`` behind one of ``words``: for digits that could as well be a counter."""
    return rf"(?:\b|_)(?i:{words})(?:\b|_)[^0-9\n]{{0,24}}{value}"


def chars(length: int) -> str:
    """That many letters and digits, for an example that no scanner of source code takes for a secret."""
    return ("aB3dE6gH9jK2mN5pQ8sT1vW4xY7z" * (length // 28 + 1))[:length]


def stands_alone(hit: Hit) -> bool:
    """No longer number, id or version around it: RE2 can't look around itself."""
    return not (
        _is_part(hit.before, "-._+")
        or _is_part(hit.after[:1], "-_+")
        or (hit.after[:1] == "." and _is_part(hit.after[1:], ""))
    )


def _is_part(character: str, joining: str) -> bool:
    return character != "" and character.isascii() and (character.isalnum() or character in joining)
