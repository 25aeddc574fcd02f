"""The spool: what the collector could not take lies in a folder, for the owner alone, until it can."""

import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from agenttracer import AgentTracer
from agenttracer.instrumentation import guard
from agenttracer.instrumentation.spool import Spool
from agenttracer.instrumentation.spool_codec import decode, encode
from agenttracer.instrumentation.spooling import SpoolingSender
from tests.sdk_fakes import FakeSender, Recording, grpc_collector


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


def _some_spans() -> list[Any]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("lib", "1", "https://schema", {"scope": "x"})
    with tracer.start_as_current_span("parent", kind=SpanKind.SERVER) as parent:
        parent.add_event("event", {"a": 1})
        with tracer.start_as_current_span(
            "child",
            links=[Link(parent.get_span_context(), {"l": True})],
            attributes={"s": "x", "i": 2, "f": 1.5, "b": False, "list": ("a", "b"), "raw": b"\x00"},
        ) as child:
            child.set_status(Status(StatusCode.ERROR, "why"))
    return list(exporter.get_finished_spans())


def test_spans_come_out_as_they_went_in() -> None:
    """Every byte that would be sent is the same: the collector knows a request by its hash."""
    payload = encode("traces", _some_spans())

    assert payload == encode("traces", decode("traces", payload))


def test_events_come_out_as_they_went_in() -> None:
    """Bodies, times, names, and the spans they belong to."""
    recording = Recording()
    with recording.tracer.start_run() as run:
        run.record_artifact("a.bin", b"\x00\xff", meta={"fps": 30})
    payload = encode("logs", recording._logs.get_finished_logs())

    assert payload == encode("logs", decode("logs", payload))


def test_the_files_are_for_the_owner_alone_and_bounded(tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700, whatever the umask; what does not fit is refused."""
    spool = Spool(tmp_path / "spool", max_bytes=10)

    assert [True, False] == [spool.write("traces", b"x" * 9, 3), spool.write("traces", b"xx", 3)]

    (file,) = spool.folder.iterdir()
    assert (0o600, 0o700) == (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(spool.folder.stat().st_mode))
    assert 3 == spool.written


def test_a_folder_that_can_not_be_used_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The program goes on; what could not be kept counts as not sent."""
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool")

    assert [False, False] == [spool.write("traces", b"x", 1), spool.write("traces", b"x", 1)]
    assert ["agenttracer: the spool folder can't be used: NotADirectoryError"] == caplog.messages


def test_replay_is_in_order_stops_at_a_failure_and_skips_what_another_process_sends(tmp_path: Path) -> None:
    """A file is deleted once it was sent, not before."""
    spool = Spool(tmp_path)
    for payload in (b"1", b"2", b"3"):
        spool.write("traces", payload, 1)
    sent: list[bytes] = []

    def send(payload: bytes) -> bool:
        sent.append(payload)
        return payload != b"3"

    first = min(tmp_path.iterdir())
    with first.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not spool.replay("traces", send)

    assert [b"2", b"3"] == sent
    assert [b"1", b"3"] == [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert spool.replay("traces", lambda payload: True)
    assert spool.is_empty


def test_the_sender_does_not_ask_a_collector_that_is_away_again_at_once(tmp_path: Path) -> None:
    """After a failure the spool takes what comes; the next success sends it, too."""
    sender = FakeSender(answer=False)
    spooling = SpoolingSender(sender, Spool(tmp_path), "traces", retry_seconds=0.05)
    spans = _some_spans()

    assert [True, True] == [spooling.send(spans), spooling.send(spans)]
    assert 1 == len(sender.batches)

    time.sleep(0.06)
    sender.answer = True
    assert spooling.send(spans)
    assert ([2] * 4, True) == ([len(batch) for batch in sender.batches], Spool(tmp_path).is_empty)


def test_a_file_that_is_no_request_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody could ever send it."""
    Spool(tmp_path).write("traces", b"\xff\xff", 1)

    assert SpoolingSender(FakeSender(), Spool(tmp_path), "traces").send(_some_spans())
    assert Spool(tmp_path).is_empty
    assert 1 == len(caplog.messages)


def test_a_run_outlives_the_collectors_absence(tmp_path: Path) -> None:
    """A process that ends while nobody listens leaves its run behind; the next one sends it. No content in it."""
    program = f"""
from agenttracer import AgentTracer
tracer = AgentTracer("support", api_url="http://127.0.0.1:1", spool_dir={str(tmp_path)!r})
with tracer.start_run(run_id="lost", metadata={{"note": "a secret sentence"}}) as run:
    run.store_memory("a secret sentence")
    run.record_artifact("a.txt", "a secret sentence")
tracer.close(30)  # as soon as the exporter has given up
stats = tracer.stats()
assert stats.spooled and (1, 1) == (stats.dropped, stats.lost_artifacts), stats
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert not [path for path in tmp_path.iterdir() if b"secret" in path.read_bytes()]

    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}", spool_dir=tmp_path)
        with tracer.start_run(run_id="next"):
            pass
        assert tracer.flush(10)
        tracer.close()

    runs = {
        pair.value.string_value
        for span in collector.spans
        for pair in span.attributes
        if pair.key == "agent.run.id"
    }
    assert {"lost", "next"} == runs
    events = [record.event_name for record in collector.records]
    assert (2, 1) == (events.count("agent.run.started"), events.count("agent.memory"))
    assert [] == list(tmp_path.iterdir())
    assert 2 == tracer.stats().replayed_requests
