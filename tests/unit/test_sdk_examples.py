"""The other examples: each runs, reports what it should, and sends no content."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.sdk_fakes import Received, grpc_collector

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A collector that the environment points to."""
    with grpc_collector() as received:
        monkeypatch.setenv("AGENTTRACER_API_URL", f"http://127.0.0.1:{received.port}")
        yield received


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _attributes(span: Any) -> dict[str, Any]:
    return {
        pair.key: pair.value.string_value or pair.value.int_value or pair.value.double_value
        for pair in span.attributes
    }


def _named(collector: Received, name: str) -> list[dict[str, Any]]:
    return [_attributes(span) for span in collector.spans if span.name == name]


def test_celery_tasks_are_queued_started_and_done(collector: Received) -> None:
    """The run's id travels with the task: queued by one side, worked off by the other; with its artifact."""
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLES / "celery_task.py",
            "--runs",
            "2",
            "--endpoint",
            os.environ["AGENTTRACER_API_URL"],
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    run_ids = {line.split()[0] for line in done.stdout.splitlines() if line.endswith("frames")}
    roots = _named(collector, "invoke_agent motion-generator")
    assert (2, run_ids) == (len(run_ids), {root["agent.run.id"] for root in roots})
    assert {("success", 180)} == {
        (root["agent.run.status"], root["agent.run.result.frames"]) for root in roots
    }
    events = [record.event_name for record in collector.records]
    assert [2, 2, 2] == [events.count(f"agent.{name}") for name in ("run.queued", "run.started", "artifact")]
    assert not [message for message in collector.traces if b"walk" in message.SerializeToString()]


def test_a_fastapi_service_streams_and_joins_the_callers_trace(collector: Received) -> None:
    """One run a request, ended by the last piece; a failed search is the run's failure; health is reported."""
    service = _load("fastapi_service")
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}

    async def main() -> tuple[httpx.Response, httpx.Response]:
        app = service.app
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            question = {"question": "Where is my parcel?", "user_id": "u-1"}
            return (
                await client.post("/ask", json=question, headers=headers),
                await client.post("/ask", json={"question": "nothing"}),
            )

    answer, missing = asyncio.run(main())

    assert ("It is on its way.", 404) == (answer.text, missing.status_code)
    roots = {root["agent.run.id"]: root for root in _named(collector, "invoke_agent support-service")}
    assert "success" == roots[answer.headers["x-run-id"]]["agent.run.status"]
    assert ["failure", "success"] == sorted(root["agent.run.status"] for root in roots.values())
    (model,) = _named(collector, "chat small-1") or _named(collector, "chat answer")
    assert (5, 40) == (model["agent.step.chunk_count"], model["gen_ai.usage.input_tokens"])
    assert bytes.fromhex(trace_id) in {span.trace_id for span in collector.spans}
    events = {record.event_name for record in collector.records}
    assert {"agent.registered", "agent.heartbeat", "agent.health_check", "agent.deregistered"} <= events
    assert not [message for message in collector.traces if b"parcel" in message.SerializeToString()]


def test_a_serverless_handler_has_sent_its_run_when_it_returns(
    collector: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it raises, which the caller sees unchanged."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    handler = _load("serverless_handler")

    assert {"amount_cents": 1250} == handler.handler({"text": "Total 1250"})
    assert 1 == len(_named(collector, "invoke_agent invoice-reader"))
    with pytest.raises(ValueError, match="invalid literal"):
        handler.handler({"text": "Total unknown"})
    assert 2 == len(_named(collector, "invoke_agent invoice-reader"))
    handler.tracer.close()

    assert ["success", "failure"] == [
        root["agent.run.status"] for root in _named(collector, "invoke_agent invoice-reader")
    ]
    assert not [message for message in collector.traces if b"unknown" in message.SerializeToString()]
