"""Artifacts leave as log records with the bytes as their body."""

import json
from pathlib import Path
from typing import Any

import pytest

from agenttracer.instrumentation import guard
from tests.sdk_fakes import Recording


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


def _artifacts(recording: Recording) -> list[Any]:
    return [event for event in recording.events if event.event_name == "agent.artifact"]


@pytest.mark.parametrize(
    ("name", "data", "body", "content_type"),
    [
        ("walk.glb", b"\x00\xff", b"\x00\xff", "model/gltf-binary"),
        ("walk.bin", bytearray(b"ab"), b"ab", "application/octet-stream"),
        ("walk", memoryview(b"ab"), b"ab", "application/octet-stream"),
        ("notes.md", "größe", "größe".encode(), "text/markdown"),
        ("notes", "größe", "größe".encode(), "text/plain"),
    ],
)
def test_bytes_and_text_are_sent_as_they_are(name: str, data: Any, body: bytes, content_type: str) -> None:
    """The body is always bytes; the media type follows from the name."""
    recording = Recording()
    with recording.tracer.start_run(run_id="r1") as run:
        run.record_artifact(name, data)

    (artifact,) = _artifacts(recording)
    assert (body, bytes) == (artifact.body, type(artifact.body))
    assert {
        "agent.run.id": "r1",
        "gen_ai.agent.name": "support",
        "agent.artifact.name": name,
        "agent.artifact.content_type": content_type,
        "agent.artifact.size_bytes": len(body),
    } == dict(artifact.attributes)


def test_a_path_is_read(tmp_path: Path) -> None:
    """A ``Path`` stands for its file's content; a media type that is given counts."""
    recording = Recording()
    (tmp_path / "report.pdf").write_bytes(b"%PDF")
    with recording.tracer.start_run() as run:
        run.record_artifact("report.pdf", tmp_path / "report.pdf", "application/x-report")

    (artifact,) = _artifacts(recording)
    assert (b"%PDF", "application/x-report") == (
        artifact.body,
        artifact.attributes["agent.artifact.content_type"],
    )


def test_an_artifact_belongs_to_the_step_that_made_it() -> None:
    """Its trace context is the current step's."""
    recording = Recording()
    with recording.tracer.start_run() as run, run.step("tool", "render"):
        run.record_artifact("a", b"x")

    (artifact,) = _artifacts(recording)
    context = recording.span("execute_tool render").context
    assert context is not None
    assert (context.trace_id, context.span_id) == (artifact.trace_id, artifact.span_id)


def test_meta_is_json_of_what_may_leave(caplog: pytest.LogCaptureFixture) -> None:
    """Numbers, booleans and labels; the rest is refused like metadata."""
    recording = Recording()
    with recording.tracer.start_run() as run:
        run.record_artifact(
            "a", b"x", meta={"frames": 3, "model": "small-1", "caption": "alice on the beach"}
        )

    (artifact,) = _artifacts(recording)
    assert {"frames": 3, "model": "small-1"} == json.loads(artifact.attributes["agent.artifact.meta"])
    assert "alice" not in caplog.text


@pytest.mark.parametrize("kind", ["bytes", "text", "path"])
def test_an_artifact_above_the_limit_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """One warning with the limit; nothing is sent, whatever the artifact comes as."""
    recording = Recording(max_artifact_bytes=4)
    (tmp_path / "a").write_bytes(b"12345")
    data: Any = {"bytes": b"12345", "text": "12€", "path": tmp_path / "a"}[kind]
    with recording.tracer.start_run() as run:
        run.record_artifact("a", data)
        run.record_artifact("b", b"1234")

    assert ["b"] == [artifact.attributes["agent.artifact.name"] for artifact in _artifacts(recording)]
    assert ["agenttracer: an artifact of more than 4 bytes was refused"] == caplog.messages


@pytest.mark.parametrize("data", [Path("/does/not/exist/alice"), 7, None])
def test_what_cannot_be_read_harms_nobody(caplog: pytest.LogCaptureFixture, data: Any) -> None:
    """A missing file or a wrong type is a warning without the path; the run goes on."""
    recording = Recording()
    with recording.tracer.start_run() as run:
        run.record_artifact("a", data)

    assert [] == _artifacts(recording)
    assert "success" == run.status
    assert (1, False) == (len(caplog.messages), "alice" in caplog.text)
