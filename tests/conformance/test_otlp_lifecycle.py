"""How the OTLP receiver starts, stops and reads its options."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from agenttracer.collector.component import Accepted
from agenttracer.collector.endpoint import bind
from agenttracer.collector.errors import StartError
from agenttracer.collector.receivers.otlp.grpc_server import channel_arguments
from agenttracer.collector.receivers.otlp.options import GrpcProtocol
from tests.otlp_harness import (
    GOOD,
    PROTOBUF,
    TRACES,
    FakePipeline,
    call,
    make_receiver,
    request,
    running_receiver,
)


def test_a_protocol_is_on_if_its_key_is_there() -> None:
    """``grpc:`` with nothing behind it serves gRPC on its default endpoint; ``http`` that is absent is off."""
    options = make_receiver({"grpc": None}, FakePipeline()).options
    assert options.protocols.grpc is not None
    assert "localhost:4317" == options.protocols.grpc.endpoint
    assert options.protocols.http is None


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        ({}, "must specify at least one protocol when using the OTLP receiver"),
        ({"grpcs": None}, "Extra inputs are not permitted"),
        ({"grpc": {"endpoint": "4317"}}, "must be host:port, like localhost:4317"),
        ({"grpc": {"endpoint": "localhost:70000"}}, "must be host:port, like localhost:4317"),
        ({"grpc": {"max_recv_msg_size_mib": 0}}, "greater than or equal to 1"),
        ({"http": {"max_buffered_bytes": 100}}, "at least three times max_request_body_size"),
        ({"http": {"traces_url_path": "/v1/logs"}}, "must differ"),
        ({"http": {"tls": {"cert_file": "c"}}}, "exactly one of key_file and key_pem"),
        ({"http": {"read_timeout": "5"}}, "a duration with a unit"),
    ],
)
def test_options_that_make_no_sense(protocols: Mapping[str, Any], message: str) -> None:
    """What can't work is refused before anything is opened."""
    with pytest.raises(ValidationError, match=message):
        make_receiver(protocols, FakePipeline())


def test_keepalive_reaches_grpc() -> None:
    """Every keepalive option is one of gRPC's own, in milliseconds; "no limit" is gRPC's default."""
    options = GrpcProtocol.model_validate(
        {
            "max_recv_msg_size_mib": 1,
            "max_concurrent_streams": 7,
            "keepalive": {
                "server_parameters": {
                    "max_connection_idle": "1s",
                    "max_connection_age": "2s",
                    "max_connection_age_grace": "3s",
                    "time": "4s",
                    "timeout": "5s",
                },
                "enforcement_policy": {"min_time": "6s", "permit_without_stream": True},
            },
        }
    )
    expected = {
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": 1024 * 1024,
        "grpc.max_concurrent_streams": 7,
        "grpc.max_connection_idle_ms": 1000,
        "grpc.max_connection_age_ms": 2000,
        "grpc.max_connection_age_grace_ms": 3000,
        "grpc.keepalive_time_ms": 4000,
        "grpc.keepalive_timeout_ms": 5000,
        "grpc.http2.min_ping_interval_without_data_ms": 6000,
        "grpc.keepalive_permit_without_calls": 1,
    }
    assert expected == dict(channel_arguments(options))
    assert "grpc.max_connection_age_ms" not in dict(channel_arguments(GrpcProtocol()))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_port_in_use_is_one_sentence(protocol: str, address: str) -> None:
    """A port that another process has, on either loopback address, is named together with the way out."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as taken:
        endpoint = f"localhost:{taken.getsockname()[1]}"
        sentence = f"can't listen on {endpoint}: the port is in use; stop the process that has it, or change"
        with pytest.raises(StartError, match=sentence), running_receiver({protocol: {"endpoint": endpoint}}):
            pass


def test_two_receivers_do_not_share_a_port() -> None:
    """A second receiver on the same gRPC port does not start, rather than take half of the requests."""
    with running_receiver({"grpc": {}}) as first:
        endpoint = f"localhost:{first.grpc_port}"
        with pytest.raises(StartError, match="in use"), running_receiver({"grpc": {"endpoint": endpoint}}):
            pass


def test_a_failed_start_leaves_nothing_open() -> None:
    """If HTTP can't start, gRPC's port is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for open_socket in bind("localhost:0", "test"):
            port = open_socket.getsockname()[1]
            open_socket.close()
        protocols = {
            "grpc": {"endpoint": f"localhost:{port}"},
            "http": {"endpoint": f"127.0.0.1:{taken.getsockname()[1]}"},
        }
        with pytest.raises(StartError), running_receiver(protocols):
            pass
    with running_receiver({"grpc": {"endpoint": f"localhost:{port}"}}) as running:
        assert port == running.grpc_port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_both_loopback_addresses(host: str) -> None:
    """Clients that resolve localhost to either address are served, on one port."""
    target = f"[{host}]" if ":" in host else host
    with running_receiver() as running:
        with grpc.insecure_channel(f"{target}:{running.grpc_port}") as channel:
            assert b"" == channel.unary_unary(TRACES)(GOOD, timeout=10)
        # Answered, so that the server has taken the connection before it stops.
        with closing(HTTPConnection(host, running.http_port, timeout=5)) as connection:
            connection.request("GET", "/")
            assert 404 == connection.getresponse().status


def test_an_address_of_another_machine_is_one_sentence() -> None:
    """An address that no interface has is named together with the way out."""
    with (
        pytest.raises(StartError, match="no interface of this machine has that address"),
        running_receiver({"grpc": {"endpoint": "192.0.2.1:0"}}),
    ):
        pass


def test_stop_is_safe_before_start_and_twice() -> None:
    """Stopping what is not running does nothing."""

    async def live() -> None:
        receiver = make_receiver({"grpc": {"endpoint": "localhost:0"}}, FakePipeline())
        await receiver.stop()
        await receiver.start()
        assert receiver.grpc_port > 0
        await receiver.stop()
        await receiver.stop()
        assert 0 == receiver.grpc_port

    asyncio.run(live())


def test_requests_in_flight_end_before_the_stop() -> None:
    """Stopping takes nothing new, waits for the answers that are under way, and leaves the event loop free."""
    pipeline = FakePipeline(answer=None)
    with running_receiver(pipeline=pipeline) as running, ThreadPoolExecutor(2) as clients:
        grpc_port, http_port = running.grpc_port, running.http_port
        calls = [
            clients.submit(call, grpc_port, TRACES, GOOD),
            clients.submit(request, http_port),
        ]
        while len(pipeline.unanswered) < 2:
            pipeline.arrived.wait(0.01)
        stop = asyncio.run_coroutine_threadsafe(running.receiver.stop(), running.loop)
        _wait_until_closed(grpc_port)
        _wait_until_closed(http_port)
        running.run(asyncio.sleep(0))
        assert not stop.done()
        for answer in pipeline.unanswered:
            answer.set_result(Accepted())
        stop.result(10)
        assert b"" == calls[0].result()
        assert 200 == calls[1].result().status


def _wait_until_closed(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionError:
            return
        time.sleep(0.01)


def test_the_grace_ends() -> None:
    """Requests that nobody answers are given up after shutdown_timeout."""
    pipeline = FakePipeline(answer=None)
    with (
        running_receiver(pipeline=pipeline, shutdown_timeout="200ms") as running,
        ThreadPoolExecutor(2) as clients,
    ):
        calls = [
            clients.submit(call, running.grpc_port, TRACES, GOOD),
            clients.submit(request, running.http_port),
        ]
        while len(pipeline.unanswered) < 2:
            pipeline.arrived.wait(0.01)
        begun = time.monotonic()
        running.run(running.receiver.stop())
        assert time.monotonic() - begun < 5
        assert isinstance(calls[0].exception(), grpc.RpcError)
        assert isinstance(calls[1].exception(), ConnectionError)


def test_idle_connections_do_not_delay_the_stop() -> None:
    """Clients that keep their connections open do not hold the collector."""
    with (
        running_receiver() as running,
        grpc.insecure_channel(f"localhost:{running.grpc_port}") as channel,
        socket.create_connection(("127.0.0.1", running.http_port)),
    ):
        channel.unary_unary(TRACES)(GOOD, timeout=10)
        begun = time.monotonic()
        running.run(running.receiver.stop())
        assert time.monotonic() - begun < 2


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Good requests, garbage, unknown paths and broken HTTP leave no trace of what they carried."""
    with caplog.at_level(logging.DEBUG), running_receiver() as running:
        caplog.clear()
        request(running.http_port, body=b"SECRET-PROMPT")
        request(running.http_port, path="/SECRET-PROMPT")
        request(running.http_port, headers={**PROTOBUF, "Content-Encoding": "SECRET-PROMPT"})
        with pytest.raises(grpc.RpcError):
            call(running.grpc_port, TRACES, b"SECRET-PROMPT")
        with pytest.raises(grpc.RpcError):
            call(running.grpc_port, "/SECRET-PROMPT", GOOD)
        with socket.create_connection(("127.0.0.1", running.http_port), timeout=5) as connection:
            connection.sendall(b"SECRET-PROMPT\r\n\r\n")
            connection.recv(4096)
    assert "SECRET-PROMPT" not in caplog.text
