"""Everything the SDK records, on its way through the real collector: it arrives, and nothing of it is content."""

import time
from pathlib import Path

from agenttracer import AgentConfig, AgentTracer, make_provenance
from tests.running_collector import CONFIG, running_collector

CONTENT = "Bob prefers tea"


def _record(url: str) -> None:
    with AgentTracer("support", "1.2.3", url) as tracer:
        tracer.register(
            AgentConfig("support", category="SUPPORT", type="chatbot", capabilities=["refunds"], tags=["eu"])
        )
        tracer.add_health_check("database", lambda: True)
        tracer.start_monitoring({"metrics_interval_seconds": 1})
        prompt = tracer.register_prompt_template("triage", CONTENT, "3", ["question"])
        tracer.register_tool("search_kb", {"description": CONTENT}, version="2")
        tracer.record_learning_pattern("retry-after-429", 0.7, 12)
        run_id = tracer.queue_run("run-1")
        with tracer.start_run(
            run_id=run_id,
            input={"question": CONTENT},
            provenance=make_provenance("small-1", seed=7, config={}),
        ) as run:
            run.set_result({"frames": 180})
            run.record_metric("confidence", 0.92, "1")
            run.store_memory(CONTENT, kind="preference", importance=0.8, memory_id="m-1")
            with run.step("model", "answer", metadata=prompt) as step:
                step.chunk()
        deadline = time.monotonic() + 10
        while not tracer.stats().events.sent:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert tracer.flush(20)
        tracer.deregister()


def test_what_the_sdk_records_is_stored(tmp_path: Path) -> None:
    """Runs with result, provenance and input's shape; events with their facts; metrics; no content anywhere."""
    arguments = ("--config", str(CONFIG), "--set", "exporters.clickhouse.ttl=0")
    with running_collector(tmp_path, *arguments) as collector:
        _record(f"http://127.0.0.1:{collector.ports['grpc']}")
        collector.wait_until_stored()
        assert collector.stop() == 0

    events, root, step, metrics = collector.query(
        "SELECT EventName, LogAttributes FROM otel_logs",
        "SELECT SpanAttributes FROM otel_traces WHERE ParentSpanId = ''",
        "SELECT SpanAttributes FROM otel_traces WHERE StepType = 'model'",
        "SELECT DISTINCT MetricName FROM otel_metrics_sum UNION ALL SELECT DISTINCT MetricName FROM otel_metrics_gauge",
    )
    told = dict(events)
    expected = {
        "agent.registered": {
            "agent.category": "support",
            "agent.type": "chatbot",
            "agent.capabilities": '["refunds"]',
            "agent.tags": '["eu"]',
        },
        "agent.health_check": {
            "agent.health.check.name": "database",
            "agent.health.check.status": "healthy",
        },
        "agent.heartbeat": {"agent.health.status": "online", "agent.health.score": "1"},
        "agent.prompt_template": {
            "gen_ai.prompt.name": "triage",
            "gen_ai.prompt.version": "3",
            "agent.prompt.variables": '["question"]',
        },
        "agent.tool_definition": {"gen_ai.tool.name": "search_kb", "agent.tool.version": "2"},
        "agent.learning_pattern": {
            "agent.learning.pattern": "retry-after-429",
            "agent.learning.evidence_count": "12",
        },
        "agent.metric": {
            "agent.metric.name": "confidence",
            "agent.metric.value": "0.92",
            "agent.metric.unit": "1",
        },
        "agent.memory": {
            "agent.memory.id": "m-1",
            "agent.memory.kind": "preference",
            "agent.memory.importance": "0.8",
        },
    }
    assert expected == {
        name: {key: told[name].get(key) for key in attributes} for name, attributes in expected.items()
    }
    assert {"agent.run.queued", "agent.run.started", "agent.deregistered"} <= told.keys()
    assert ("180", "small-1", "7", '["question:string"]') == tuple(
        root[0][0].get(key)
        for key in (
            "agent.run.result.frames",
            "gen_ai.request.model",
            "gen_ai.request.seed",
            "agent.run.input.fields",
        )
    )
    assert 64 == len(root[0][0]["agent.config.hash"])
    assert ("1", True) == (step[0][0]["agent.step.chunk_count"], "agent.prompt.hash" in step[0][0])
    assert {"agent.tasks.completed", "agent.uptime", "process.memory.usage"} <= {name for (name,) in metrics}
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and CONTENT.encode() in path.read_bytes()
    ]
