"""Receives OTLP over gRPC and HTTP, and answers only what the pipeline answered.

receivers:
  otlp:
    protocols:
      grpc:
        endpoint: localhost:4317
        max_recv_msg_size_mib: 64
      http:
        endpoint: localhost:4318
        max_request_body_size: 67108864
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from agenttracer.collector.component import Authenticator, Context, Deliver, Receiver
from agenttracer.collector.endpoint import is_loopback
from agenttracer.collector.errors import StartError
from agenttracer.collector.receivers.otlp.delivery import Delivery
from agenttracer.collector.receivers.otlp.grpc_server import GrpcServer
from agenttracer.collector.receivers.otlp.http_server import HttpServer
from agenttracer.collector.receivers.otlp.options import GrpcProtocol, HttpProtocol, OtlpOptions

_log = logging.getLogger(__name__)


class OtlpReceiver(Receiver[OtlpOptions]):
    """Both servers, each on its own port."""

    options_type = OtlpOptions

    def __init__(self, options: OtlpOptions, context: Context, deliver: Deliver) -> None:
        super().__init__(options, context, deliver)
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None

    @property
    def grpc_port(self) -> int:
        """The port that gRPC is served on; 0 when it isn't."""
        return 0 if self._grpc is None else self._grpc.port

    @property
    def http_port(self) -> int:
        """The port that HTTP is served on; 0 when it isn't."""
        return 0 if self._http is None else self._http.port

    async def start(self) -> None:
        """Open the servers, all or none; raises ``StartError``."""
        protocols, grace_seconds = self.options.protocols, self.options.shutdown_timeout
        try:
            if protocols.grpc is not None:
                self._grpc = GrpcServer(
                    protocols.grpc, self._delivery("grpc", protocols.grpc), grace_seconds=grace_seconds
                )
                await self._grpc.start()
            if protocols.http is not None:
                self._http = HttpServer(
                    protocols.http, self._delivery("http", protocols.http), grace_seconds=grace_seconds
                )
                await self._http.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take nothing new, let requests end within ``shutdown_timeout``."""
        servers = [server.stop() for server in (self._grpc, self._http) if server is not None]
        self._grpc = self._http = None
        await asyncio.gather(*servers)

    def _delivery(
        self, transport: Literal["grpc", "http"], protocol: GrpcProtocol | HttpProtocol
    ) -> Delivery:
        if protocol.tls is None and protocol.auth is None and not is_loopback(protocol.endpoint):
            _log.warning(
                "%s: %s takes telemetry from the network without TLS and without authentication; "
                "add tls and auth, or listen on localhost",
                self.context.id,
                transport,
            )
        return Delivery(
            self.context,
            transport,
            self.deliver,
            self._authenticator(protocol),
            self.options.response_timeout,
        )

    def _authenticator(self, protocol: GrpcProtocol | HttpProtocol) -> Authenticator[Any] | None:
        if protocol.auth is None:
            return None
        extension = self.context.extensions.get(protocol.auth.authenticator)
        if not isinstance(extension, Authenticator):
            name = protocol.auth.authenticator
            what = "no authenticator" if extension else "not listed in service::extensions"
            raise StartError(f'receivers::{self.context.id}: auth::authenticator "{name}" is {what}.')
        return extension
