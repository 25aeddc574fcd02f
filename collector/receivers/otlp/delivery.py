"""What both servers do with a request: ask who sends it, hand it to the pipeline, count the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from agenttracer.collector.bug_report import report_bug
from agenttracer.collector.component import Accepted, Authenticator, Context, Deliver, Request
from agenttracer.collector.errors import CollectorError, Unavailable
from agenttracer.collector.receivers.otlp.status import UNAUTHENTICATED, Refusal, refusal_of
from agenttracer.schemas.batch import Signal

_DEFAULT_TENANT = "default"


def late() -> Unavailable:
    """The wait was too long. The rows may still be stored: a resent request is known again."""
    return Unavailable("the request is not stored yet; please resend")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One server's way into the pipeline."""

    context: Context
    transport: Literal["grpc", "http"]
    deliver: Deliver
    authenticator: Authenticator[Any] | None
    response_timeout_seconds: float

    def authenticate(self, headers: Mapping[str, str]) -> str | Refusal:
        """The caller's tenant, or what to tell a caller that isn't known."""
        if self.authenticator is None:
            return _DEFAULT_TENANT
        try:
            return self.authenticator.authenticate(headers)
        except PermissionError:
            self.count("refused")
            return UNAUTHENTICATED
        except Exception as error:
            return self.refuse(error)

    def send(self, signal: Signal, body: bytes, tenant: str) -> Future[Accepted]:
        """The pipeline's promise for these bytes of OTLP protobuf."""
        return self.deliver(Request(signal, body, tenant, self.context.id, self.transport))

    def refuse(self, error: Exception) -> Refusal:
        """What to tell the client, counted; an unexpected error is reported as the bug it is."""
        if isinstance(error, CollectorError):
            self.count("refused")
        else:
            self.count("failure")
            self.context.telemetry.add("agenttracer_component_errors_total", component=self.context.id)
            report_bug(self.context.id, error)
        return refusal_of(error)

    def count(self, outcome: Literal["success", "refused", "failure"]) -> None:
        """Count a request by its outcome."""
        self.context.telemetry.add(
            "otelcol_receiver_requests", receiver=self.context.id, transport=self.transport, outcome=outcome
        )
