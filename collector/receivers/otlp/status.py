"""What a client is told: the answer's status and body, from what the pipeline answered.

Accepted       OK, empty; or partial_success with the rows refused for good
Rejected       INVALID_ARGUMENT     400   not to be resent
TooLarge       RESOURCE_EXHAUSTED   413   not to be resent
Unavailable    UNAVAILABLE          503   RetryInfo, Retry-After
anything else  UNAVAILABLE          503   a bug here must not make clients throw their data away
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import grpc
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agenttracer.collector.component import Accepted
from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.schemas.batch import Signal

_RESPONSES: dict[Signal, tuple[type[Message], str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
}


class TooLarge(Rejected):
    """A request beyond the size limit, compressed or not."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the request is larger than {limit_bytes} bytes", reason="too_large")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than OK."""

    code: grpc.StatusCode
    http_status: int
    message: str
    retry_after_seconds: float | None = None

    def serialize(self, *, as_json: bool = False) -> bytes:
        """``google.rpc.Status`` with its details."""
        status = Status(code=self.code.value[0], message=self.message)
        if self.retry_after_seconds is not None:
            delay = Duration()
            delay.FromNanoseconds(math.ceil(self.retry_after_seconds * 1e9))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
        elif self.code is grpc.StatusCode.INVALID_ARGUMENT:
            violation = BadRequest.FieldViolation(description=self.message)
            status.details.add().Pack(BadRequest(field_violations=[violation]))
        if as_json:
            return json_format.MessageToJson(status, indent=None).encode()
        return status.SerializeToString()

    @property
    def retry_after(self) -> str | None:
        """The ``Retry-After`` header: whole seconds, at least one."""
        return None if self.retry_after_seconds is None else str(max(1, math.ceil(self.retry_after_seconds)))


UNAUTHENTICATED = Refusal(
    grpc.StatusCode.UNAUTHENTICATED, 401, "the request's credentials are missing or not known"
)


def refusal_of(error: BaseException) -> Refusal:
    """How an error of the pipeline is told to a client."""
    if isinstance(error, TooLarge):
        return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, str(error))
    if isinstance(error, Rejected):
        return Refusal(grpc.StatusCode.INVALID_ARGUMENT, 400, str(error))
    if isinstance(error, Unavailable):
        return Refusal(grpc.StatusCode.UNAVAILABLE, 503, str(error), error.retry_after_seconds)
    return Refusal(grpc.StatusCode.UNAVAILABLE, 503, "an error of the collector; please resend", 1.0)


def response_of(signal: Signal, accepted: Accepted, *, as_json: bool = False) -> bytes:
    """The Export…ServiceResponse; full success leaves ``partial_success`` unset."""
    if not accepted.rejected_rows and not accepted.message:
        return b"{}" if as_json else b""
    response_type, counter = _RESPONSES[signal]
    partial = {counter: accepted.rejected_rows, "error_message": accepted.message}
    response = response_type(partial_success=partial)
    if as_json:
        return json.dumps(json_format.MessageToDict(response)).encode()
    return response.SerializeToString()
