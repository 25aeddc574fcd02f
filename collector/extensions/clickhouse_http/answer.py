"""The response to one query: its headers, its blocks, and the exception wherever it comes.

An exception before the first block has its own status. After it, the block that says what happened is the
last one, and the connection breaks: a client that doesn't know the block still knows that something is missing.
"""

from __future__ import annotations

import socket

from aiohttp import web

from agenttracer.collector.extensions.clickhouse_http.engine import Engine
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.execution import Execution

_TEXT = "text/plain; charset=UTF-8"
_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "XML": "application/xml; charset=UTF-8",
}
_BINARY = ("Native", "RowBinary", "Arrow", "Parquet", "ORC", "Avro", "MsgPack", "BSON", "Protobuf", "Npy")


class Answer:
    """What one request is answered."""

    def __init__(self, request: web.Request, engine: Engine) -> None:
        self._request = request
        self._engine = engine
        self._response: web.StreamResponse | None = None
        self.query_id = ""
        self.sent_bytes = 0

    async def send(self, execution: Execution, block: bytes) -> None:
        """Send a block, the headers before the first; raises ``ConnectionError``."""
        response = await self._begin(execution)
        if block:
            await response.write(block)
            self.sent_bytes += len(block)

    async def finish(self, execution: Execution) -> web.StreamResponse:
        """Everything is sent."""
        response = await self._begin(execution)
        await response.write_eof()
        return response

    async def _begin(self, execution: Execution) -> web.StreamResponse:
        if self._response is None:
            self._response = response = web.StreamResponse(headers=self._headers())
            response.headers["X-ClickHouse-Summary"] = execution.summary
            response.headers["X-ClickHouse-Exception-Tag"] = execution.exception_tag
            response.headers["Content-Type"] = _content_type(execution.format)
            if execution.format is not None:
                response.headers["X-ClickHouse-Format"] = execution.format
            if execution.encoding is not None:
                response.headers["Content-Encoding"] = execution.encoding
            await response.prepare(self._request)
        return self._response

    def fail(self, error: DatabaseError) -> web.StreamResponse:
        """The refusal, or a broken connection if blocks are on their way."""
        if self._response is not None:
            if self._request.transport is not None:
                self._request.transport.close()
            return self._response
        headers = self._headers() | {"X-ClickHouse-Exception-Code": str(error.code)}
        if error.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse"'
        elif error.status == 503:
            headers["Retry-After"] = "1"
        return web.Response(
            status=error.status,
            text=error.text(self._engine.version),
            headers=headers,
            content_type="text/plain",
        )

    def _headers(self) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Server-Display-Name": socket.gethostname(),
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        return headers | ({"X-ClickHouse-Query-Id": self.query_id} if self.query_id else {})


def _content_type(output_format: str | None) -> str:
    if output_format is None:
        return _TEXT
    if output_format.startswith(_BINARY):
        return "application/octet-stream"
    return _CONTENT_TYPES.get(output_format, _CONTENT_TYPES["JSON"] if "JSON" in output_format else _TEXT)
