"""What a request costs before anything is done with it: grpcio's server with an empty handler."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection

import grpc

from agenttracer.collector.receivers.otlp.grpc_server import METHODS, channel_arguments
from agenttracer.collector.receivers.otlp.options import GrpcProtocol
from tests.benchmarks.target import Target


class GrpcFloor(Target):
    """The receiver's threads and channel arguments, and nothing else of it."""

    name = "grpcio, empty handler"

    def _start(self, ends: ExitStack) -> None:
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        ends.callback(process.join)
        ends.callback(process.terminate)
        self.address = f"localhost:{pipe.recv()}"
        assert process.pid is not None
        self.pid = process.pid


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
