"""Registration, heartbeats, health checks and metrics of an agent."""

import sys
import time
from collections.abc import Callable
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from agenttracer import AgentConfig, AgentTracer, MonitoringConfig
from agenttracer.instrumentation import guard
from agenttracer.instrumentation.health import HealthChecks
from agenttracer.instrumentation.host_metrics import HostMetrics
from agenttracer.instrumentation.monitoring import read_monitoring_config
from agenttracer.instrumentation.tasks import Tasks
from tests.sdk_fakes import Recording, grpc_collector


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_agent_says_who_it_is_when_it_comes_up_and_that_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    """Its labels, the hash of its configuration; no free text, no word outside the lists."""
    recording = Recording()
    recording.tracer.register(
        AgentConfig(
            "support",
            "1.2.3",
            description="Answers Bob's questions",
            category="OPERATIONAL",
            capabilities=["refunds", "a whole sentence"],
            data_sources=["orders"],
            type="robot",
            deployment_type="docker",
            environment="prod",
            port=8080,
            tags=["eu"],
            config={"key": "secret"},
            metadata={"team": "blue"},
        )
    )
    recording.tracer.deregister()
    recording.tracer.deregister()

    up, down = recording.events
    assert ("agent.registered", "agent.deregistered") == (up.event_name, down.event_name)
    attributes = dict(up.attributes)
    assert 64 == len(attributes.pop("agent.config.hash"))
    assert {
        "gen_ai.agent.id": "support",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.version": "1.2.3",
        "agent.category": "operational",
        "agent.capabilities": ("refunds",),
        "agent.data_sources": ("orders",),
        "agent.deployment.type": "docker",
        "deployment.environment.name": "prod",
        "agent.port": 8080,
        "agent.tags": ("eu",),
        "agent.metadata.team": "blue",
    } == attributes
    assert [
        "agenttracer: an agent's type was refused; known are llm_agent, ml_model, chatbot, api_agent, workflow_agent, "
        "custom",
        "agenttracer: some capabilities were refused: not labels",
    ] == caplog.messages


def _report(checks: HealthChecks) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    checks.report(lambda event, attributes: told.append((event.value, dict(attributes))), Tasks())
    return told


def test_checks_are_timed_and_make_the_score() -> None:
    """True and None are well; false and an exception are not, and its text stays here."""

    async def database() -> bool:
        return True

    def broken() -> None:
        raise ConnectionError("secret")

    checks = HealthChecks()
    checks.checks = {"database": database, "cache": lambda: None, "queue": lambda: False, "model": broken}

    *told, (event, heartbeat) = _report(checks)

    assert {"database": "healthy", "cache": "healthy", "queue": "unhealthy", "model": "unhealthy"} == {
        attributes["agent.health.check.name"]: attributes["agent.health.check.status"]
        for _, attributes in told
    }
    assert all(0 <= attributes["agent.health.check.duration_ms"] < 5000 for _, attributes in told)
    assert [None, None, None, "ConnectionError"] == [attributes.get("error.type") for _, attributes in told]
    assert ("agent.heartbeat", 0.5, "warning") == (
        event,
        heartbeat["agent.health.score"],
        heartbeat["agent.health.status"],
    )


def test_a_check_that_hangs_is_unhealthy_and_not_asked_twice() -> None:
    """The heartbeat still comes; when it answers at last, that counts."""
    gate, asked = Event(), []

    def hangs() -> None:
        asked.append(1)
        gate.wait(10)

    checks = HealthChecks(timeout_seconds=0.05)
    checks.checks = {"slow": hangs}

    for _ in range(2):
        (_, check), (_, heartbeat) = _report(checks)
        assert ("unhealthy", "timeout") == (check["agent.health.check.status"], check["error.type"])
        assert check["agent.health.check.duration_ms"] >= 50
        assert "error" == heartbeat["agent.health.status"]
    gate.set()
    (_, check), _ = _report(checks)

    assert ("healthy", [1]) == (check["agent.health.check.status"], asked)


def test_a_monitored_agent_reports_by_itself() -> None:
    """Heartbeats as events; tasks, process and host as metrics; model calls where it is asked for."""
    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        tracer.add_health_check("database", lambda: True)
        tracer.start_monitoring({"metrics_interval_seconds": 1, "enable_ai_monitoring": True})
        tracer.queue_run()
        with tracer.start_run() as run, run.step("model", "m") as step:
            step.add_metadata({"model": "small-1", "input_tokens": 812})
        with pytest.raises(TimeoutError), tracer.start_run():
            raise TimeoutError
        _wait_for(lambda: "agent.tasks.failed" in collector.metric_names)
        assert tracer.flush(10)
        tracer.close()

    names = {record.event_name for record in collector.records}
    assert {"agent.heartbeat", "agent.health_check"} <= names
    assert {
        "agent.tasks.pending",
        "agent.tasks.completed",
        "agent.tasks.failed",
        "agent.uptime",
        "process.memory.usage",
        "process.cpu.utilization",
        "system.memory.usage",
        "system.disk.io",
        "system.network.io",
        "system.filesystem.usage",
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
    } <= collector.metric_names
    last = {
        metric.name: metric
        for request in collector.metrics
        for scope in request.resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    assert [1, 1, 1] == [
        last[f"agent.tasks.{name}"].sum.data_points[0].as_int for name in ("pending", "completed", "failed")
    ]
    assert 812 == last["gen_ai.client.token.usage"].histogram.data_points[0].sum


def test_the_programs_meter_provider_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is added to it but instruments: started again they do not count twice, closed they say nothing."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", lambda: provider)
    recording = Recording()
    for _ in range(2):
        recording.tracer.start_monitoring(MonitoringConfig(enable_resource_monitoring=False))
    with recording.tracer.start_run():
        pass

    data = reader.get_metrics_data()
    assert data is not None
    points = {
        metric.name: [point.value for point in metric.data.data_points]  # type: ignore[union-attr]
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    recording.tracer.close()
    assert reader.get_metrics_data() is None
    provider.shutdown()

    assert [1] == points["agent.tasks.completed"]


def test_gpus_are_measured_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through NVML, one point a GPU."""
    nvml = ModuleType("pynvml")
    nvml.nvmlInit = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetCount = lambda: 2  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetUtilizationRates = lambda gpu: SimpleNamespace(gpu=50 + gpu)  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetMemoryInfo = lambda gpu: SimpleNamespace(used=1024)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)

    hosts = HostMetrics(provider, provider.get_meter("x"))
    data = reader.get_metrics_data()
    hosts.close()
    provider.shutdown()

    assert data is not None
    gpus = {
        metric.name: [point.value for point in metric.data.data_points]  # type: ignore[union-attr]
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name.startswith("hw.")
    }
    assert {"hw.gpu.utilization": [0.5, 0.51], "hw.gpu.memory.usage": [1024, 1024]} == gpus


def test_the_monitoring_configuration_is_kept_in_its_ranges(caplog: pytest.LogCaptureFixture) -> None:
    """What is out of range stays at its default; the server's own settings are none of ours."""
    config = read_monitoring_config(
        {
            "metrics_interval_seconds": 0,
            "health_check_interval_seconds": 300,
            "enable_ai_monitoring": "yes",
            "enable_resource_monitoring": False,
            "cpu_threshold": 80.0,
        }
    )

    assert MonitoringConfig(60, 300, False, True, False) == config
    assert [
        "agenttracer: metrics_interval_seconds is out of range; the default stays",
        "agenttracer: enable_ai_monitoring is out of range; the default stays",
    ] == caplog.messages
