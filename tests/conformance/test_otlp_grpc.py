"""What the gRPC receiver answers to requests made by hand, good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agenttracer.collector.component import Accepted, Request
from agenttracer.collector.errors import Unavailable
from tests.otlp_harness import (
    GOOD,
    LOGS,
    METRICS,
    TRACES,
    FakePipeline,
    Running,
    call,
    make_traces,
    parse_and_accept,
    running_receiver,
)

_MIB = 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A gRPC receiver with a limit of 8 MiB and a short patience."""
    protocols = {"grpc": {"max_recv_msg_size_mib": 8}}
    with running_receiver(protocols, response_timeout="500ms") as started:
        yield started


@pytest.fixture(autouse=True)
def _still_works(running: Running) -> Iterator[None]:
    """Whatever a test sends, a good request succeeds after it on the same server."""
    yield
    running.pipeline.answer = parse_and_accept
    assert b"" == call(running.grpc_port, TRACES, GOOD)
    running.pipeline.requests.clear()


def _refused(running: Running, method: str, body: bytes, **options: Any) -> tuple[grpc.RpcError, Status]:
    with pytest.raises(grpc.RpcError) as raised:
        call(running.grpc_port, method, body, **options)
    details = dict(raised.value.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    return raised.value, Status.FromString(details)


@pytest.mark.parametrize("method", [TRACES, LOGS, METRICS])
@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_full_success_is_an_empty_message(
    running: Running, method: str, compression: grpc.Compression
) -> None:
    """Success leaves partial_success unset; an empty request is a success; gzip and deflate are understood."""
    body = make_traces(0).SerializeToString() * 500
    for sent in (b"", body):
        assert b"" == call(running.grpc_port, method, sent, compression=compression)
    assert [b"", body] == [request.body for request in running.pipeline.requests]


@pytest.mark.parametrize(
    ("method", "response_type", "counter"),
    [
        (TRACES, ExportTraceServiceResponse, "rejected_spans"),
        (LOGS, ExportLogsServiceResponse, "rejected_log_records"),
        (METRICS, ExportMetricsServiceResponse, "rejected_data_points"),
    ],
)
def test_partial_success_counts_the_rows(
    running: Running, method: str, response_type: Any, counter: str
) -> None:
    """Rows refused for good are counted under the signal's own name, with the reason."""
    running.pipeline.answer = lambda _: Accepted(3, "3 rows have invalid ids")
    partial = response_type.FromString(call(running.grpc_port, method, GOOD)).partial_success
    assert (3, "3 rows have invalid ids") == (getattr(partial, counter), partial.error_message)


def test_bad_ids_keep_the_good_spans(running: Running) -> None:
    """Spans with invalid ids are counted and the request is still OK."""
    request = make_traces(3)
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    response = ExportTraceServiceResponse.FromString(
        call(running.grpc_port, TRACES, request.SerializeToString())
    )
    assert 1 == response.partial_success.rejected_spans


@pytest.mark.parametrize(
    "body", [b"\xff" * 100, GOOD[:-3], b"not protobuf"], ids=["garbage", "truncated", "text"]
)
def test_garbage_is_an_invalid_argument(running: Running, body: bytes) -> None:
    """A body that is not OTLP is INVALID_ARGUMENT with BadRequest, which clients do not repeat."""
    before = running.requests("grpc", "refused")
    error, status = _refused(running, TRACES, body)
    assert grpc.StatusCode.INVALID_ARGUMENT == error.code()
    assert (3, error.details()) == (status.code, status.message)
    violation = BadRequest()
    assert status.details[0].Unpack(violation)
    assert before + 1 == running.requests("grpc", "refused")


def test_unavailable_says_when_to_come_back(running: Running) -> None:
    """Back-pressure is UNAVAILABLE with RetryInfo."""

    def refuse(_: Request) -> Accepted:
        raise Unavailable("the journal is full", retry_after_seconds=2.5)

    running.pipeline.answer = refuse
    error, status = _refused(running, TRACES, GOOD)
    assert (grpc.StatusCode.UNAVAILABLE, "the journal is full") == (error.code(), error.details())
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert 2500 == retry.retry_delay.ToMilliseconds()


def test_a_bug_is_unavailable_and_says_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is counted, told as UNAVAILABLE, and its text goes nowhere: it may quote content."""

    def fail(_: Request) -> Accepted:
        raise TimeoutError("SECRET-PROMPT")

    running.pipeline.answer = fail
    error, status = _refused(running, TRACES, GOOD)
    assert grpc.StatusCode.UNAVAILABLE == error.code()
    assert 1 == len(status.details)
    assert "SECRET-PROMPT" not in f"{error}{status}{caplog.text}"
    assert "TimeoutError" in caplog.text
    assert 1.0 == running.requests("grpc", "failure")
    count = running.telemetry.registry.get_sample_value
    assert 1.0 == count("agenttracer_component_errors_total", {"component": "otlp"})


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/",
    ],
)
def test_other_methods_are_unimplemented(running: Running, method: str) -> None:
    """Profiles and unknown methods answer UNIMPLEMENTED."""
    error, _ = _refused(running, method, GOOD)
    assert grpc.StatusCode.UNIMPLEMENTED == error.code()


def test_oversize_is_refused(running: Running) -> None:
    """A message above the limit is RESOURCE_EXHAUSTED without RetryInfo; one just below it is taken."""
    error, status = _refused(running, TRACES, bytes(8 * _MIB + 1))
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, 0) == (error.code(), len(status.details))
    assert [] == running.pipeline.requests
    running.pipeline.answer = lambda _: Accepted()
    assert b"" == call(running.grpc_port, TRACES, bytes(8 * _MIB))


def test_a_wait_that_is_too_long_is_unavailable(running: Running) -> None:
    """A request that the journal does not answer in time is UNAVAILABLE; a late answer harms nobody."""
    running.pipeline.answer = None
    error, status = _refused(running, TRACES, GOOD)
    assert (grpc.StatusCode.UNAVAILABLE, 1) == (error.code(), len(status.details))
    running.pipeline.unanswered.pop().set_exception(RuntimeError("late"))


def test_a_wait_outlives_no_client() -> None:
    """A client's deadline ends its call, and the server goes on with others."""
    protocols: dict[str, Any] = {"grpc": {}}
    with running_receiver(protocols, FakePipeline(answer=None), response_timeout="10m") as running:
        with pytest.raises(grpc.RpcError) as raised:
            call(running.grpc_port, TRACES, GOOD, timeout_seconds=0.3)
        # Both sides watch the same deadline; either may be first, and clients repeat both.
        assert raised.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        running.pipeline.answer = parse_and_accept
        assert b"" == call(running.grpc_port, TRACES, GOOD, timeout_seconds=5)


def test_a_cancelled_call_harms_nobody() -> None:
    """A client that cancels ends its own call; what it sent may still be stored, and the next call is served."""
    protocols: dict[str, Any] = {"grpc": {}}
    with (
        running_receiver(protocols, FakePipeline(answer=None), response_timeout="10m") as running,
        grpc.insecure_channel(f"localhost:{running.grpc_port}") as channel,
    ):
        future = channel.unary_unary(TRACES).future(GOOD)
        assert running.pipeline.arrived.wait(5)
        future.cancel()
        running.pipeline.answer = parse_and_accept
        assert b"" == channel.unary_unary(TRACES)(GOOD, timeout=5)


def test_many_calls_at_once(running: Running) -> None:
    """Requests of many clients at once all arrive, each once."""
    bodies = [make_traces(trace_id=number.to_bytes(16)).SerializeToString() for number in range(1, 101)]
    with grpc.insecure_channel(f"localhost:{running.grpc_port}") as channel:
        calls = [channel.unary_unary(TRACES).future(body, timeout=20) for body in bodies]
        assert [b""] * 100 == [future.result() for future in calls]
    assert sorted(bodies) == sorted(request.body for request in running.pipeline.requests)
