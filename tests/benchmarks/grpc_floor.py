"""What a request costs before anything is done with it: grpcio's server with an empty handler."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import grpc

from agenttracer.collector.receivers.otlp.grpc_server import METHODS, channel_arguments
from agenttracer.collector.receivers.otlp.options import GrpcProtocol
from tests.benchmarks.target import Target


class GrpcFloor(Target):
    """The receiver's threads and channel arguments, and nothing else of it."""

    name = "grpcio, empty handler"

    def __enter__(self) -> Self:
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.address = f"localhost:{pipe.recv()}"
        assert self._process.pid is not None
        self.pid = self._process.pid
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()


class _Empty(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return _HANDLER if handler_call_details.method in METHODS else None


_HANDLER = grpc.unary_unary_rpc_method_handler(lambda body, call: b"")


def _serve(pipe: Connection) -> None:
    options = GrpcProtocol()
    threads = ThreadPoolExecutor(32)
    server = grpc.server(threads, handlers=(_Empty(),), options=channel_arguments(options))
    pipe.send(server.add_insecure_port("localhost:0"))
    server.start()
    signal.pause()
