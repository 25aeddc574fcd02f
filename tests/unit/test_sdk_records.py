"""What is recorded besides steps: results, metrics, prompts, tools, memory, provenance, work already done."""

import hashlib
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agenttracer import make_provenance
from agenttracer.instrumentation import guard
from agenttracer.instrumentation.provenance import code_hash, git_revision
from tests.sdk_fakes import Recording

CONTENT = "Bob prefers tea, bob@example.com"


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


@pytest.fixture
def recording() -> Recording:
    """A tracer that records into memory."""
    return Recording()


def _everything(recording: Recording) -> str:
    spans = [str(span.to_json()) for span in recording.spans]
    return "".join(spans) + "".join(str((event.attributes, event.body)) for event in recording.events)


def test_a_run_has_a_result_and_says_what_it_was_given(recording: Recording) -> None:
    """The summary's scalars; of the input its size, hash and the fields' types."""
    payload = {"prompt": CONTENT, "frames": 180, "options": {"a": 1}}
    with recording.tracer.start_run(input=payload) as run:
        run.set_result({"frames": 180, "label": "entry_peek", "text": CONTENT})

    root = recording.root
    raw = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    assert (180, "entry_peek") == (root["agent.run.result.frames"], root["agent.run.result.label"])
    assert "agent.run.result.text" not in root
    assert len(raw) == root["agent.run.input.size_bytes"]
    assert hashlib.sha256(raw).hexdigest() == root["agent.run.input.hash"]
    assert ("prompt:string", "frames:number", "options:object") == root["agent.run.input.fields"]
    assert "Bob" not in _everything(recording)


def test_metrics_are_events_with_a_number_or_a_label(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a run, or of the agent; a text is refused with a warning that names the key alone."""
    with recording.tracer.start_run(run_id="r1") as run:
        run.record_metric("confidence", 0.92, "1")
        run.record_metric("verdict", "approved")
        run.record_metric("answer", CONTENT)
    recording.tracer.record_metric("accuracy", 95, "%")

    found = [dict(event.attributes) for event in recording.events if event.event_name == "agent.metric"]
    assert ["confidence", "verdict", "accuracy"] == [metric["agent.metric.name"] for metric in found]
    assert (0.92, "1", "r1") == tuple(
        found[0][key] for key in ("agent.metric.value", "agent.metric.unit", "agent.run.id")
    )
    assert "approved" == found[1]["agent.metric.label"]
    assert ("support", False) == (found[2]["gen_ai.agent.name"], "agent.run.id" in found[2])
    assert ["agenttracer: metric 'answer' was refused: neither a number nor a label"] == caplog.messages


def test_prompts_and_tools_are_known_by_their_hash(recording: Recording) -> None:
    """Name, version, hash, size and variables; never the text. What is returned is metadata for steps."""
    template = f"You are {CONTENT} {{question}}"
    prompt = recording.tracer.register_prompt_template("triage", template, "3", ["question"])
    digest = recording.tracer.register_tool("search_kb", {"description": CONTENT}, version="2")
    with recording.tracer.start_run() as run, run.step("model", "m", metadata=prompt):
        pass

    told, tool = (dict(event.attributes) for event in recording.events[:2])
    assert hashlib.sha256(template.encode()).hexdigest() == told["agent.prompt.hash"]
    assert ("triage", "3", ("question",), len(template)) == tuple(
        told[key]
        for key in (
            "gen_ai.prompt.name",
            "gen_ai.prompt.version",
            "agent.prompt.variables",
            "agent.prompt.size_bytes",
        )
    )
    assert told["agent.prompt.hash"] == recording.attributes("chat m")["agent.prompt.hash"]
    assert (digest, "search_kb", "function", "2") == tuple(
        tool[key]
        for key in (
            "agent.tool.definition.hash",
            "gen_ai.tool.name",
            "gen_ai.tool.type",
            "agent.tool.version",
        )
    )
    assert "Bob" not in _everything(recording)


def test_memory_is_a_step_and_an_event_without_its_content(recording: Recording) -> None:
    """Storing returns an id; searching is a step of its own."""
    with recording.tracer.start_run() as run:
        memory_id = run.store_memory(CONTENT, kind="preference", importance=0.8)
        with run.search_memory("preferences") as step:
            step.add_metadata({"result_count": 2})

    stored = recording.attributes("upsert_memory store_memory")
    event = next(dict(event.attributes) for event in recording.events if event.event_name == "agent.memory")
    for attributes in (stored, event):
        assert (memory_id, "preference", 0.8, len(CONTENT)) == tuple(
            attributes[f"agent.memory.{key}"] for key in ("id", "kind", "importance", "size_bytes")
        )
    assert 2 == recording.attributes("search_memory preferences")["agent.retrieval.document_count"]
    assert "Bob" not in _everything(recording)


def test_what_was_learned_is_a_label(recording: Recording) -> None:
    """With how sure it is and on what evidence; a sentence is refused."""
    recording.tracer.record_learning_pattern("retry-after-429", confidence=0.7, evidence_count=12)
    recording.tracer.record_learning_pattern(CONTENT)

    (event,) = recording.events
    assert ("retry-after-429", 0.7, 12) == tuple(
        event.attributes[f"agent.learning.{key}"] for key in ("pattern", "confidence", "evidence_count")
    )


def test_provenance_names_model_code_config_prompt_and_seed(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit from GIT_COMMIT_SHA; hashes of code and configuration; content in it goes nowhere."""
    monkeypatch.setenv("GIT_COMMIT_SHA", "abc123")
    provenance = make_provenance(
        "hymotion 3b",
        "v2025-01-01",
        provider="acme",
        prompt={"prompt_name": "motion", "prompt_version": "4", "prompt_hash": "f00"},
        seed=7,
        config={"api_key": CONTENT},
        code=test_what_was_learned_is_a_label,
    )
    with recording.tracer.start_run(provenance={**provenance, "note": CONTENT}):
        pass

    root = recording.root
    expected = {
        "vcs.ref.head.revision": "abc123",
        "gen_ai.request.model": "hymotion 3b",
        "gen_ai.response.model": "v2025-01-01",
        "gen_ai.provider.name": "acme",
        "gen_ai.prompt.name": "motion",
        "gen_ai.prompt.version": "4",
        "agent.prompt.hash": "f00",
        "gen_ai.request.seed": 7,
        "agent.config.hash": hashlib.sha256(f'{{"api_key":"{CONTENT}"}}'.encode()).hexdigest(),
    }
    assert expected == {key: root[key] for key in expected}
    assert 64 == len(root["agent.code.hash"])
    assert "Bob" not in _everything(recording)


def test_the_commit_is_read_from_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with packed references, in a worktree, on a detached head; without git being there to run."""
    monkeypatch.delenv("GIT_COMMIT_SHA", raising=False)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(tmp_path)]

    def run(*arguments: str) -> str:
        return subprocess.run([*git, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q", "-b", "main")
    run("commit", "-q", "--allow-empty", "-m", "x")
    commit = run("rev-parse", "HEAD")
    (tmp_path / "deep").mkdir()

    assert commit == git_revision(tmp_path / "deep")
    run("pack-refs", "--all")
    assert commit == git_revision(tmp_path)
    run("worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    assert commit == git_revision(tmp_path / "tree")
    run("checkout", "-q", "--detach")
    assert commit == git_revision(tmp_path)


def test_a_folders_hash_follows_its_code(tmp_path: Path) -> None:
    """Names and contents of Python files count, other files don't."""
    hashes = []
    for number, change in enumerate(
        ({"a.py": "1"}, {"a.py": "2"}, {"b.py": "1"}, {"a.py": "1", "x.txt": "?"})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in change.items():
            (folder / name).write_text(text)
        hashes.append(code_hash(folder))

    assert 3 == len(set(hashes))
    assert hashes[0] == hashes[3]


def test_a_run_that_is_over_can_be_told_afterwards(recording: Recording) -> None:
    """At its own times, with steps, result, metrics and artifacts; it is no run that was ever running."""
    start, end = datetime(2025, 1, 2, 14, tzinfo=UTC), datetime(2025, 1, 2, 14, 18, tzinfo=UTC)
    told = recording.tracer.ingest_success(
        "r1",
        result={"frames": 180},
        artifacts=[
            {"name": "m.json", "data": b"{}", "content_type": "application/json", "meta": {"fps": 30}}
        ],
        metrics={"confidence": 0.92},
        steps=[
            {"type": "model", "name": "generate", "finished_at": start.timestamp() + 60},
            {"type": "tool", "name": "render", "failure_code": "timeout"},
        ],
        started_at=start,
        finished_at=end,
        metadata={"channel": "api"},
    )

    span = recording.span("invoke_agent support")
    assert (start.timestamp() * 1e9, end.timestamp() * 1e9) == (span.start_time, span.end_time)
    assert ("r1", "r1", 180, "api", "partial") == (
        told,
        *(
            recording.root[key]
            for key in (
                "agent.run.id",
                "agent.run.result.frames",
                "agent.run.metadata.channel",
                "agent.run.status",
            )
        ),
    )
    assert 60e9 == recording.span("chat generate").end_time - recording.span("chat generate").start_time  # type: ignore[operator]
    assert ["agent.metric", "agent.artifact"] == [event.event_name for event in recording.events]


def test_a_failed_run_can_be_told_afterwards(recording: Recording) -> None:
    """With its type and code; the message stays here."""
    recording.tracer.ingest_failure("r1", "tool", "timeout", CONTENT)

    root = recording.root
    assert ("failure", "tool", "timeout") == tuple(
        root[f"agent.{key}"] for key in ("run.status", "failure.type", "failure.code")
    )
    assert "Bob" not in _everything(recording)


def test_bad_arguments_never_raise(recording: Recording) -> None:
    """What can't be used is left out; the program goes on."""
    broken: Any = object()
    tracer = recording.tracer
    with tracer.start_run(input=broken, provenance=broken) as run:
        run.set_result(broken)
        run.record_metric(broken, broken)
        run.record_artifact("a")
        run.store_memory(broken, broken, broken, broken)
        run.record_learning_pattern(broken, broken)
    tracer.register_prompt_template(broken, broken, broken, broken)
    tracer.register_tool(broken, broken, type=broken, version=broken)
    tracer.ingest_success(started_at=broken, steps=broken)
    make_provenance(code=broken, config=broken, prompt=broken)

    assert "success" == run.status
