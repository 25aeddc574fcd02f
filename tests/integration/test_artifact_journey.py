"""An artifact's way through the running collector: into the folder once, into the store never."""

import hashlib
import time
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from agenttracer.schemas.batch import Signal
from tests.otlp_traces import attributes, value
from tests.running_collector import CONFIG, running_collector

CONTENT = b"glTF\x02\x00binary of an artifact" * 100


def artifact() -> bytes:
    message = ExportLogsServiceRequest()
    of_resource = message.resource_logs.add()
    of_resource.resource.attributes.extend(
        attributes({"service.name": "tests", "gen_ai.agent.name": "painter"})
    )
    record = of_resource.scope_logs.add().log_records.add(
        event_name="agent.artifact", time_unix_nano=time.time_ns(), body=value(CONTENT)
    )
    record.attributes.extend(
        attributes(
            {
                "agent.artifact.name": "scene.glb",
                "agent.artifact.content_type": "model/gltf-binary",
                "agent.artifact.meta": '{"polygons": 1200}',
                "agent.run.id": "run-1",
                "agent.artifact.key": "../../another/tenants/object",
            }
        )
    )
    return message.SerializeToString()


def test_an_artifact_is_stored_once_and_only_referenced(tmp_path: Path) -> None:
    """The bytes lie under an immutable key of the tenant's, agent's and run's; ClickHouse has the reference."""
    arguments = ("--config", str(CONFIG), "--set", "exporters.clickhouse.ttl=0")
    with running_collector(tmp_path, *arguments) as collector:
        body = artifact()
        for _ in range(2):
            collector.export(Signal.LOGS, body)
        collector.wait_until_stored()
        assert collector.stop() == 0

    rows, logs = collector.query(
        "SELECT Name, Key, Sha256, SizeBytes, ContentType, RunId, AgentName FROM agent_artifacts",
        "SELECT EventName, Body FROM otel_logs",
    )
    (name, key, sha256, size_bytes, content_type, run, agent) = rows[0]
    assert len(rows) == 1
    assert (name, content_type, run, agent) == ("scene.glb", "model/gltf-binary", "run-1", "painter")
    assert (sha256, size_bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert logs == [["agent.artifact", ""]]
    tenant, of_agent, of_run, _, file_name = key.split("/")
    assert (tenant, of_agent, of_run, file_name) == ("default", "painter", "run-1", "scene.glb")
    assert (tmp_path / "data" / "artifacts" / key).read_bytes() == CONTENT
    stored = [path for path in (tmp_path / "data" / "artifacts").rglob("*") if path.is_file()]
    assert [path.name for path in stored] == ["scene.glb"]
