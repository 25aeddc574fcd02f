"""ClickHouse's HTTP server: admits queries, runs them in threads, and sends what comes out block by block."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from aiohttp import web

from agenttracer.collector.component import Context, Extension
from agenttracer.collector.endpoint import bind
from agenttracer.collector.extensions.clickhouse_http.answer import Answer
from agenttracer.collector.extensions.clickhouse_http.engine import MAX_STATEMENT_BYTES, Engine
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.execution import Execution
from agenttracer.collector.extensions.clickhouse_http.options import ClickHouseHttpOptions
from agenttracer.collector.extensions.clickhouse_http.request import (
    Query,
    body,
    check_length,
    read_form,
    read_query,
)
from agenttracer.collector.extensions.clickhouse_http.session import Session, Sessions
from agenttracer.collector.extensions.clickhouse_http.statement import IncompleteError, data_offset

_log = logging.getLogger(__name__)
_FIRST_LOOK_BYTES = 1 << 16
_APPEND_BYTES = 1 << 20
_MAX_URI_BYTES = 1 << 20  # ClickHouse's http_max_uri_size
T = TypeVar("T")


class ClickHouseHttp(Extension[ClickHouseHttpOptions]):
    """Listens on ``port`` between ``start`` and ``stop``."""

    # The first connection to an embedded engine sets its limits: that is the exporter's.
    starts_last = True

    options_type = ClickHouseHttpOptions

    def __init__(self, options: ClickHouseHttpOptions, context: Context) -> None:
        super().__init__(options, context)
        self.port = 0
        self._engine = Engine(options.folder, context.id)
        self._sessions = Sessions()
        self._running: dict[str, Query] = {}
        self._runner: web.AppRunner | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._limits: dict[str, float] = {
            "max_execution_time": options.max_query_seconds,
            "max_result_bytes": options.max_result_bytes,
            "max_memory_usage": options.max_query_memory_bytes,
        }

    async def start(self) -> None:
        """Open the store and the port; raises ``StartError``."""
        self._engine.load()
        await asyncio.to_thread(self._engine.open)
        # Two more than queries, so that cancelling never waits for what it is to end.
        self._threads = ThreadPoolExecutor(self.options.max_concurrent_queries + 2, "clickhouse_http")
        app = web.Application()
        for path in ("/ping", "/replicas_status"):
            app.router.add_get(path, _ok)
        for method in ("GET", "HEAD", "POST", "PUT"):
            app.router.add_route(method, "/{path:(query)?}", self._serve)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            handler_cancellation=True,  # a client that goes away takes its query with it
            auto_decompress=False,
            max_line_size=_MAX_URI_BYTES,
        )
        await self._runner.setup()
        try:
            for open_socket in bind(self.options.endpoint, self.context.id):
                self.port = open_socket.getsockname()[1]
                await web.SockSite(self._runner, open_socket).start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Cancel what runs, close the port and the store."""
        runner, self._runner = self._runner, None
        threads, self._threads = self._threads, None
        if runner is not None:
            for site in list(runner.sites):
                await site.stop()
            await asyncio.to_thread(
                self._engine.kill, [query.log_comment for query in self._running.values()]
            )
            await runner.cleanup()
        for handle in self._sessions.clear():
            await asyncio.to_thread(handle.close)
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        await asyncio.to_thread(self._engine.close)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD" or (request.method == "GET" and not request.query_string):
            return await _ok(request)
        answer, started, outcome = Answer(request, self._engine), time.monotonic(), "done"
        try:
            query = read_query(request, self.options.users)
            answer.query_id = query.id
            async with self._admitted(query), self._session(query) as session:
                execution = Execution(self._engine, self._limits, query, session)
                try:
                    await self._execute(request, query, execution, answer)
                finally:
                    await self._in_thread(execution.close)
                return await answer.finish(execution)
        except DatabaseError as error:
            outcome = f"code {error.code}"
            return answer.fail(error)
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except ConnectionError:
            outcome = "disconnected"
            return answer.fail(DatabaseError(210, "NETWORK_ERROR", "The client has gone"))
        except web.RequestPayloadError:
            outcome = "broken request"
            return answer.fail(DatabaseError(117, "INCORRECT_DATA", "The request's body is broken"))
        except Exception as error:
            outcome = type(error).__name__
            self._report(error)
            return answer.fail(
                DatabaseError(1002, "UNKNOWN_EXCEPTION", "A bug in this server; its log has more")
            )
        finally:
            seconds = time.monotonic() - started
            _log.debug("%s: %s, %d bytes, %.3f s", self.context.id, outcome, answer.sent_bytes, seconds)

    def _report(self, error: Exception) -> None:
        self.context.telemetry.add("agenttracer_component_errors_total", component=self.context.id)
        # Frames, but never the message: it may quote a query or a row.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s: unexpected %s\n%s", self.context.id, type(error).__name__, frames)

    @asynccontextmanager
    async def _admitted(self, query: Query) -> AsyncIterator[None]:
        limit = self.options.max_concurrent_queries
        if len(self._running) >= limit:
            message = f"Too many simultaneous queries. Maximum: {limit}"
            raise DatabaseError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message)
        if query.id in self._running:
            message = "A query with the same id is already running"
            raise DatabaseError(216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", message)
        self._running[query.id] = query
        try:
            yield
        finally:
            del self._running[query.id]

    @asynccontextmanager
    async def _session(self, query: Query) -> AsyncIterator[Session | None]:
        if query.session_id is None:
            yield None
            return
        session, expired = self._sessions.acquire(
            query.user, query.session_id, must_exist=query.must_have_session
        )
        try:
            for handle in expired:
                await self._in_thread(handle.close)
            yield session
        finally:
            self._sessions.release(session, query.session_seconds)

    async def _execute(
        self, request: web.Request, query: Query, execution: Execution, answer: Answer
    ) -> None:
        if request.content_type == "multipart/form-data":
            await read_form(request, query)
            pieces: AsyncIterator[bytes] = _nothing()
        else:
            pieces = body(request, query)
        text, data_at = await self._read_statement(query.text, pieces)
        await self._in_thread(partial(execution.open, text[:data_at]))
        if data_at is not None:
            await self._insert(execution, text[data_at:], pieces)
            return
        while (block := await self._in_thread(execution.next_block, execution)) is not None:
            await answer.send(execution, block)

    async def _read_statement(self, text: bytes, pieces: AsyncIterator[bytes]) -> tuple[bytes, int | None]:
        """The statement, and where in it an INSERT's data begin: what follows is left in ``pieces``."""
        read = bytearray(text)
        if read:
            read += b"\n"  # as on a server, where the body goes on after the URL's query
        look_at_bytes = _FIRST_LOOK_BYTES
        async for piece in pieces:
            read += piece
            if len(read) >= look_at_bytes:
                try:
                    written = read.decode("latin-1")
                    data_at = await self._in_thread(partial(data_offset, written, complete=False))
                except IncompleteError:
                    pass
                else:
                    if data_at is not None:
                        return bytes(read), data_at
                # Not at every piece: they may be single bytes.
                look_at_bytes = 2 * len(read)
            check_length(MAX_STATEMENT_BYTES - len(read))
        written = read.decode("latin-1")
        return bytes(read), await self._in_thread(partial(data_offset, written, complete=True))

    async def _insert(self, execution: Execution, data: bytes, pieces: AsyncIterator[bytes]) -> None:
        await self._in_thread(execution.insert)
        waiting = bytearray(data)
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= _APPEND_BYTES:
                await self._in_thread(partial(execution.append, bytes(waiting)))
                waiting.clear()
        if waiting:
            await self._in_thread(partial(execution.append, bytes(waiting)))
        await self._in_thread(execution.finish)

    async def _in_thread(self, work: Callable[[], T], execution: Execution | None = None) -> T:
        """Work's result. If the client goes, ``execution`` is cancelled; either way work is over on return."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if execution is not None and execution.can_be_cancelled:
                await loop.run_in_executor(self._threads, execution.cancel)
            await asyncio.wait([future])
            future.exception()  # nobody else asks
            raise


async def _nothing() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n", headers={"X-ClickHouse-Server-Display-Name": socket.gethostname()})
