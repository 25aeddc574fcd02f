"""How the SDK finds its way out: its own providers or the program's; what it imports; how it ends."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

import agenttracer
from agenttracer import AgentTracer
from agenttracer.instrumentation import guard
from agenttracer.instrumentation.resource import make_resource
from agenttracer.instrumentation.run_context import Agent
from tests.sdk_fakes import grpc_collector, http_collector


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def run_program(program: str, environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Run a program of its own; its output and its log. Fails unless it ends with status 0."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout, done.stderr


def test_importing_the_package_imports_nothing() -> None:
    """``import agenttracer`` costs nothing until a name is used."""
    output, _ = run_program("""
        import sys
        before = set(sys.modules)
        import agenttracer
        roots = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(roots - sys.stdlib_module_names))
    """)

    assert "['agenttracer']" == output.strip()


def test_type_checkers_know_every_name() -> None:
    """The stub beside ``__init__.py`` declares what it loads, and each of them loads."""
    stub = (Path(agenttracer.__file__).parent / "__init__.pyi").read_text()
    declared = {line.rpartition(" as ")[2] for line in stub.splitlines() if " as " in line}

    assert declared == {*agenttracer.__all__} - {"__version__"}
    assert all(getattr(agenttracer, name) is not None for name in agenttracer.__all__)


def test_the_sdk_brings_none_of_the_servers_libraries() -> None:
    """A program that records over gRPC loads OpenTelemetry and gRPC, and nothing of the collector."""
    output, _ = run_program("""
        import sys
        from agenttracer import AgentTracer, Run, Step
        tracer = AgentTracer("support", "1", "http://localhost:1")
        with tracer.start_run() as run, run.step("plan", "x"):
            pass
        heavy = {"pyarrow", "numpy", "pydantic", "clickhouse_connect", "chdb", "boto3", "aiohttp", "yaml", "rich"}
        print(sorted(heavy & set(sys.modules)), "agenttracer.collector" in sys.modules)
        tracer.close(0)
    """)

    assert "[] False" == output.strip()


def test_spans_events_and_artifacts_arrive_over_grpc() -> None:
    """One export request carries the run's spans, one its events, artifact bytes unchanged, with the headers."""
    with grpc_collector() as collector:
        tracer = AgentTracer(
            "support",
            "1.2.3",
            f"http://127.0.0.1:{collector.port}",
            headers={"Authorization": "Bearer t"},
            environment="test",
        )
        with tracer.start_run() as run:
            with run.step("tool", "call_api") as step:
                step.add_metadata({"http_status": 200})
            run.record_artifact("big.bin", b"\x00\xff" * 4_000_000)
        assert tracer.flush(10)
        tracer.close()

    assert ["execute_tool call_api", "invoke_agent support"] == [span.name for span in collector.spans]
    step_span, root = collector.spans
    assert (root.span_id, root.trace_id) == (step_span.parent_span_id, step_span.trace_id)
    assert (200, run.id) == (
        _attributes(step_span)["http.response.status_code"].int_value,
        _attributes(step_span)["agent.run.id"].string_value,
    )
    started, artifact = collector.records
    assert ["agent.run.started", "agent.artifact"] == [started.event_name, artifact.event_name]
    assert b"\x00\xff" * 4_000_000 == artifact.body.bytes_value
    assert (root.trace_id, root.span_id) == (artifact.trace_id, artifact.span_id)
    assert "Bearer t" == collector.headers[0]["authorization"]
    resource = _attributes(collector.traces[0].resource_spans[0].resource)
    assert ("support", "1.2.3", "test") == tuple(
        resource[key].string_value
        for key in ("service.name", "service.version", "deployment.environment.name")
    )
    assert (0, 0) == (tracer.dropped_spans, tracer.dropped_events)


def _attributes(message: object) -> dict[str, object]:
    return {pair.key: pair.value for pair in message.attributes}  # type: ignore[attr-defined]


def test_spans_and_events_arrive_over_http() -> None:
    """An address with a signal's path means OTLP/HTTP; each signal goes to its own path."""
    with http_collector() as collector:
        tracer = AgentTracer(
            "support", api_url=f"http://127.0.0.1:{collector.port}/v1/traces", headers={"x-key": "k"}
        )
        with tracer.start_run() as run:
            run.record_artifact("a.bin", b"\x00\xff")
        assert tracer.flush(10)
        tracer.close()

    assert ["invoke_agent support"] == [span.name for span in collector.spans]
    assert [b"", b"\x00\xff"] == [record.body.bytes_value for record in collector.records]
    assert "k" == collector.headers[0]["x-key"]


def test_without_an_address_the_environments_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS count when ``api_url`` isn't given."""
    with grpc_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=from-environment")
        tracer = AgentTracer("support")
        with tracer.start_run():
            pass
        assert tracer.flush(10)
        tracer.close()

    assert ["invoke_agent support"] == [span.name for span in collector.spans]
    assert "from-environment" == collector.headers[0]["x-key"]


def test_the_programs_own_provider_is_used_and_not_replaced() -> None:
    """Without an address, spans go through the global TracerProvider; nothing is added to it or taken from it."""
    output, _ = run_program("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        trace.set_tracer_provider(provider)
        from agenttracer import AgentTracer
        tracer = AgentTracer("support")
        with tracer.start_run() as run, run.step("plan", "x"):
            pass
        run.record_artifact("a", b"x")
        print([span.name for span in spans.get_finished_spans()], tracer.flush(5))
        tracer.close()
        with trace.get_tracer("other").start_as_current_span("after"):
            pass
        print(trace.get_tracer_provider() is provider, spans.get_finished_spans()[-1].name)
    """)

    assert ["['plan x', 'invoke_agent support'] True", "True after"] == output.splitlines()


def test_an_address_keeps_the_programs_provider_out_of_it() -> None:
    """With an address, runs go there alone, and still join the trace that the program has open."""
    with grpc_collector() as collector:
        output, _ = run_program(f"""
            from opentelemetry import trace
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
            spans = InMemorySpanExporter()
            trace.set_tracer_provider(TracerProvider())
            trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
            from agenttracer import AgentTracer
            tracer = AgentTracer("support", api_url="http://127.0.0.1:{collector.port}")
            with trace.get_tracer("web").start_as_current_span("POST") as post, tracer.start_run():
                pass
            print([span.name for span in spans.get_finished_spans()], post.context.span_id)
        """)

    names, span_id = output.rsplit(maxsplit=1)
    assert "['POST']" == names
    assert [int(span_id).to_bytes(8, "big")] == [span.parent_span_id for span in collector.spans]


def test_a_program_that_just_ends_loses_nothing() -> None:
    """What waits is sent at the end of the program, without a flush."""
    with grpc_collector() as collector:
        run_program(f"""
            from agenttracer import AgentTracer
            tracer = AgentTracer("support", api_url="http://127.0.0.1:{collector.port}")
            with tracer.start_run():
                pass
        """)

    assert ["invoke_agent support"] == [span.name for span in collector.spans]
    assert ["agent.run.started"] == [record.event_name for record in collector.records]


def test_a_program_ends_in_time_when_no_collector_is_there() -> None:
    """The wait at the end is bounded by ``exit_timeout_seconds``; the status is the program's own."""
    started = time.monotonic()
    run_program("""
        from agenttracer import AgentTracer
        tracer = AgentTracer("support", api_url="http://localhost:1", exit_timeout_seconds=0.2)
        with tracer.start_run():
            pass
    """)

    assert time.monotonic() - started < 10


def test_nothing_blocks_and_drops_are_counted_when_no_collector_is_there() -> None:
    """The host goes on at its own speed; what did not fit the queue can be read."""
    tracer = AgentTracer("support", api_url="http://localhost:1", max_queue_spans=10)
    started = time.monotonic()
    with tracer.start_run() as run:
        for _ in range(50):
            with run.step("tool", "x"):
                pass
    elapsed_seconds = time.monotonic() - started
    tracer.close(0.05)

    assert elapsed_seconds < 1
    assert 51 == tracer.dropped_spans
    assert 1 == tracer.dropped_events


def test_an_unusable_address_is_a_warning_and_the_program_runs(caplog: pytest.LogCaptureFixture) -> None:
    """A typo in a setting must not take the host down: the log says what is wrong, nothing is sent."""
    tracer = AgentTracer("support", api_url="ftp://bob:secret@host")
    with tracer.start_run() as run, run.step("plan", "x"):
        pass

    message = (
        "agenttracer: nothing will be sent: api_url must start with http://, https://, grpc:// or grpcs://"
    )
    assert [message] == caplog.messages
    assert tracer.flush(1)
    assert "success" == run.status


@pytest.mark.parametrize(
    ("environment", "service_name", "expected"),
    [
        ({}, None, "support"),
        ({"OTEL_SERVICE_NAME": "shop"}, None, "shop"),
        ({"OTEL_SERVICE_NAME": "shop"}, "given", "given"),
    ],
)
def test_the_service_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], service_name: str | None, expected: str
) -> None:
    """What is given, else what the environment says, else the agent's id; the distribution names itself."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)

    resource = make_resource(Agent("support", "1.2.3"), service_name, None)

    assert expected == resource.attributes["service.name"]
    assert "agenttracer" == resource.attributes["telemetry.distro.name"]
    assert "deployment.environment.name" not in resource.attributes
