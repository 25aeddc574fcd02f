"""The OTLP receiver's options: the Collector's keys, and its defaults except where they lose or leak.

    receivers:
      otlp:
        protocols:
          grpc: {endpoint: localhost:4317, auth: {authenticator: bearertokenauth}}
          http: {endpoint: localhost:4318, cors: {allowed_origins: [https://*.example.com]}}

A protocol is served if its key is there, even with nothing behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from agenttracer.collector.component import Options, Seconds
from agenttracer.collector.endpoint import Endpoint
from agenttracer.collector.receivers.otlp.tls import TlsOptions

_MIB = 1024 * 1024


class KeepaliveServerParameters(Options):
    """How long connections live, and how the server finds out that one is dead."""

    max_connection_idle: Seconds = Field(
        default=0.0, description="Close idle connections after this; 0: never."
    )
    max_connection_age: Seconds = Field(default=0.0, description="Close connections of this age; 0: never.")
    max_connection_age_grace: Seconds = Field(
        default=0.0, description="Time that calls still have on a connection that is too old; 0: no limit."
    )
    time: Seconds = Field(default=7200.0, description="Ping a silent client after this.")
    timeout: Seconds = Field(
        default=20.0, description="Close the connection if a ping isn't answered in this."
    )


class KeepaliveEnforcementPolicy(Options):
    """What pings of clients are tolerated; those that ping more are disconnected."""

    min_time: Seconds = Field(default=300.0, description="Shortest time between a client's pings.")
    permit_without_stream: bool = Field(
        default=False, description="Whether clients may ping without open calls."
    )


class Keepalive(Options):
    """gRPC keepalive."""

    server_parameters: KeepaliveServerParameters = Field(
        default_factory=KeepaliveServerParameters, description="Connections' lives, and the server's pings."
    )
    enforcement_policy: KeepaliveEnforcementPolicy = Field(
        default_factory=KeepaliveEnforcementPolicy, description="Limits on the clients' pings."
    )


class Auth(Options):
    """Which extension knows the callers."""

    authenticator: str = Field(description="Id of the extension that authenticates every request.")


class Cors(Options):
    """Which web pages may send telemetry from a browser; none by default."""

    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Origins, like https://example.com; one * stands for any text."
    )
    allowed_headers: tuple[str, ...] = Field(
        default=(),
        description="Request headers allowed besides Accept, Content-Type, X-Requested-With; * for any.",
    )
    exposed_headers: tuple[str, ...] = Field(default=(), description="Response headers that pages may read.")
    max_age: int = Field(
        default=0, ge=0, description="Seconds that browsers remember the answer; 0: their default."
    )


class GrpcProtocol(Options):
    """OTLP over gRPC."""

    endpoint: Endpoint = Field(default="localhost:4317", description="Where to listen, host:port.")
    max_recv_msg_size_mib: int = Field(
        default=64, ge=1, le=2047, description="Largest request in MiB, before and after decompression."
    )
    max_concurrent_streams: int = Field(
        default=0, ge=0, description="Calls at once a connection; 0: no limit."
    )
    keepalive: Keepalive = Field(default_factory=Keepalive, description="Connection keepalive.")
    tls: TlsOptions | None = Field(default=None, description="TLS; without it, plain text.")
    auth: Auth | None = Field(default=None, description="Authentication; without it, anyone may send.")

    @field_validator("tls")
    @classmethod
    def _version_available(cls, tls: TlsOptions | None) -> TlsOptions | None:
        if tls is not None and tls.min_version != "1.2":
            raise ValueError(
                "min_version can't be raised for gRPC, which speaks TLS 1.2 and 1.3; leave it out"
            )
        return tls


class HttpProtocol(Options):
    """OTLP over HTTP, protobuf and JSON."""

    endpoint: Endpoint = Field(default="localhost:4318", description="Where to listen, host:port.")
    max_request_body_size: int = Field(
        default=64 * _MIB, ge=1, description="Largest request in bytes, before and after decompression."
    )
    max_buffered_bytes: int = Field(
        default=256 * _MIB,
        ge=1,
        description="Request bytes in memory at once, shared by the tenants; clients are told to resend beyond.",
    )
    read_timeout: Seconds = Field(
        default=60.0, gt=0, description="Longest time that a request's body may take."
    )
    idle_timeout: Seconds = Field(
        default=60.0, gt=0, description="Longest wait for a connection's next request, its headers included."
    )
    traces_url_path: str = Field(default="/v1/traces", pattern="^/", description="Path of the traces.")
    metrics_url_path: str = Field(default="/v1/metrics", pattern="^/", description="Path of the metrics.")
    logs_url_path: str = Field(default="/v1/logs", pattern="^/", description="Path of the logs.")
    cors: Cors | None = Field(default=None, description="Access from web pages; without it, none.")
    tls: TlsOptions | None = Field(default=None, description="TLS; without it, plain text.")
    auth: Auth | None = Field(default=None, description="Authentication; without it, anyone may send.")

    @model_validator(mode="after")
    def _one_request_fits(self) -> Self:
        # A body that compression made no smaller is held twice, and a tenth is kept for others.
        if self.max_buffered_bytes < 3 * self.max_request_body_size:
            raise ValueError("max_buffered_bytes must be at least three times max_request_body_size")
        if len({self.traces_url_path, self.metrics_url_path, self.logs_url_path}) < 3:
            raise ValueError("traces_url_path, metrics_url_path and logs_url_path must differ")
        return self


class Protocols(Options):
    """What is served."""

    grpc: GrpcProtocol | None = Field(default=None, description="OTLP over gRPC.")
    http: HttpProtocol | None = Field(default=None, description="OTLP over HTTP.")

    @model_validator(mode="before")
    @classmethod
    def _present_is_on(cls, value: Any) -> Any:
        # `grpc:` with nothing behind it is how most configurations switch it on.
        if isinstance(value, Mapping):
            return {
                key: {} if inner is None and key in cls.model_fields else inner
                for key, inner in value.items()
            }
        return value


class OtlpOptions(Options):
    """The whole receiver."""

    protocols: Protocols = Field(default_factory=Protocols, description="The protocols that are served.")
    response_timeout: Seconds = Field(
        default=60.0, gt=0, description="Longest wait for the journal before a client is told to resend."
    )
    shutdown_timeout: Seconds = Field(
        default=10.0, description="Time that requests still have when the collector stops."
    )

    @field_validator("protocols", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return {} if value is None else value

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if self.protocols.grpc is None and self.protocols.http is None:
            raise ValueError("must specify at least one protocol when using the OTLP receiver")
        return self
