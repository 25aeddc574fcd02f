"""Tells load balancers and people whether the collector takes telemetry.

extensions:
  health_check:
    endpoint: localhost:13133
    path: /

$ curl localhost:13133
{"status":"Server available","upSince":"2025-01-31T12:00:00.000000Z","uptime":"1h2m3.4s"}
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aiohttp import web
from pydantic import Field

from agenttracer.collector.component import Context, Extension, Options
from agenttracer.collector.endpoint import Endpoint, bind

_UNAVAILABLE = {"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""}


class HealthCheckOptions(Options):
    """The Collector's keys."""

    endpoint: Endpoint = Field(default="localhost:13133", description="Where to listen, host:port.")
    path: str = Field(default="/", pattern="^/", description="Path that is answered; others are 404.")


class HealthCheck(Extension[HealthCheckOptions]):
    """Answers 503 until the service calls ``set_ready(True)``, and again from ``set_ready(False)`` on."""

    options_type = HealthCheckOptions

    def __init__(self, options: HealthCheckOptions, context: Context) -> None:
        super().__init__(options, context)
        self._runner: web.AppRunner | None = None
        self._ready_since: tuple[datetime, float] | None = None
        self.port = 0

    async def start(self) -> None:
        """Open the port; raises ``StartError``."""
        app = web.Application()
        app.router.add_get(self.options.path, self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            for open_socket in bind(self.options.endpoint, self.context.id):
                self.port = open_socket.getsockname()[1]
                await web.SockSite(self._runner, open_socket).start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the port."""
        self.set_ready(False)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def set_ready(self, ready: bool) -> None:
        """Say whether telemetry is taken; call it on the event loop."""
        if ready != (self._ready_since is not None):
            self._ready_since = (datetime.now(UTC), time.monotonic()) if ready else None

    async def _answer(self, request: web.Request) -> web.Response:
        if self._ready_since is None:
            return web.json_response(_UNAVAILABLE, status=503)
        since, since_seconds = self._ready_since
        return web.json_response(
            {
                "status": "Server available",
                "upSince": since.isoformat().replace("+00:00", "Z"),
                "uptime": _go_duration(time.monotonic() - since_seconds),
            }
        )


def _go_duration(seconds: float) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if hours or minutes else "")
    return f"{parts[0]}{parts[1]}{seconds:.6g}s"
