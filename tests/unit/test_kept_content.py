"""Content that an operator keeps on purpose leaves the rows for the artifact store, masked; a reference stays."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from agenttracer.collector.codec import pack, unpack
from agenttracer.collector.component import Context
from agenttracer.collector.config.load import load_config
from agenttracer.collector.errors import ConfigError
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions
from agenttracer.schemas.batch import Batch, Place, Signal
from agenttracer.schemas.flatten import flatten
from tests.otlp_traces import request, span
from tests.processing import attributes_at, decoded, normalize, process, redaction

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.agent.name": "support",
    "agent.run.id": "run-1",
    "gen_ai.input.messages": 'say "hi"\n\tto alice@example.com \\ \x01',
    "gen_ai.prompt.0.content": {"role": "user", "parts": ["hello"]},
    "gen_ai.output.messages": "done",
}


def kept(folder: Path, *spans: Any) -> Batch:
    keeping = redaction(folder, content="artifact")
    return process(decoded(request(*spans), tenant="acme"), normalize(), keeping)


def objects(batch: Batch) -> dict[str, Any]:
    """Key → content of the batch's objects."""
    return {row["Key"]: json.loads(row["Content"]) for row in batch.tables["contents"].to_pylist()}


def test_content_becomes_objects_that_the_row_points_at(tmp_path: Path) -> None:
    """One object a role, with everything of that role; what a detector finds is masked there, too."""
    batch = kept(tmp_path, span("x"), span("a", CHAT))

    attributes = attributes_at(batch, Place.ROW, 1)
    given, answered = attributes["gen_ai.input.messages_ref"], attributes["gen_ai.output.messages_ref"]
    found = objects(batch)
    assert found.keys() == {given, answered}
    assert given.startswith("acme/support/run-1/")
    assert given.endswith("/content-input.json")
    assert found[answered] == {"gen_ai.output.messages": "done"}
    assert found[given]["gen_ai.input.messages"] == 'say "hi"\n\tto **** \\  '
    assert "hello" in found[given]["gen_ai.prompt.0.content"]
    assert attributes_at(batch, Place.ROW, 0) == {}


def test_keys_of_content_are_masked_too(tmp_path: Path) -> None:
    """Dialects make keys out of content, as of a variable's name."""
    (content,) = objects(kept(tmp_path, span("a", {"gen_ai.prompt.variable.bob@example.com": "hi"}))).values()

    assert content == {"****": "hi"}


def test_events_of_a_span_and_bodies_of_records_are_content_too(tmp_path: Path) -> None:
    """Wherever a dialect puts content, it goes to the same place."""
    events = [("gen_ai.content.prompt", {"gen_ai.prompt": "hello"})]
    batch = kept(tmp_path, span("a", {"agent.run.id": "run-1"}, events=events))
    (key,) = objects(batch)
    assert attributes_at(batch, Place.ROW)["gen_ai.input.messages_ref"] == key

    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.choice")
    record.body.string_value = "my answer"
    logs = process(decoded(message, Signal.LOGS), normalize(), redaction(tmp_path, content="artifact"))
    assert list(objects(logs).values()) == [{"body": "my answer"}]
    assert "gen_ai.output.messages_ref" in attributes_at(logs, Place.ROW)


def test_the_database_gets_none_of_it(tmp_path: Path) -> None:
    """The rows that ClickHouse stores hold the references, and the journal's copies of a batch keep all."""
    batch = unpack([pack(kept(tmp_path, span("a", CHAT))), pack(kept(tmp_path, span("b", CHAT)))])

    assert len(objects(batch)) == 4
    rows = str([table.to_pydict() for table in flatten(batch, 0).values()])
    assert "content-input.json" in rows
    assert "hello" not in rows
    assert "done" not in rows


def test_by_default_content_is_dropped(tmp_path: Path) -> None:
    """Nothing is kept that nobody asked for, nor a reference that a client made up."""
    given = {**CHAT, "gen_ai.input.messages_ref": "s3://elsewhere"}
    batch = process(decoded(request(span("a", given))), normalize(), redaction(tmp_path, mode="labels"))

    assert "contents" not in batch.tables
    assert "gen_ai.input.messages_ref" not in attributes_at(batch, Place.ROW)


def test_the_artifact_store_gets_the_objects_and_lets_them_go(tmp_path: Path) -> None:
    """Under their keys, once, and for as long as content is to be kept."""
    batch = kept(tmp_path, span("a", CHAT))
    directory = tmp_path / "artifacts"

    async def store() -> None:
        options = ArtifactsOptions(directory=str(directory), content_ttl="1h")
        exporter = Artifacts(options, Context("artifacts", Telemetry()))
        await exporter.start()
        await exporter.export(batch)
        await exporter.export(batch)
        await exporter.stop()
        assert exporter.store.expire(3600) == 0

    asyncio.run(store())
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.json")}
    assert {key: json.loads(path.read_text()) for key, path in files.items()} == objects(batch)

    artifacts = Artifacts(ArtifactsOptions(directory=str(directory)), Context("artifacts", Telemetry()))
    assert artifacts.store.expire(-1) == 2
    assert list(directory.iterdir()) == []


def test_keeping_content_without_a_place_for_it_is_refused(tmp_path: Path) -> None:
    """At the start: a reference to an object that nobody stores would be a loss."""
    file = tmp_path / "otel-config.yaml"
    file.write_text("""
receivers: {otlp: {protocols: {grpc: {}}}}
processors: {redaction: {content: artifact}}
exporters: {debug: {}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [redaction], exporters: [debug]}
""")

    with pytest.raises(ConfigError, match="keeps what only an artifacts exporter stores"):
        load_config([str(file)])


def test_what_exceptions_say_is_dropped_not_kept(tmp_path: Path) -> None:
    """An error's text is content of no step: it is no part of an object, and doesn't stop the batch."""
    clean = kept(tmp_path, span("chat", {**CHAT, "exception.message": "no such user"}))
    assert "no such user" not in str(objects(clean))
    assert "exception.message" not in attributes_at(clean, Place.ROW)
