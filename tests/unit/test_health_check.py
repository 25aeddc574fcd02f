"""The health check says what the service told it."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.health_check import HealthCheck, HealthCheckOptions
from agenttracer.collector.telemetry import Telemetry


def _health_check(endpoint: str = "localhost:0", path: str = "/") -> HealthCheck:
    options = HealthCheckOptions(endpoint=endpoint, path=path)
    return HealthCheck(options, Context(id="health_check", telemetry=Telemetry()))


async def _get(port: int, path: str = "/") -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


def test_ready_only_between_the_calls() -> None:
    """503 until the service is ready, 200 with its uptime while it is, 503 again from the stop on."""

    async def live() -> list[tuple[int, str]]:
        health = _health_check()
        await health.start()
        answers = [await _get(health.port)]
        for ready in (True, False):
            health.set_ready(ready)
            answers.append(await _get(health.port))
        await health.stop()
        return answers

    before, during, after = asyncio.run(live())
    assert (503, 503) == (before[0], after[0])
    expected = {"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""}
    assert expected == json.loads(before[1])
    assert 200 == during[0]
    body = json.loads(during[1])
    assert ["status", "upSince", "uptime"] == list(body)
    assert "Server available" == body["status"]
    assert body["upSince"].endswith("Z")
    assert body["uptime"].endswith("s")


def test_only_its_path_is_answered() -> None:
    """The configured path is answered, others are 404."""

    async def live() -> tuple[int, int]:
        health = _health_check(path="/health")
        await health.start()
        health.set_ready(True)
        answers = (await _get(health.port, "/health"))[0], (await _get(health.port))[0]
        await health.stop()
        return answers

    assert (200, 404) == asyncio.run(live())


def test_stop_is_safe_before_start_and_twice() -> None:
    """Stopping what is not running does nothing, and frees the port."""

    async def live() -> int:
        health = _health_check()
        await health.stop()
        await health.start()
        await health.stop()
        await health.stop()
        return health.port

    port = asyncio.run(live())
    socket.create_server(("127.0.0.1", port)).close()


def test_a_port_in_use_is_one_sentence() -> None:
    """A port that another process has is named together with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match=f"health_check can't listen on {endpoint}: the port is in use"):
            asyncio.run(_health_check(endpoint).start())
