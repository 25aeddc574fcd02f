"""Sends what agent frameworks really sent, captured with their own instrumentation, as if it happened now.

    python examples/replay_captures.py --grpc-endpoint localhost:4317 --http-endpoint localhost:4318

Each line begins with the id of the run, which is the trace's where a framework has no other.
"""

from __future__ import annotations

import argparse
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import Span

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden" / "captures"
_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Capture:
    """One file: who sent it, and in whose words."""

    file: str
    framework: str
    dialect: str


CAPTURES = (
    Capture("langgraph-openinference-tool_timeout", "LangGraph", "OpenInference"),
    Capture("openai_agents-openinference-handoff", "OpenAI Agents", "OpenInference"),
    Capture("llama_index-openinference-rag", "LlamaIndex", "OpenInference"),
    Capture("pydantic_ai-native-tool_retry", "Pydantic AI", "OpenTelemetry GenAI"),
    Capture("google_adk-native", "Google ADK", "OpenTelemetry GenAI"),
    Capture("agent_framework-native-rate_limited", "Agent Framework", "OpenTelemetry GenAI"),
)


def read_capture(capture: Capture, now_unix_ns: int) -> ExportTraceServiceRequest:
    """The request, moved in time so that its last span ends now, with the framework as its service."""
    request = ExportTraceServiceRequest.FromString((FOLDER / f"{capture.file}.pb").read_bytes())
    late_ns = now_unix_ns - max(span.end_time_unix_nano for span in spans(request))
    for span in spans(request):
        span.start_time_unix_nano += late_ns
        span.end_time_unix_nano += late_ns
        for event in span.events:
            event.time_unix_nano += late_ns
    for resource_spans in request.resource_spans:
        for attribute in resource_spans.resource.attributes:
            if attribute.key == "service.name":
                attribute.value.string_value = capture.framework.lower().replace(" ", "-")
    return request


def spans(request: ExportTraceServiceRequest) -> list[Span]:
    """All spans of a request."""
    return [
        span
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def send_over_grpc(endpoint: str, request: ExportTraceServiceRequest) -> None:
    """Raises ``grpc.RpcError`` when the collector does not take it."""
    with grpc.insecure_channel(endpoint) as channel:
        TraceServiceStub(channel).Export(request, timeout=_TIMEOUT_SECONDS, wait_for_ready=True)


def send_over_http(endpoint: str, request: ExportTraceServiceRequest) -> None:
    """Raises ``OSError`` when the collector does not take it."""
    post = urllib.request.Request(
        f"http://{endpoint}/v1/traces",
        request.SerializeToString(),
        {"Content-Type": "application/x-protobuf"},
    )
    urllib.request.urlopen(post, timeout=_TIMEOUT_SECONDS).close()


def main() -> int:
    """Send each capture once, by turns over gRPC and HTTP; 0 when the collector has taken all."""
    parser = argparse.ArgumentParser(description="Replay what agent frameworks sent.")
    parser.add_argument("--grpc-endpoint", default="localhost:4317", help="OTLP/gRPC, host:port")
    parser.add_argument("--http-endpoint", default="localhost:4318", help="OTLP/HTTP, host:port")
    options = parser.parse_args()
    ways = (
        ("gRPC", options.grpc_endpoint, send_over_grpc),
        ("HTTP", options.http_endpoint, send_over_http),
    )
    for number, capture in enumerate(CAPTURES):
        name, endpoint, send = ways[number % len(ways)]
        request = read_capture(capture, time.time_ns())
        try:
            send(endpoint, request)
        except (grpc.RpcError, OSError) as error:
            print(f"{endpoint} did not take a payload ({type(error).__name__})", file=sys.stderr)
            return 1
        trace_id = spans(request)[0].trace_id.hex()
        print(f"{trace_id}  {capture.framework:<16} {capture.dialect:<20} over {name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
