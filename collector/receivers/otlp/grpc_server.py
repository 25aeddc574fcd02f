"""OTLP over gRPC: raw bytes from the wire to the pipeline, one thread a waiting request.

    connection ──▶ who is it? ──▶ thread: read the message ──▶ deliver ──▶ wait ──▶ OK | status
                      └─ unknown: refused before the message is read

grpcio's threaded server costs less CPU a request than its asyncio one, and nothing here parses protobuf.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NoReturn

import grpc

from agenttracer.collector.component import Accepted
from agenttracer.collector.endpoint import bind
from agenttracer.collector.errors import StartError
from agenttracer.collector.receivers.otlp.delivery import Delivery, late
from agenttracer.collector.receivers.otlp.options import GrpcProtocol
from agenttracer.collector.receivers.otlp.status import Refusal, response_of
from agenttracer.collector.receivers.otlp.tls import grpc_credentials
from agenttracer.schemas.batch import Signal

METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}


class GrpcServer:
    """Serves from ``start`` until ``stop``; ``port`` is the one that is really open."""

    def __init__(self, options: GrpcProtocol, delivery: Delivery, *, grace_seconds: float) -> None:
        self._options = options
        self._grace_seconds = grace_seconds
        self._who = f"{delivery.context.id} (gRPC)"
        self._threads = ThreadPoolExecutor(options.num_threads, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._threads, handlers=(_Handlers(delivery),), options=channel_arguments(options)
        )
        self.port = 0

    def start(self) -> None:
        """Raises ``StartError``. Blocks for a moment."""
        tls = self._options.tls
        credentials = None if tls is None else grpc_credentials(tls, self._who)
        # gRPC opens its own sockets, is content with one address of several, and can't say why one failed.
        for address in _probe(self._options.endpoint, self._who):
            try:
                if credentials is None:
                    self.port = self._server.add_insecure_port(address)
                else:
                    self.port = self._server.add_secure_port(address, credentials)
            except RuntimeError as error:
                raise StartError(f"{self._who} can't listen on {address}; change the endpoint.") from error
        self._server.start()

    async def stop(self) -> None:
        """Refuse new calls, let those that run end within the grace. Safe before ``start``, and twice."""
        ended = self._server.stop(self._grace_seconds)
        await asyncio.to_thread(ended.wait)
        self._threads.shutdown(wait=False)


def channel_arguments(options: GrpcProtocol) -> list[tuple[str, int]]:
    """The options as gRPC's own; a zero that means "no limit" there is left out."""
    server, policy = options.keepalive.server_parameters, options.keepalive.enforcement_policy
    limits = {
        "grpc.max_concurrent_streams": options.max_concurrent_streams,
        "grpc.max_connection_idle_ms": _ms(server.max_connection_idle),
        "grpc.max_connection_age_ms": _ms(server.max_connection_age),
        "grpc.max_connection_age_grace_ms": _ms(server.max_connection_age_grace),
        "grpc.keepalive_time_ms": _ms(server.time),
        "grpc.keepalive_timeout_ms": _ms(server.timeout),
        "grpc.http2.min_ping_interval_without_data_ms": _ms(policy.min_time),
    }
    return [
        # Without this a second collector would share the port in silence, and get half of the requests.
        ("grpc.so_reuseport", 0),
        # Holds for the message as sent and, since grpcio 1.83.2, while it is decompressed.
        ("grpc.max_receive_message_length", options.max_recv_msg_size_mib * 1024 * 1024),
        ("grpc.keepalive_permit_without_calls", int(policy.permit_without_stream)),
        *((name, value) for name, value in limits.items() if value),
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _probe(endpoint: str, who: str) -> list[str]:
    sockets = bind(endpoint, who)
    addresses = [open_socket.getsockname()[:2] for open_socket in sockets]
    families = [open_socket.family for open_socket in sockets]
    for open_socket in sockets:
        open_socket.close()
    return [
        f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
        for family, (host, port) in zip(families, addresses, strict=True)
    ]


class _Handlers(grpc.GenericRpcHandler):
    """Finds a call's handler; gRPC itself answers UNIMPLEMENTED when there is none."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        signal = METHODS.get(handler_call_details.method)
        if signal is None:
            return None
        tenant = self._delivery.authenticate(dict(handler_call_details.invocation_metadata))
        if isinstance(tenant, Refusal):
            # A unary handler is called after the message was read; a streaming one reads when it asks to.
            return grpc.stream_unary_rpc_method_handler(partial(_refuse_unread, tenant))
        return grpc.unary_unary_rpc_method_handler(partial(self._export, signal, tenant))

    def _export(self, signal: Signal, tenant: str, body: bytes, call: grpc.ServicerContext) -> bytes:
        delivery = self._delivery
        try:
            answer = delivery.send(signal, body, tenant)
            if not _wait(answer, call, delivery.response_timeout_seconds):
                raise late()
            response = response_of(signal, answer.result())
        except Exception as error:
            _abort(call, delivery.refuse(error))
        delivery.count("success")
        return response


def _wait(answer: Future[Accepted], call: grpc.ServicerContext, timeout_seconds: float) -> bool:
    """Wait until there is an answer; False if there is none in time, or the client has gone."""
    over = threading.Event()
    answer.add_done_callback(lambda _: over.set())
    if call.add_callback(over.set):
        remaining_seconds = call.time_remaining()
        over.wait(timeout_seconds if remaining_seconds is None else min(timeout_seconds, remaining_seconds))
    return answer.done()


def _refuse_unread(refusal: Refusal, _: Iterator[bytes], call: grpc.ServicerContext) -> NoReturn:
    _abort(call, refusal)


def _abort(call: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    call.set_trailing_metadata((("grpc-status-details-bin", refusal.serialize()),))
    call.abort(refusal.code, refusal.message)
    raise AssertionError("unreachable: abort raises")
