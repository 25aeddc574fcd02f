"""The one embedded engine of this process, and handles on it: a handle has its own settings and database.

chDB allows one folder a process, locked against other processes, and any number of handles, of which each
does one thing at a time. Opening one takes a tenth of a millisecond, so every query gets its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError, from_engine
from agenttracer.collector.extensions.clickhouse_http.rules import sources_outside
from agenttracer.collector.extensions.clickhouse_http.statement import Statement
from agenttracer.schemas.embedded_store import is_open

MAX_STATEMENT_BYTES = 1 << 20
# A server's defaults where the embedded engine has its own; checking quotes a statement, which may double it.
_SERVER_SETTINGS = {
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    "max_query_size": str(3 * MAX_STATEMENT_BYTES),
}
# Names that Python's side of chDB takes for formats of its own.
_PYTHON_FORMATS = frozenset(("arrowtable", "dataframe", "datastore", "debug"))
_SOURCES = (
    "SELECT name FROM system.table_functions UNION DISTINCT SELECT name FROM system.table_engines "
    "UNION DISTINCT SELECT name FROM system.database_engines "
    "UNION DISTINCT SELECT name FROM system.dictionary_sources"
)


def literal(text: str) -> str:
    """A string as SQL writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _encode(sql: str) -> bytes:
    return sql.encode("utf-8", "surrogateescape")


class Handle:
    """One chDB connection. Its methods block, and raise ``DatabaseError``."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._stream: Stream | None = None
        self._changed: set[str] = set()
        self.set({name: literal(value) for name, value in _SERVER_SETTINGS.items()})
        self._changed.clear()

    def query(self, sql: bytes, output_format: str) -> Any:
        """Run one statement to its end; the result has ``rows_read()`` and the like."""
        _refuse_python_format(output_format)
        try:
            return self._connection.query(sql, output_format)
        except Exception as error:
            raise from_engine(error) from None

    def stream(self, sql: bytes, output_format: str) -> Stream:
        """Run a SELECT block by block."""
        _refuse_python_format(output_format)
        try:
            self._stream = Stream(self._connection.send_query(sql, output_format))
        except Exception as error:
            raise from_engine(error) from None
        return self._stream

    def insert(self, sql: bytes, input_format: str) -> Insert:
        """Begin an INSERT whose data follow."""
        try:
            return Insert(self._connection.send_insert(sql, input_format))
        except Exception as error:
            raise from_engine(error) from None

    def parse(self, text: bytes) -> Statement:
        """The statement as the engine's parser understands it; it must be one."""
        quoted = text.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
        try:
            result = self.query(b"SELECT formatQuerySingleLine('" + quoted + b"')", "TSVRaw")
        except DatabaseError as error:
            cause = error.message.partition(": In scope SELECT formatQuerySingleLine")[0]
            raise DatabaseError(error.code, error.name, cause) from None
        return Statement.of(result.bytes().rstrip(b"\n"))

    def use(self, database: str) -> None:
        """Make a database the current one."""
        escaped = database.replace("\\", "\\\\").replace("`", "\\`")
        self.query(_encode(f"USE `{escaped}`"), "TSV")

    def set(self, literals: Mapping[str, str]) -> None:
        """Change settings, all or none, to values given as SQL literals."""
        if literals:
            self.query(_encode("SET " + ", ".join(f"{k} = {v}" for k, v in literals.items())), "TSV")
            self._changed.update(name for name in literals if not name.startswith("param_"))

    def reset(self) -> None:
        """Back to how the handle was made."""
        self._close_stream()
        self.set(dict.fromkeys(self._changed, "DEFAULT"))
        self.set({name: literal(value) for name, value in _SERVER_SETTINGS.items()})
        self._changed.clear()
        self.use("default")

    def close(self) -> None:
        """Give the handle back; a stream is cancelled."""
        self._close_stream()
        self._connection.close()

    def _close_stream(self) -> None:
        # Before its handle: closing a stream whose handle is gone never returns.
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class Stream:
    """The blocks of a SELECT, formatted one by one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = self._stream.fetch()
        except Exception as error:
            raise from_engine(error) from None
        if block is None:
            raise StopIteration
        data: bytes = block.bytes()
        return data

    def close(self) -> None:
        """Cancel what is not read."""
        self._stream.close()


class Insert:
    """An INSERT whose data come piece by piece. Nothing is committed that ``finish`` did not confirm,
    but for whole blocks of a million rows."""

    def __init__(self, inserter: Any) -> None:
        self._inserter = inserter

    def append(self, data: bytes) -> None:
        """Bytes in the INSERT's format, cut anywhere."""
        try:
            self._inserter.append(data)
        except Exception as error:
            raise from_engine(error) from None

    def finish(self) -> Any:
        """Commit; the result has ``rows_written`` and ``bytes_written``."""
        try:
            return self._inserter.finish()
        except Exception as error:
            raise from_engine(error) from None

    def cancel(self) -> None:
        """Give up; harmless after ``finish``."""
        with suppress(RuntimeError):  # the engine gave up first
            self._inserter.cancel()


def slices(result: Any, block_bytes: int) -> Iterator[bytes]:
    """A whole result as blocks of a size. Its own ``bytes()`` copies all at once under the interpreter's lock."""
    if result.size():
        view = result.get_memview().view()
        for start in range(0, len(view), block_bytes):
            yield bytes(view[start : start + block_bytes])


def _refuse_python_format(name: str) -> None:
    if name.lower() in _PYTHON_FORMATS:
        raise DatabaseError(73, "UNKNOWN_FORMAT", f"Unknown format {name}")


class Engine:
    """Opens the store, and keeps it open until ``close``."""

    def __init__(self, folder: str, who: str) -> None:
        self._folder = folder
        self._who = who
        self._chdb: Any = None
        self._anchor: Handle | None = None
        self.version = ""
        self.timezone = "UTC"
        self.sources_outside: frozenset[str] = frozenset()

    def load(self) -> None:
        """Load the engine's code, on the main thread: it changes the folder of the process for a moment."""
        # Half a second and 300 MB: only who uses this extension pays for them.
        import chdb

        self._chdb = chdb

    def open(self) -> None:
        """Open the folder; raises ``StartError`` with one sentence."""
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._anchor = self.connect()
        except Exception as error:
            raise StartError(
                f"{self._who} can't open the store in {self._folder}: {self._cause(error)}."
            ) from None
        self.version, self.timezone = self._rows("SELECT version(), timezone()")[0].split("\t")
        self.sources_outside = sources_outside(self._rows(_SOURCES))

    def _cause(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return f"{error.strerror}; make the folder writable, or set another path"
        if "different path" in str(error):
            return "this process has another store open; give the same path as the clickhouse exporter's"
        if is_open(self._folder):
            return "another process has it open; stop that process, or set another path"
        return "the engine refused the folder; make it writable, or set another path"

    def _rows(self, sql: str) -> list[str]:
        assert self._anchor is not None
        rows: list[str] = self._anchor.query(sql.encode(), "TSV").bytes().decode().splitlines()
        return rows

    def connect(self) -> Handle:
        """A new handle; raises whatever the engine raises."""
        return Handle(self._chdb.connect(self._folder))

    def kill(self, comments: Iterable[str]) -> None:
        """Cancel the queries that run under these values of ``log_comment``."""
        listed = ", ".join(map(literal, comments))
        if listed and self._chdb is not None:
            handle = self.connect()
            try:
                handle.query(_encode(f"KILL QUERY WHERE Settings['log_comment'] IN ({listed})"), "TSV")
            finally:
                handle.close()

    def close(self) -> None:
        """Close the store, if nothing else of the process has it open."""
        anchor, self._anchor = self._anchor, None
        if anchor is not None:
            anchor.close()
