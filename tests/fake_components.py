"""Small components to write configurations for, and a base configuration that is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from agenttracer.collector.component import (
    Authenticator,
    Exporter,
    ExporterOptions,
    Extension,
    Options,
    Processor,
    Receiver,
    Seconds,
)
from agenttracer.schemas.batch import Batch, Signal


class Auth(Options):
    authenticator: str = Field(description="The extension that knows who is calling.")


class Server(Options):
    endpoint: str = Field(default="localhost:4317", description="Where to listen.")
    max_recv_msg_size_mib: Annotated[int, Field(ge=1)] = Field(
        default=64, description="Largest request in MiB."
    )
    auth: Auth | None = Field(default=None, description="Who may send.")


class Protocols(Options):
    grpc: Server | None = Field(default=None, description="OTLP over gRPC.")
    http: Server | None = Field(default=None, description="OTLP over HTTP.")


class OtlpOptions(Options):
    protocols: Protocols = Field(default_factory=Protocols, description="The protocols to listen for.")

    @model_validator(mode="after")
    def _some_protocol(self) -> OtlpOptions:
        if self.protocols.grpc is None and self.protocols.http is None:
            raise ValueError("must specify at least one protocol when using the OTLP receiver")
        return self


class Otlp(Receiver[OtlpOptions]):
    options_type = OtlpOptions


class Pass(Processor[Options]):
    def process(self, batch: Batch) -> Batch:
        return batch


class StoreOptions(ExporterOptions):
    endpoint: str = Field(default="", description="Where the data goes.")
    username: str = Field(default="", description="Who we are.")
    password: SecretStr = Field(default=SecretStr(""), description="What only we know.")
    pin: SecretStr = Field(default=SecretStr(""), description="A secret whose name doesn't say so.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request.")
    tables: list[str] = Field(default_factory=list, description="The tables to write.")
    anything: Any = Field(default=None, description="A value of any kind.")
    ttl: Seconds = Field(default=0.0, description="How long rows are kept.")
    compress: Literal["none", "zstd"] = Field(default="none", description="How bodies are compressed.")
    enabled: bool = Field(default=True, description="Whether it does anything.")
    name: str | int = Field(default="", description="A name or a number.")


class Store(Exporter[StoreOptions]):
    options_type = StoreOptions

    async def export(self, batch: Batch) -> None:
        """Keeps nothing."""


class LogStore(Store):
    signals = frozenset({Signal.LOGS})


class Health(Extension[Options]):
    pass


class Tokens(Authenticator[Options]):
    def authenticate(self, headers: Mapping[str, str]) -> str:
        return "tenant"


BUILT_IN = {
    "receivers": {"otlp": "tests.fake_components:Otlp"},
    "processors": {
        "memory_limiter": "tests.fake_components:Pass",
        "normalize": "tests.fake_components:Pass",
        "redaction": "tests.fake_components:Pass",
    },
    "exporters": {"clickhouse": "tests.fake_components:Store", "artifacts": "tests.fake_components:LogStore"},
    "extensions": {
        "health_check": "tests.fake_components:Health",
        "bearer_token_auth": "tests.fake_components:Tokens",
    },
}

BASE = """\
receivers:
  otlp:
    protocols:
      grpc: {}
processors:
  memory_limiter:
  redaction:
exporters:
  clickhouse:
extensions:
  health_check:
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [memory_limiter, redaction]
      exporters: [clickhouse]
"""
