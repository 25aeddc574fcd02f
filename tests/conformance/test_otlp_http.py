"""What the HTTP receiver answers to requests made by hand, good and bad."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agenttracer.collector.component import Accepted, Request
from agenttracer.collector.errors import Unavailable
from tests.otlp_harness import (
    GOOD,
    JSON,
    PROTOBUF,
    FakePipeline,
    Running,
    make_traces,
    parse_and_accept,
    request,
    running_receiver,
)

_LIMIT_BYTES = 64 * 1024
_GOOD_JSON = json.dumps(
    {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"traceId": "01" * 16, "spanId": "02" * 8, "name": "x"}]}]}
        ]
    }
).encode()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An HTTP receiver with a limit of 64 KiB and a short patience."""
    protocols = {
        "http": {
            "max_request_body_size": _LIMIT_BYTES,
            "max_buffered_bytes": 4 * _LIMIT_BYTES,
            "read_timeout": "500ms",
            "cors": {
                "allowed_origins": ["https://*.example.com"],
                "allowed_headers": ["X-Tenant"],
                "max_age": 60,
            },
        }
    }
    with running_receiver(protocols, response_timeout="500ms") as started:
        yield started


@pytest.fixture(autouse=True)
def _still_works(running: Running) -> Iterator[None]:
    """Whatever a test sends, a good request succeeds after it on the same server."""
    yield
    running.pipeline.answer = parse_and_accept
    assert 200 == request(running.http_port).status
    running.pipeline.requests.clear()


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
@pytest.mark.parametrize(
    ("headers", "body", "answer"), [(PROTOBUF, b"", b""), (JSON, b"{}", b"{}")], ids=["protobuf", "json"]
)
def test_an_empty_request_is_a_success(
    running: Running, path: str, headers: dict[str, str], body: bytes, answer: bytes
) -> None:
    """Success leaves partial_success unset, and is said in the request's encoding."""
    response = request(running.http_port, path=path, headers=headers, body=body)
    assert (200, answer) == (response.status, response.body)
    assert headers["Content-Type"] == response.headers["content-type"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
    ],
    ids=["identity", "gzip", "upper-case", "zlib", "bare-deflate"],
)
def test_compressions(running: Running, encoding: str, compress: Any) -> None:
    """Every compression that is understood reaches the pipeline as plain protobuf, from protobuf and JSON."""
    for content, body in ((PROTOBUF, GOOD), (JSON, _GOOD_JSON)):
        headers = {**content, "Content-Encoding": encoding}
        assert 200 == request(running.http_port, body=compress(body), headers=headers).status
    as_protobuf, from_json = running.pipeline.requests
    assert GOOD == as_protobuf.body
    assert b"\x02" * 8 in from_json.body


def test_a_chunked_body_is_read(running: Running) -> None:
    """A request without Content-Length is read to its end."""
    assert 200 == request(running.http_port, body=iter([GOOD[:5], GOOD[5:]])).status
    assert GOOD == running.pipeline.requests[0].body


def test_content_type_parameters_are_ignored(running: Running) -> None:
    """``application/json; charset=utf-8`` is JSON."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert 200 == request(running.http_port, body=_GOOD_JSON, headers=headers).status


def test_partial_success_in_protobuf_and_json(running: Running) -> None:
    """Spans refused for good are counted, in the request's encoding; 64-bit numbers are strings in JSON."""
    bad = make_traces(trace_id=b"short").SerializeToString()
    partial = ExportTraceServiceResponse.FromString(request(running.http_port, body=bad).body).partial_success
    assert (1, "1 spans have invalid ids") == (partial.rejected_spans, partial.error_message)
    text = _GOOD_JSON.replace(b"01" * 16, b"01" * 3)
    answer = request(running.http_port, body=text, headers=JSON)
    expected = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 spans have invalid ids"}}
    assert expected == json.loads(answer.body)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (PROTOBUF, b"\xff" * 100),
        (PROTOBUF, GOOD[:-3]),
        (JSON, b"{"),
        (JSON, GOOD),
        (JSON, b""),
        (PROTOBUF, _GOOD_JSON),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, GOOD),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, b""),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, gzip.compress(GOOD)[:-9]),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, gzip.compress(GOOD) + b"more"),
        ({**PROTOBUF, "Content-Encoding": "deflate"}, b"\xff" * 100),
    ],
    ids=[
        "garbage",
        "truncated",
        "truncated-json",
        "protobuf-as-json",
        "empty-json",
        "json-as-protobuf",
        "not-gzip",
        "empty-gzip",
        "truncated-gzip",
        "gzip-and-more",
        "not-deflate",
    ],
)
def test_garbage_is_a_bad_request(running: Running, headers: dict[str, str], body: bytes) -> None:
    """A body that is not what its headers say is 400, with a Status in the request's encoding."""
    before = running.requests("http", "refused")
    answer = request(running.http_port, body=body, headers=headers)
    assert (400, headers["Content-Type"]) == (answer.status, answer.headers["content-type"])
    if headers is JSON:
        assert 3 == json.loads(answer.body)["code"]
    else:
        assert 3 == Status.FromString(answer.body).code
    assert "retry-after" not in answer.headers
    assert before + 1 == running.requests("http", "refused")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods(running: Running, method: str) -> None:
    """Anything but POST is 405, in the Collector's words."""
    answer = request(running.http_port, method, body=None)
    assert (405, "POST") == (answer.status, answer.headers["allow"])
    assert answer.headers["content-type"].startswith("text/plain")
    expected = b"" if method == "HEAD" else b"405 method not allowed, supported: [POST]"
    assert expected == answer.body


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", "application/protobuf", None])
def test_other_content_types(running: Running, content_type: str | None) -> None:
    """An unknown or missing content type is 415, in the Collector's words."""
    answer = request(running.http_port, headers={"Content-Type": content_type} if content_type else {})
    assert 415 == answer.status
    assert b"415 unsupported media type, supported: [application/json, application/x-protobuf]" == answer.body
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip"])
def test_other_encodings(running: Running, encoding: str) -> None:
    """An unknown compression is 415, and the answer says which are known."""
    answer = request(running.http_port, headers={**PROTOBUF, "Content-Encoding": encoding})
    assert (415, "gzip, deflate") == (answer.status, answer.headers["accept-encoding"])


@pytest.mark.parametrize("path", ["/", "/v1/spans", "/v1development/profiles", "/v1/traces/", "/V1/traces"])
def test_other_paths(running: Running, path: str) -> None:
    """Profiles and unknown paths are 404."""
    assert 404 == request(running.http_port, path=path).status


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_oversize_is_refused(running: Running, headers: dict[str, str]) -> None:
    """A body above the limit is 413, whether its length is announced, hidden or grows by decompression."""
    large = b" " * (_LIMIT_BYTES + 1)
    gzipped = {**headers, "Content-Encoding": "gzip"}
    answers = [
        request(running.http_port, body=large, headers=headers),
        request(running.http_port, body=iter([large[:9], large[9:]]), headers=headers),
        request(running.http_port, body=gzip.compress(large), headers=gzipped),
        request(running.http_port, body=bytes(40 * _LIMIT_BYTES), headers=headers),
    ]
    assert [413] * 4 == [answer.status for answer in answers]
    assert "retry-after" not in answers[0].headers
    running.pipeline.answer = lambda _: Accepted()
    assert 200 == request(running.http_port, body=large[:-1]).status


def test_unavailable_says_when_to_come_back(running: Running) -> None:
    """Back-pressure is 503 with Retry-After in whole seconds, and RetryInfo, in both encodings."""

    def refuse(_: Request) -> Accepted:
        raise Unavailable("the journal is full", retry_after_seconds=2.5)

    running.pipeline.answer = refuse
    answer = request(running.http_port)
    status, retry = Status.FromString(answer.body), RetryInfo()
    assert (503, "3") == (answer.status, answer.headers["retry-after"])
    assert (14, "the journal is full") == (status.code, status.message)
    assert status.details[0].Unpack(retry)
    assert 2500 == retry.retry_delay.ToMilliseconds()
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.500s"}
    expected = {"code": 14, "message": "the journal is full", "details": [detail]}
    assert expected == json.loads(request(running.http_port, body=_GOOD_JSON, headers=JSON).body)


def test_a_bug_is_unavailable_and_says_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is counted, told as 503, and its text goes nowhere: it may quote content."""

    def fail(_: Request) -> Accepted:
        raise TimeoutError("SECRET-PROMPT")

    running.pipeline.answer = fail
    answer = request(running.http_port)
    assert (503, "1") == (answer.status, answer.headers["retry-after"])
    assert "SECRET-PROMPT" not in f"{answer}{caplog.text}"
    assert 1.0 == running.requests("http", "failure")


def test_a_wait_that_is_too_long_is_unavailable(running: Running) -> None:
    """A request that the journal does not answer in time is 503; a late answer harms nobody."""
    running.pipeline.answer = None
    assert 503 == request(running.http_port).status
    running.pipeline.unanswered.pop().set_exception(RuntimeError("late"))


def test_a_slow_body_is_unavailable(running: Running) -> None:
    """A client that stops in the middle of its body is told to resend, and its connection is closed."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as connection:
        connection.sendall(_head("Content-Length: 1000") + b"abc")
        answer = connection.recv(4096)
    assert b"503" == answer.split()[1]


def test_a_client_that_leaves(running: Running) -> None:
    """A connection lost in the middle of a body is not a bug, and holds no memory."""
    before = running.requests("http", "refused")
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as connection:
        connection.sendall(_head("Content-Length: 1000") + b"abc")
    for _ in range(100):
        if running.requests("http", "refused") > before:
            break
        request(running.http_port)
    assert before + 1 == running.requests("http", "refused")


def test_a_broken_transfer_is_a_bad_request(running: Running) -> None:
    """Chunks that are not chunks are 400."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as connection:
        connection.sendall(_head("Transfer-Encoding: chunked") + b"zz\r\nabc\r\n")
        answer = connection.recv(4096)
    assert b"400" == answer.split()[1]


def _head(framing: str) -> bytes:
    lines = (
        "POST /v1/traces HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/x-protobuf",
        framing,
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def test_requests_in_memory_are_bounded() -> None:
    """What does not fit into max_buffered_bytes is 503 until earlier requests are answered."""
    protocols = {"http": {"max_request_body_size": 600, "max_buffered_bytes": 1800}}
    pipeline = FakePipeline(answer=None)
    with running_receiver(protocols, pipeline) as running, ThreadPoolExecutor(2) as clients:
        waiting = []
        for _ in range(2):
            waiting.append(clients.submit(request, running.http_port, body=bytes(600)))
            assert pipeline.arrived.wait(5)
            pipeline.arrived.clear()
        refused = request(running.http_port, body=bytes(600))
        assert (503, "1") == (refused.status, refused.headers["retry-after"])
        for answer in pipeline.unanswered:
            answer.set_result(Accepted())
        assert [200, 200] == [response.result().status for response in waiting]
        pipeline.answer = lambda _: Accepted()
        assert 200 == request(running.http_port, body=bytes(600)).status


def test_cors(running: Running) -> None:
    """Pages of allowed origins may send; others get no permission."""
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-tenant",
    }
    answer = request(running.http_port, "OPTIONS", body=None, headers=asked)
    expected = {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "Accept, Content-Type, X-Requested-With, X-Tenant",
        "access-control-max-age": "60",
        "vary": "Origin",
    }
    assert 204 == answer.status
    assert expected == {name: answer.headers[name] for name in expected}
    sent = request(running.http_port, headers={**PROTOBUF, "Origin": "https://app.example.com"})
    assert (200, "https://app.example.com") == (sent.status, sent.headers["access-control-allow-origin"])
    for origin in ("https://example.org", "https://app.example.com.evil.org", "null"):
        refused = request(running.http_port, "OPTIONS", body=None, headers={**asked, "Origin": origin})
        assert "access-control-allow-origin" not in refused.headers
