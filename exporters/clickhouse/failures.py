"""What an error of ClickHouse means for the rows: try again, or never. Its message is not passed on.

ClickHouse quotes values and rows in its messages, so only the code and its name leave this file.
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from agenttracer.collector.errors import Rejected, Unavailable

_CODE = re.compile(r"Code: (\d+)")
_NAME = re.compile(r"[A-Z][A-Z0-9_]+")

# The rows, or the tables that they are for, are not what the other is made for; no repetition helps.
_REJECTED = frozenset(
    {
        6,
        8,
        9,
        10,
        16,
        20,
        26,
        27,
        33,
        34,
        36,
        38,
        41,
        43,
        44,
        47,
        48,
        49,
        50,
        53,
        60,
        62,
        69,
        70,
        72,
        117,
        128,
        131,
    }
    | {130, 190, 233, 321, 349, 386, 407, 441, 456, 595, 691, 704}
)
# It will pass, but not in a second: parts must merge, a disk must become free. Memory is, as soon as a query ends.
_LONG = frozenset({202, 243, 252})
_LONG_SECONDS = 10.0


def code_of(error: Exception) -> int | None:
    """ClickHouse's number of the error; None if no ClickHouse answered."""
    code = error.code if isinstance(error, Error) else None
    if code is None and isinstance(error, ClickHouseError) and (match := _CODE.search(str(error))):
        code = int(match[1])
    return code


def describe(error: Exception) -> str:
    """The code and its name, or the kind of failure: nothing that the message quotes."""
    code = code_of(error)
    if code is None:
        return f"no answer ({type(error.__cause__ or error).__name__})"
    name = error.name if isinstance(error, Error) else None
    return f"error {code} ({name})" if name and _NAME.fullmatch(name) else f"error {code}"


def failure(error: Exception, table: str, rows: int) -> Rejected | Unavailable:
    """The exception to raise for an insert that failed."""
    code = code_of(error)
    message = f"ClickHouse: {describe(error)} for {rows} rows of {table}"
    if code in _REJECTED:
        return Rejected(message, reason=f"clickhouse_{code}")
    return Unavailable(message, retry_after_seconds=_LONG_SECONDS if code in _LONG else 1.0)
