"""What HTTP must know of a statement: its verb, names, settings and format, and where an INSERT's data begin.

    INSERT INTO t (a, b) FORMAT Native\\n<bytes>      data_offset: after the line's end
    SELECT file('x') FROM t SETTINGS max_threads = 2  verb SELECT; names file, t, …; settings {max_threads: 2}

Only ``data_offset`` reads what a client wrote. A ``Statement`` reads what the engine's own parser wrote back
(``formatQuerySingleLine``): one statement, without comments, its keywords in capitals, every quote escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_QUOTED = r"(?P<string>'(?:[^'\\]|\\.)*')|(?P<name>`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\")"
_BARE = r"(?P<word>[A-Za-z_$][\w$]*)|(?P<number>\d[\w.]*)|(?P<other>\S)"
_CANONICAL = re.compile(f"{_QUOTED}|{_BARE}", re.DOTALL)
_COMMENT = r"(?P<comment>--[^\n]*|\#[ !][^\n]*|/\*.*?(?:\*/|\Z)|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
_WRITTEN = re.compile(f"{_COMMENT}|{_QUOTED}|{_BARE}", re.DOTALL)
_DATA_GAP = re.compile(r"[ \t\f]*\r?\n?")
_NESTING = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}

Token = tuple[str, str]
"""Its kind (string, name, word, number, other) and its text."""


class IncompleteError(Exception):
    """The text ends before it is clear where the data begin."""


@dataclass(frozen=True)
class Statement:
    """One statement in the engine's words."""

    sql: str
    tokens: tuple[Token, ...]

    @classmethod
    def of(cls, canonical: bytes) -> Statement:
        """From the bytes of ``formatQuerySingleLine``."""
        sql = canonical.decode("utf-8", "surrogateescape")
        return cls(sql, tuple((str(m.lastgroup), m.group()) for m in _CANONICAL.finditer(sql)))

    @property
    def verb(self) -> str:
        """The first word."""
        return self.tokens[0][1].upper() if self.tokens else ""

    @property
    def format(self) -> str | None:
        """The format that the statement itself asks for, or says that its data have."""
        if len(self.tokens) > 2 and self.tokens[-2] == ("word", "FORMAT"):
            return _plain(self.tokens[-1])
        return None

    @property
    def without_format(self) -> str:
        """The text up to its FORMAT clause."""
        return self.sql if self.format is None else self.sql[: self.sql.rindex("FORMAT")].rstrip()

    def has(self, *words: str) -> bool:
        """Whether these keywords stand in a row."""
        wanted = tuple(("word", word) for word in words)
        starts = range(len(self.tokens) - len(wanted) + 1)
        return any(self.tokens[at : at + len(wanted)] == wanted for at in starts)

    def names(self) -> Iterator[tuple[int, str]]:
        """Every identifier and the place of its token; keywords and bare values are among them."""
        for at, token in enumerate(self.tokens):
            if token[0] in ("word", "name"):
                yield at, _plain(token)

    def text(self, at: int) -> str:
        """A token's text; nothing beyond either end."""
        return self.tokens[at][1] if 0 <= at < len(self.tokens) else ""

    def settings(self) -> dict[str, str]:
        """Settings that SETTINGS clauses or SET change, to the SQL literals of their new values."""
        found: dict[str, str] = {}
        for at, token in enumerate(self.tokens):
            if token == ("word", "SETTINGS") or (at == 0 and token == ("word", "SET")):
                found.update(self._assignments(at + 1))
        return found

    def _assignments(self, at: int) -> Iterator[tuple[str, str]]:
        """``a = 1, b = -2, c = ['x', 'y']``, as far as it goes."""
        while self.tokens[at : at + 1] and self.text(at + 1) == "=":
            end = self._value_end(at + 2)
            value = "".join(text for _, text in self.tokens[at + 2 : end])
            if value != "DEFAULT":
                yield _plain(self.tokens[at]), value
            if self.text(end) != ",":
                return
            at = end + 1

    def _value_end(self, at: int) -> int:
        """Behind a literal or a call, brackets and all."""
        depth = _NESTING.get(self.text(at), 0)
        at += 2 if self.text(at) == "-" else 1
        while at < len(self.tokens) and (depth or self.text(at) == "("):
            depth += _NESTING.get(self.text(at), 0)
            at += 1
        return at


def _plain(token: Token) -> str:
    kind, text = token
    if kind == "word":
        return text
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text[1:-1])


def data_offset(text: str, *, complete: bool) -> int | None:
    """Where the data of an INSERT begin; None for a statement that brings none.

    ``text`` is latin-1, a character a byte. Raises ``IncompleteError`` when it is only a beginning and too
    short to say.
    """
    depth, is_named, in_format, verb = 0, False, False, ""
    for match in (m for m in _WRITTEN.finditer(text) if m["comment"] is None):
        if match.end() == len(text) and not complete:
            raise IncompleteError
        if in_format:
            end = _DATA_GAP.match(text, match.end()).end()  # type: ignore[union-attr]
            if end == len(text) and not complete:
                raise IncompleteError
            return end
        word = match.group().upper() if match["word"] else match.group()
        if not verb:
            verb = word
            if verb != "INSERT":
                return None
            continue
        depth += _NESTING.get(word, 0)
        if depth:
            continue
        if not is_named or word == ".":
            is_named = word not in (".", "INTO", "TABLE", "FUNCTION")
        elif word in ("SELECT", "WITH", "FROM", "WATCH"):
            return None
        elif word == "VALUES":
            return match.end()
        else:
            in_format = word == "FORMAT"
    if complete:
        return None
    raise IncompleteError
