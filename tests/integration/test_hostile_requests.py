"""Requests made to harm the running collector, beside good ones: each is answered, nobody else notices."""

import gzip
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from agenttracer.schemas.batch import Signal
from tests.otlp_traces import request, span
from tests.running_collector import METHODS, RunningCollector, running_collector

GROUP_START, GROUP_END = b"\x7b", b"\x7c"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with running_collector(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def field(tag: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([tag]) + length + bytes([size]) + body


def deep_value(depth: int) -> bytes:
    """An AnyValue that is a list in a list in a list."""
    value = b""
    for _ in range(depth):
        value = field(0x2A, field(0x0A, value))
    return value


def in_a_span(attributes: bytes) -> bytes:
    made = span("hostile").SerializeToString() + attributes
    return field(0x0A, field(0x12, field(0x12, made)))


HOSTILE = {
    "nested groups, 160 KB": GROUP_START * 80_000 + GROUP_END * 80_000,
    "open groups, 160 KB": GROUP_START * 160_000,
    "nested groups in a span, 1 MB": in_a_span(GROUP_START * 500_000 + GROUP_END * 500_000),
    "nested groups, 60 MB": GROUP_START * 30_000_000 + GROUP_END * 30_000_000,
    "nested lists, 5,000 deep": in_a_span(
        field(0x4A, field(0x0A, b"input.value") + field(0x12, deep_value(5_000)))
    ),
    "a value of 10 MB": in_a_span(
        field(0x4A, field(0x0A, b"input.value") + field(0x12, field(0x0A, b"x" * 10_000_000)))
    ),
    "a key of 1 MB": in_a_span(field(0x4A, field(0x0A, b"k" * 1_000_000) + field(0x12, field(0x0A, b"x")))),
    "100,000 attributes": in_a_span(
        b"".join(
            field(0x4A, field(0x0A, b"k%d" % n) + field(0x12, field(0x0A, b"v"))) for n in range(100_000)
        )
    ),
    "a length near 2^64": b"\x0a" + b"\xff" * 9 + b"\x01",
    "random bytes": bytes(range(256)) * 100,
}


def status_of(collector: RunningCollector, body: bytes, **channel_options: Any) -> grpc.StatusCode:
    """With what a gRPC request ends."""
    address = f"localhost:{collector.ports['grpc']}"
    with grpc.insecure_channel(address, **channel_options) as channel:
        return channel.unary_unary(METHODS[Signal.TRACES]).future(body, timeout=60).code()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_hostile_request_harms_nobody(collector: RunningCollector, name: str, transport: str) -> None:
    """It is stored without its content or refused for good; the next good request is stored."""
    body = HOSTILE[name]
    if transport == "http":
        assert collector.post("/v1/traces", body)[0] in (200, 400, 413, 503)
    else:
        assert status_of(collector, body) in (
            grpc.StatusCode.OK,
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.UNAVAILABLE,
        )

    good = request(span("good", trace=hash((name, transport)) % 2**60 + 1)).SerializeToString()
    assert collector.export(Signal.TRACES, good) == b""
    assert collector.healthy()


def test_bombs_are_refused(collector: RunningCollector) -> None:
    """A small gzip body that unpacks to more than the limit is refused, over both transports."""
    bomb = gzip.compress(b"\x00" * (300 * 1024 * 1024), compresslevel=1)
    zeros = b"\x00" * (100 * 1024 * 1024)

    assert (
        status_of(collector, zeros, compression=grpc.Compression.Gzip) == grpc.StatusCode.RESOURCE_EXHAUSTED
    )
    assert collector.post("/v1/traces", bomb, headers={"Content-Encoding": "gzip"})[0] == 413
    assert collector.healthy()


def test_the_books_balance_after_all_of_it(collector: RunningCollector) -> None:
    """Whatever was sent, every row is somewhere."""
    collector.wait_until_stored()

    books = collector.books()

    parts = ("stored", "waiting", "duplicate", "rejected", "filtered", "dead_lettered")
    assert books["received"] == sum(books.get(part, 0) for part in parts) >= 2 * len(HOSTILE)
    assert collector.stop() == 0
    assert "Traceback" not in collector.log()
