"""One query on one handle, from its text to blocks of its answer. Every method blocks: call it in a thread."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from agenttracer.collector.extensions.clickhouse_http import native, rules
from agenttracer.collector.extensions.clickhouse_http.encoding import encoder, negotiate
from agenttracer.collector.extensions.clickhouse_http.engine import Engine, Handle, Insert, literal, slices
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.framing import FrameEncoder
from agenttracer.collector.extensions.clickhouse_http.request import Query, check_names
from agenttracer.collector.extensions.clickhouse_http.session import Session
from agenttracer.collector.extensions.clickhouse_http.statement import Statement

_BLOCK_BYTES = 1 << 20
_ANSWERING = frozenset(("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS", "CHECK", "KILL"))
# The engine formats every block by itself: these formats have nothing before, between or behind rows.
_STREAMED = frozenset(
    "native tsv tabseparated tsvraw tabseparatedraw csv tskv rowbinary msgpack bsoneachrow lineasstring rawblob "
    "jsoneachrow jsonlines ndjson jsoncompacteachrow jsonstringseachrow jsoncompactstringseachrow".split()
)


class Execution:
    """Checked when ``open`` returns; then ``next_block`` for an answer, or ``insert`` for data."""

    def __init__(
        self, engine: Engine, limits: Mapping[str, float], query: Query, session: Session | None
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._query = query
        self._session = session
        self._handle: Handle | None = None
        self._blocks: Iterator[bytes] | None = None
        self._insert: Insert | None = None
        self._started = time.perf_counter()
        self._summary: dict[str, int] = {}
        self.statement = Statement("", ())
        self.encoding: str | None = None
        self.exception_tag = secrets.token_hex(8)

    def open(self, text: bytes) -> None:
        """Have the engine parse the text, check it, and prepare a handle; raises ``DatabaseError``."""
        query, session = self._query, self._session
        kept = session.handle if session is not None and not query.is_readonly else None
        handle = self._handle = kept or self._engine.connect()
        statement = self.statement = handle.parse(text)
        values = query.parameters.values()
        rules.check(statement, values, self._engine.sources_outside, is_readonly=query.is_readonly)
        changed = statement.settings()
        check_names(changed)
        rules.check_limits(self._limits, changed)
        database = query.database or (session.database if session is not None else None)
        if database:
            handle.use(database)
        handle.set({name: literal(value) for name, value in query.parameters.items()})
        handle.set(self._settings(changed))
        if query.settings.get("enable_http_compression", "1") != "0" and not query.wants_framed_answer:
            self.encoding = negotiate(query.accept_encoding)

    def _settings(self, changed: Mapping[str, str]) -> dict[str, str]:
        query = self._query
        literals = dict(self._session.settings) if self._session is not None else {}
        literals |= {name: literal(value) for name, value in query.settings.items()}
        literals["log_comment"] = literal(query.log_comment)
        if query.is_readonly:
            # Under readonly = 1 a clause may set only what is set already, so that goes first.
            literals |= changed
        literals = rules.within(self._limits, literals)
        if query.is_readonly:
            literals["readonly"] = "2" if rules.learns_settings(self.statement) else "1"
        return literals

    @property
    def format(self) -> str | None:
        """The format of the answer; None for a statement that has none."""
        if self.statement.verb not in _ANSWERING:
            return None
        return self.statement.format or self._query.default_format

    @property
    def can_be_cancelled(self) -> bool:
        """Whether nothing is lost with a client that doesn't wait."""
        return self.statement.verb in _ANSWERING

    def next_block(self) -> bytes | None:
        """More of the answer as it is sent, perhaps empty; None at its end. Raises ``DatabaseError``."""
        if self._blocks is None:
            self._blocks = self._encoded(self._run())
        return next(self._blocks, None)

    def _run(self) -> Iterator[bytes]:
        assert self._handle is not None
        sql = self.statement.sql.encode("utf-8", "surrogateescape")
        output = self.format or "TabSeparated"
        as_over_tcp = output.lower() == "native" and self._query.protocol_version >= native.MIN_VERSION
        if self._is_streamed(output):
            blocks: Iterator[bytes] = self._handle.stream(sql, output)
        else:
            result = self._handle.query(sql, output)
            self._summarize(result)
            self._remember()
            blocks = slices(result, result.size() if as_over_tcp else _BLOCK_BYTES)
        return native.with_protocol_version(blocks) if as_over_tcp else blocks

    def _summarize(self, result: Any) -> None:
        self._summary = {
            "read_rows": result.storage_rows_read(),
            "read_bytes": result.storage_bytes_read(),
            "written_rows": result.rows_written(),
            "written_bytes": result.bytes_written(),
            "result_rows": result.rows_read() if self.format else 0,
            "result_bytes": result.bytes_read() if self.format else 0,
        }

    def _is_streamed(self, output: str) -> bool:
        return (
            not self._query.waits_for_end
            and self.statement.verb in ("SELECT", "WITH")
            and output.lower() in _STREAMED
            # Totals and extremes come behind the rows, which only a whole result has.
            and not self.statement.has("TOTALS")
            and "extremes" not in self._query.settings.keys() | self.statement.settings().keys()
        )

    def _encoded(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        compressor = FrameEncoder() if self._query.wants_framed_answer else encoder(self.encoding)
        begun = False
        try:
            for block in blocks:
                yield compressor.compress(block)
                begun = True
        except DatabaseError as error:
            if begun:
                yield compressor.compress(self._exception_block(error)) + compressor.flush()
            raise
        if rest := compressor.flush():
            yield rest

    def _exception_block(self, error: DatabaseError) -> bytes:
        text, tag = error.text(self._engine.version), self.exception_tag
        size = len(text.encode("utf-8", "surrogateescape"))
        block = f"\r\n__exception__\r\n{tag}\r\n{text}{size} {tag}\r\n__exception__\r\n"
        return block.encode("utf-8", "surrogateescape")

    def _remember(self) -> None:
        """Keep in the session what the statement changed."""
        if self._session is None:
            return
        if self.statement.verb == "SET":
            self._session.settings |= self.statement.settings()
        elif self.statement.verb == "USE":
            self._session.database = next(name for at, name in self.statement.names() if at == 1)
        elif self.statement.has("CREATE", "TEMPORARY") and not self._query.is_readonly:
            self._session.handle = self._handle

    def insert(self) -> None:
        """Begin to take data; raises ``DatabaseError``."""
        assert self._handle is not None
        sql = self.statement.without_format.encode("utf-8", "surrogateescape")
        self._insert = self._handle.insert(sql, self.statement.format or "Values")

    def append(self, data: bytes) -> None:
        """Data of the INSERT, cut anywhere; raises ``DatabaseError``."""
        assert self._insert is not None
        self._insert.append(data)

    def finish(self) -> None:
        """Commit the INSERT; raises ``DatabaseError``."""
        assert self._insert is not None
        result: Any = self._insert.finish()
        self._summary = {"written_rows": result.rows_written, "written_bytes": result.bytes_written}
        self._summary |= {"read_rows": result.rows_written, "read_bytes": result.bytes_written}

    @property
    def summary(self) -> str:
        """X-ClickHouse-Summary, as far as it is known: a stream's rows are not, when its headers go out."""
        names = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")
        counts = dict.fromkeys((*names, "result_rows", "result_bytes"), 0) | self._summary
        counts["elapsed_ns"] = int((time.perf_counter() - self._started) * 1e9)
        return json.dumps({name: str(count) for name, count in counts.items()}, separators=(",", ":"))

    def cancel(self) -> None:
        """Stop what another thread is running for this query."""
        self._engine.kill((self._query.log_comment,))

    def close(self) -> None:
        """Give everything back; what was not finished is cancelled."""
        if self._insert is not None:
            self._insert.cancel()
        handle, self._handle = self._handle, None
        if handle is None:
            return
        if self._session is None or handle is not self._session.handle:
            handle.close()
            return
        try:
            handle.reset()
        except DatabaseError:
            self._session.handle = None
            handle.close()
