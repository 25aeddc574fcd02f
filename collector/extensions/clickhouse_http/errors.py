"""What the engine refuses, in ClickHouse's words: ``Code: 60. DB::Exception: … (UNKNOWN_TABLE) (version …)``."""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)\. DB::\w*Exception: ")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")
# The engine repeats the name and its version once a layer that an exception passes.
_TRAILERS = re.compile(r"(?:\s*\((?:version [^()]*(?:\([^()]*\))?|[A-Z][A-Z0-9_]+)\)\.?)+\s*$")

_STATUS_BY_CODE = (
    {194: 401, 192: 403, 193: 403, 497: 403, 516: 403, 511: 404, 307: 413, 48: 501, 159: 408, 202: 503}
    | dict.fromkeys((6, 10, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 168, 427, 441, 675, 676), 400)
    | dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336), 404)
    | dict.fromkeys((76, 209, 439), 503)
)


class DatabaseError(Exception):
    """ClickHouse's exception: its number, its name, and a message that may quote the client's own query."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(code, name)
        self.code = code
        self.name = name
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status that a ClickHouse server answers with."""
        return _STATUS_BY_CODE.get(self.code, 500)

    def text(self, version: str) -> str:
        """The whole line as a ClickHouse server prints it."""
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name}) (version {version})\n"


def from_engine(error: Exception) -> DatabaseError:
    """The engine's exception; it hands over nothing but a text."""
    text = str(error)
    match = _CODE.search(text)
    if match is None:
        return DatabaseError(1002, "UNKNOWN_EXCEPTION", text)
    code, names = int(match[1]), _NAME.findall(text)
    while match is not None:
        text = text[match.end() :]
        match = _CODE.match(text)
    return DatabaseError(code, names[-1] if names else "UNKNOWN_EXCEPTION", _TRAILERS.sub("", text))
