"""OTLP over HTTP: protobuf or JSON in, the answer in the same encoding.

POST /v1/traces | /v1/logs | /v1/metrics        else 404, 405, 415
  ──▶ who is it? ──▶ read ≤ limit ──▶ thread: gunzip ≤ limit, JSON → protobuf ──▶ deliver ──▶ 200 | Status
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from aiohttp import web

from agenttracer.collector.component import Accepted
from agenttracer.collector.decode.otlp_json import json_to_protobuf
from agenttracer.collector.endpoint import bind_as_worker
from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.collector.receivers.otlp.answers import Answers
from agenttracer.collector.receivers.otlp.cors import CorsPolicy
from agenttracer.collector.receivers.otlp.delivery import Delivery
from agenttracer.collector.receivers.otlp.http_body import WINDOW_BITS, Share, decompress, read_body
from agenttracer.collector.receivers.otlp.options import HttpProtocol
from agenttracer.collector.receivers.otlp.status import Refusal, response_of
from agenttracer.collector.receivers.otlp.tls import ssl_context
from agenttracer.collector.shared_limit import SharedLimit
from agenttracer.schemas.batch import Signal

P = ParamSpec("P")
T = TypeVar("T")

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_NUM_THREADS = 2
_INLINE_BYTES = 64 * 1024

_METHOD_NOT_ALLOWED = "405 method not allowed, supported: [POST]"
_BAD_CONTENT_TYPE = f"415 unsupported media type, supported: [{_JSON}, {_PROTOBUF}]"
_BAD_ENCODING = "415 unsupported content encoding, supported: [gzip, deflate, identity]"


def _without_error(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


_log = logging.getLogger(__name__)
_log.addFilter(_without_error)  # aiohttp's errors quote the bytes that they could not parse


class HttpServer:
    """Serves from ``start`` until ``stop``, on the event loop; ``port`` is the one that is really open."""

    def __init__(self, options: HttpProtocol, delivery: Delivery, *, grace_seconds: float) -> None:
        self._options = options
        self._delivery = delivery
        self._who = f"{delivery.context.id} (HTTP)"
        self._cors = CorsPolicy(options.cors)
        self._buffered = SharedLimit(options.max_buffered_bytes)
        self._threads = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="otlp-http")
        app = web.Application()
        paths = {
            options.traces_url_path: Signal.TRACES,
            options.logs_url_path: Signal.LOGS,
            options.metrics_url_path: Signal.METRICS,
        }
        for path, signal in paths.items():
            app.router.add_route("*", path, partial(self._answer, signal))
        # Bodies are decompressed here, where it stops at the limit.
        self._runner = web.AppRunner(
            app,
            logger=_log,
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=grace_seconds,
            keepalive_timeout=options.idle_timeout,  # also for a connection's first request
        )
        self.port = 0

    async def start(self) -> None:
        """Raises ``StartError``."""
        tls = None if self._options.tls is None else ssl_context(self._options.tls, self._who)
        self._answers = Answers()
        await self._runner.setup()
        for open_socket in bind_as_worker(self._options.endpoint, self._who, self._delivery.context.worker):
            self.port = open_socket.getsockname()[1]
            await web.SockSite(self._runner, open_socket, ssl_context=tls).start()

    async def stop(self) -> None:
        """Refuse new connections, let requests end within the grace. Safe before ``start``, and twice."""
        await self._runner.cleanup()
        # Transports close their sockets in the loop's next turn.
        await asyncio.sleep(0)
        self._threads.shutdown(wait=False)

    async def _answer(self, signal: Signal, http: web.Request) -> web.Response:
        origin = http.headers.get("Origin")
        if http.method == "OPTIONS" and origin is not None:
            wanted = http.headers.get("Access-Control-Request-Headers", "")
            return web.Response(status=204, headers=self._cors.preflight_headers(origin, wanted))
        response = _complaint(http)
        if response is None:
            response = await self._export(signal, http, is_json=http.content_type == _JSON)
        else:
            self._delivery.count("refused")
        response.headers.update(self._cors.headers(origin))
        return response

    async def _export(self, signal: Signal, http: web.Request, *, is_json: bool) -> web.Response:
        tenant = self._delivery.authenticate(http.headers)
        if isinstance(tenant, Refusal):
            return _refused(tenant, is_json)
        try:
            with Share(self._buffered, tenant) as share:
                body = await self._read(signal, http, share, is_json=is_json)
                accepted = await self._deliver(signal, body, tenant)
            answer = response_of(signal, accepted, as_json=is_json)
        except Exception as error:
            return _refused(self._delivery.refuse(error), is_json)
        self._delivery.count("success")
        return web.Response(body=answer, content_type=_JSON if is_json else _PROTOBUF)

    async def _read(self, signal: Signal, http: web.Request, share: Share, *, is_json: bool) -> bytes:
        """The request as protobuf."""
        limit_bytes = self._options.max_request_body_size
        compression = _compression(http)
        has_come = http.content.is_eof()  # a short one comes with its headers
        try:
            async with asyncio.timeout(None if has_come else self._options.read_timeout):
                body = await read_body(http, limit_bytes, share)
        except TimeoutError:
            raise Unavailable("the request's body came too slowly") from None
        if compression != "identity":
            body = await self._in_thread(decompress, body, compression, limit_bytes)
            share.take(len(body))
        if is_json:
            body = await self._in_thread(_from_json, signal, body)
        return body

    async def _deliver(self, signal: Signal, body: bytes, tenant: str) -> Accepted:
        # Delivering costs a hash of the bytes: not on the event loop, where it is long.
        if len(body) > _INLINE_BYTES:
            answer = await self._in_thread(self._delivery.send, signal, body, tenant)
        else:
            answer = self._delivery.send(signal, body, tenant)
        return await self._answers.wait_for(answer, self._delivery.response_timeout_seconds)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _compression(http: web.Request) -> str:
    return http.headers.get("Content-Encoding", "identity").strip().lower() or "identity"


def _complaint(http: web.Request) -> web.Response | None:
    """The answer to a request that can't be understood at all, in the Collector's words."""
    if http.method != "POST":
        return web.Response(status=405, text=_METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
    if http.content_type not in (_PROTOBUF, _JSON):
        return web.Response(status=415, text=_BAD_CONTENT_TYPE)
    if _compression(http) not in (*WINDOW_BITS, "identity"):
        return web.Response(status=415, text=_BAD_ENCODING, headers={"Accept-Encoding": "gzip, deflate"})
    return None


def _refused(refusal: Refusal, is_json: bool) -> web.Response:
    response = web.Response(
        status=refusal.http_status,
        body=refusal.serialize(as_json=is_json),
        content_type=_JSON if is_json else _PROTOBUF,
    )
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = refusal.retry_after
    if refusal.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _from_json(signal: Signal, body: bytes) -> bytes:
    try:
        return json_to_protobuf(signal, body)
    except ValueError as error:
        raise Rejected(str(error), reason="malformed") from None
