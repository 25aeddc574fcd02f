"""Whatever becomes of the collector, the process or the thread: the program goes on, and nothing is lost unseen."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import grpc
import pytest

from agenttracer import AgentTracer
from agenttracer.instrumentation import guard
from tests.sdk_fakes import Received, grpc_collector


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _run_ids(collector: Received) -> list[str]:
    return sorted(
        pair.value.string_value
        for span in collector.spans
        if not span.parent_span_id
        for pair in span.attributes
        if pair.key == "agent.run.id"
    )


def _work(tracer: AgentTracer, steps: int = 50) -> float:
    """A run; the seconds it took."""
    started = time.monotonic()
    with tracer.start_run() as run:
        for _ in range(steps):
            with run.step("tool", "x"):
                pass
    return time.monotonic() - started


def test_a_slow_collector_slows_nobody() -> None:
    """The program waits for no answer."""
    with grpc_collector() as collector:
        collector.delay_seconds = 0.3
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        assert _work(tracer) < 0.3
        assert not tracer.flush(0.01)
        assert tracer.flush(10)
        tracer.close()

    assert 51 == len(collector.spans)


def test_a_refusing_collector_is_a_count() -> None:
    """What it does not want is dropped, and the process can read how much."""
    with grpc_collector() as collector:
        collector.refuse = grpc.StatusCode.PERMISSION_DENIED
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        _work(tracer)
        assert not tracer.flush(10)
        tracer.close()

    stats = tracer.stats()
    assert (51, 0, 0, {"queue_full": 0, "closed": 0, "not_sent": 51}) == tuple(stats.spans)
    assert 1 == stats.events.dropped["not_sent"]
    assert 52 == stats.dropped


def test_a_collector_that_goes_and_comes_back_gets_everything() -> None:
    """Retried while it is away; the program notices nothing."""
    with grpc_collector() as collector:
        port = collector.port
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{port}")
        with tracer.start_run(run_id="r1"):
            pass
        assert tracer.flush(10)
    with tracer.start_run(run_id="r2") as run, run.step("plan", "x"):
        pass
    assert not tracer.flush(0.1)
    with grpc_collector(port) as again:
        assert tracer.flush(10)
    tracer.close()

    assert (["r1"], ["r2"]) == (_run_ids(collector), _run_ids(again))
    assert 0 == tracer.stats().dropped


def test_a_forked_child_reports_its_own_runs() -> None:
    """As gunicorn with ``--preload`` and multiprocessing do it: the parent's tracer, used before and after."""
    with grpc_collector() as collector:
        done = _run(f"""
            import os, time
            from agenttracer import AgentTracer
            tracer = AgentTracer("support", api_url="http://127.0.0.1:{collector.port}")
            tracer.start_monitoring()
            with tracer.start_run(run_id="before"): pass
            assert tracer.flush(10)
            with tracer.start_run(run_id="waiting"): pass
            children = []
            for number in range(2):
                child = os.fork()
                if child == 0:
                    with tracer.start_run(run_id=f"child-{{number}}"): pass
                    while tracer.stats().events.accepted < 2: time.sleep(0.01)  # the run's start, a heartbeat
                    sent = tracer.flush(10)
                    stats = tracer.stats().spans
                    os._exit(0 if sent and (1, 1, 0) == tuple(stats)[:3] else 1)
                children.append(child)
            assert [0, 0] == [os.waitpid(child, 0)[1] for child in children]
            with tracer.start_run(run_id="after"): pass
            assert tracer.flush(10)
            tracer.close()
        """)

    assert 0 == done.returncode, done.stderr
    assert ["after", "before", "child-0", "child-1", "waiting"] == _run_ids(collector)
    assert 3 == [record.event_name for record in collector.records].count("agent.heartbeat")


def _in_child(tracer: AgentTracer, name: str) -> None:
    with tracer.start_run(run_id=name):
        pass
    tracer.close(10)


def test_a_multiprocessing_child_ends_in_time() -> None:
    """Its exit runs no atexit handler: it closes its tracer itself."""
    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        child = multiprocessing.get_context("fork").Process(target=_in_child, args=(tracer, "child"))
        child.start()
        child.join(30)
        tracer.close()

    assert 0 == child.exitcode
    assert ["child"] == _run_ids(collector)


def test_many_threads_lose_nothing() -> None:
    """Runs in threads at the same time keep their own steps."""
    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        threads = [threading.Thread(target=_work, args=(tracer, 20)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tracer.flush(10)
        tracer.close()

    assert 8 * 21 == len(collector.spans)
    roots = {span.span_id for span in collector.spans if not span.parent_span_id}
    assert 8 == len(roots)
    assert roots == {span.parent_span_id for span in collector.spans if span.parent_span_id}


def test_a_serverless_handler_flushes_before_it_freezes() -> None:
    """``flush`` returns when all is sent, and within its time when nobody listens."""
    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        with tracer.start_run(run_id="r1"):
            pass
        assert tracer.flush(timeout_seconds=10)
        assert ["r1"] == _run_ids(collector)
        tracer.close()

    away = AgentTracer("support", api_url="http://127.0.0.1:1")
    with away.start_run():
        pass
    started = time.monotonic()
    assert not away.flush(timeout_seconds=0.1)
    assert time.monotonic() - started < 2
    away.close(0)


def test_an_interrupted_program_still_tells_of_its_run() -> None:
    """Ctrl-C: the run is cancelled, the program sees its own exception, what was recorded is sent."""
    with grpc_collector() as collector:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(f"""
                    import sys, time
                    sys.excepthook = lambda kind, error, traceback: print(kind.__name__, file=sys.stderr)
                    from agenttracer import AgentTracer
                    tracer = AgentTracer("support", api_url="http://127.0.0.1:{collector.port}")
                    with tracer.start_run():
                        print("running", flush=True)
                        time.sleep(60)
                """),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert b"KeyboardInterrupt\n" == errors
    (span,) = collector.spans
    assert "cancelled" in {pair.value.string_value for pair in span.attributes}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:1/v1/traces"])
def test_nothing_floods_the_log_when_the_collector_is_away(url: str) -> None:
    """A few lines, however long it takes and however much is recorded, over gRPC and HTTP."""
    done = _run(f"""
        import os
        os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "0.2"
        import logging, time
        logging.basicConfig(level=logging.INFO)
        from agenttracer import AgentTracer
        tracer = AgentTracer("support", api_url="{url}", max_queue_spans=20, export_interval_seconds=0)
        for number in range(20):
            with tracer.start_run() as run:
                with run.step("tool", "x", metadata={{"text": "no label at all"}}):
                    pass
            time.sleep(0.1)
        tracer.close(0)
    """)

    assert 0 == done.returncode
    assert 1 <= len(done.stderr.splitlines()) <= 8, done.stderr
    assert "no label at all" not in done.stderr


def test_a_logging_setup_of_the_programs_is_left_as_it_was() -> None:
    """No handler, no level, no filter stays on any logger once the tracer is closed."""
    with grpc_collector() as collector:
        done = _run(f"""
            import logging
            import opentelemetry.exporter.otlp.proto.grpc.exporter
            from agenttracer import AgentTracer
            names = ["", "agenttracer", "opentelemetry", "opentelemetry.exporter.otlp.proto.grpc.exporter"]
            def state():
                loggers = [logging.getLogger(name) for name in names]
                return [(list(logger.handlers), list(logger.filters), logger.level) for logger in loggers]
            before = state()
            tracer = AgentTracer("support", api_url="http://127.0.0.1:{collector.port}")
            with tracer.start_run():
                pass
            assert tracer.flush(10)
            assert before != state()
            tracer.close()
            assert before == state()
        """)

    assert 0 == done.returncode, done.stderr


def test_closing_leaves_no_thread_behind() -> None:
    """Threads end with the tracer; closing twice is harmless, recording afterwards is counted."""
    before = set(threading.enumerate())
    with grpc_collector() as collector:
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        tracer.start_monitoring()
        _work(tracer, 1)
        assert {"agenttracer-export", "agenttracer-health"} <= {
            thread.name for thread in threading.enumerate()
        }
        tracer.close()
        tracer.close()
        deadline = time.monotonic() + 5
        while any(thread.name.startswith("agenttracer") for thread in {*threading.enumerate()} - before):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        _work(tracer, 1)

    assert 2 == tracer.stats().spans.dropped["closed"]


def test_the_event_loop_is_never_blocked() -> None:
    """Steps in coroutines, with a collector that takes its time: the loop keeps ticking."""

    async def main(tracer: AgentTracer) -> float:
        slowest = 0.0
        async with tracer.start_run() as run:
            for _ in range(100):
                started = time.monotonic()
                async with run.step("tool", "x"):
                    await asyncio.sleep(0)
                slowest = max(slowest, time.monotonic() - started)
        return slowest

    with grpc_collector() as collector:
        collector.delay_seconds = 0.5
        tracer = AgentTracer("support", api_url=f"http://127.0.0.1:{collector.port}")
        assert asyncio.run(main(tracer)) < 0.4
        tracer.close(0)


def test_a_fresh_install_needs_nothing_of_the_servers(tmp_path: Path) -> None:
    """With the server's libraries blocked, runs over both transports, health and policy work."""
    with grpc_collector() as collector:
        done = _run(f"""
            import sys
            for name in ("pyarrow", "numpy", "pydantic", "clickhouse_connect", "chdb", "boto3", "aiohttp", "yaml",
                         "rich", "fastapi", "starlette", "flask", "psutil"):
                sys.modules[name] = None
            import agenttracer
            from agenttracer import *
            tracer = AgentTracer("support", "1", "http://127.0.0.1:{collector.port}", spool_dir={str(tmp_path)!r})
            tracer.register(AgentConfig("support", category="SUPPORT"))
            tracer.start_monitoring()
            with tracer.start_run(provenance=make_provenance()) as run, run.step("plan", "x"):
                pass
            assert tracer.flush(10), tracer.stats()
            tracer.close()
        """)

    assert 0 == done.returncode, done.stderr
    assert 2 == len(collector.spans)
    assert "agent.tasks.completed" in collector.metric_names
