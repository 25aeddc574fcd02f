"""OTLP over gRPC: raw bytes from the wire to the pipeline, a task a waiting request.

    connection ──▶ who is it? ──▶ read the message ──▶ deliver ──▶ wait ──▶ OK | status
                      └─ unknown: refused before the message is read

Nothing here parses protobuf. The asyncio server: when requests wait for their group's fsync, it costs
180 µs of CPU a request where the threaded one costs 240, and no thread contends with the workers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import NoReturn

import grpc

from agenttracer.collector.component import Worker
from agenttracer.collector.endpoint import bind_as_worker
from agenttracer.collector.errors import StartError
from agenttracer.collector.receivers.otlp.answers import Answers
from agenttracer.collector.receivers.otlp.delivery import Delivery
from agenttracer.collector.receivers.otlp.options import GrpcProtocol
from agenttracer.collector.receivers.otlp.status import Refusal, response_of
from agenttracer.collector.receivers.otlp.tls import grpc_credentials
from agenttracer.schemas.batch import Signal

_LARGE_BYTES = 1024 * 1024
"""From here on a body is hashed on a thread, where it doesn't hold up the others."""

METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}


class GrpcServer:
    """Serves from ``start`` until ``stop``; ``port`` is the one that is really open."""

    def __init__(self, options: GrpcProtocol, delivery: Delivery, *, grace_seconds: float) -> None:
        self._options = options
        self._delivery = delivery
        self._grace_seconds = grace_seconds
        self._who = f"{delivery.context.id} (gRPC)"
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises ``StartError``."""
        tls = self._options.tls
        worker = self._delivery.context.worker
        credentials = None if tls is None else await asyncio.to_thread(grpc_credentials, tls, self._who)
        server = self._server = grpc.aio.server(
            handlers=(_Handlers(self._delivery),),
            options=channel_arguments(self._options, shares_port=worker.count > 1),
        )
        # gRPC opens its own sockets, is content with one address of several, and can't say why one failed.
        for address in await asyncio.to_thread(_probe, self._options.endpoint, self._who, worker):
            try:
                if credentials is None:
                    self.port = server.add_insecure_port(address)
                else:
                    self.port = server.add_secure_port(address, credentials)
            except RuntimeError as error:
                raise StartError(f"{self._who} can't listen on {address}; change the endpoint.") from error
        await server.start()

    async def stop(self) -> None:
        """Refuse new calls, let those that run end within the grace. Safe before ``start``, and twice."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(self._grace_seconds)


def channel_arguments(options: GrpcProtocol, *, shares_port: bool = False) -> list[tuple[str, int]]:
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
        ("grpc.so_reuseport", int(shares_port)),
        # Holds for the message as sent and, since grpcio 1.83.2, while it is decompressed.
        ("grpc.max_receive_message_length", options.max_recv_msg_size_mib * 1024 * 1024),
        ("grpc.keepalive_permit_without_calls", int(policy.permit_without_stream)),
        *((name, value) for name, value in limits.items() if value),
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _probe(endpoint: str, who: str, worker: Worker) -> list[str]:
    # Without listening, because what a client sent to a socket that is closed again would be refused.
    sockets = bind_as_worker(endpoint, who, worker, listening=worker.count == 1)
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
        self._answers = Answers()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        signal = METHODS.get(handler_call_details.method)
        if signal is None:
            return None
        tenant = self._delivery.authenticate(dict(handler_call_details.invocation_metadata))
        if isinstance(tenant, Refusal):
            # A unary handler is called after the message was read; a streaming one reads when it asks to.
            return grpc.stream_unary_rpc_method_handler(partial(_refuse_unread, tenant))
        return grpc.unary_unary_rpc_method_handler(partial(self._export, signal, tenant))

    async def _export(
        self, signal: Signal, tenant: str, body: bytes, call: grpc.aio.ServicerContext
    ) -> bytes:
        delivery = self._delivery
        try:
            if len(body) < _LARGE_BYTES:
                answer = delivery.send(signal, body, tenant)
            else:
                answer = await asyncio.to_thread(delivery.send, signal, body, tenant)
            accepted = await self._answers.wait_for(answer, delivery.response_timeout_seconds)
            response = response_of(signal, accepted)
        except Exception as error:
            await _abort(call, delivery.refuse(error))
        delivery.count("success")
        return response


async def _refuse_unread(
    refusal: Refusal, _: AsyncIterator[bytes], call: grpc.aio.ServicerContext
) -> NoReturn:
    await _abort(call, refusal)


async def _abort(call: grpc.aio.ServicerContext, refusal: Refusal) -> NoReturn:
    trailing = (("grpc-status-details-bin", refusal.serialize()),)
    await call.abort(refusal.code, refusal.message, trailing)
    raise AssertionError("unreachable: abort raises")
