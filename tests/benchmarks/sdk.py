"""What the SDK costs the program it lives in, beside OpenTelemetry's own: µs a step, ms to import.

step    run.step with one metadata     plain    a span with the same attributes; both end in a no-op exporter
import  agenttracer.AgentTracer        plain    TracerProvider and BatchSpanProcessor
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agenttracer import AgentTracer
from agenttracer.instrumentation.export_queue import ExportQueue
from agenttracer.instrumentation.otlp import SpanQueueing
from agenttracer.instrumentation.run_context import RunAttributes

_ROOT = Path(__file__).parents[2]
_IMPORTS = {
    "plain": "from opentelemetry.sdk.trace import TracerProvider\n"
    "from opentelemetry.sdk.trace.export import BatchSpanProcessor",
    "agenttracer": "from agenttracer import AgentTracer",
}


def measure_sdk(*, quick: bool) -> dict[str, dict[str, float]]:
    """Figure → what plain OpenTelemetry and the SDK took, and how many times the former the latter is."""
    child = [sys.executable, "-m", "tests.benchmarks.sdk", "2" if quick else "30"]
    steps = json.loads(subprocess.run(child, cwd=_ROOT, check=True, capture_output=True).stdout)
    found = {"µs a step": steps, "ms to import": _imports(2 if quick else 25)}
    return {name: {**one, "times": one["agenttracer"] / one["plain"]} for name, one in found.items()}


def _imports(rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    with tempfile.TemporaryDirectory(prefix="agenttracer-bench-") as folder:
        # As it is installed: an editable install looks for each module in a finder of its own.
        shutil.copytree(_ROOT / "agenttracer", Path(folder) / "agenttracer")
        for number in range(rounds + 1):
            for name, program in _IMPORTS.items():
                timed = f"import time; a = time.process_time()\n{program}\nprint(time.process_time() - a)"
                done = subprocess.run(
                    [sys.executable, "-c", timed],
                    env={"PYTHONPATH": folder},
                    check=True,
                    capture_output=True,
                )
                if number:  # the first one compiles
                    taken[name].append(float(done.stdout) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


class _NoExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _NoSender:
    def send(self, batch: Sequence[Any]) -> bool:
        return True

    def shutdown(self) -> None:
        pass


def _steps(rounds: int, count: int = 2000) -> dict[str, float]:
    plain_provider = TracerProvider()
    plain_provider.add_span_processor(BatchSpanProcessor(_NoExporter(), max_queue_size=100_000))
    plain = plain_provider.get_tracer("bench")
    queue = ExportQueue[ReadableSpan](_NoSender, max_items=100_000)
    provider = TracerProvider()
    provider.add_span_processor(RunAttributes())
    provider.add_span_processor(SpanQueueing(queue))
    tracer = AgentTracer("bench", "1", tracer_provider=provider)

    def plain_spans() -> None:
        for number in range(count):
            attributes = {
                "agent.run.id": "r",
                "gen_ai.agent.name": "bench",
                "agent.step.type": "tool",
                "agent.step.name": "call_api",
                "agent.step.sequence": number,
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "call_api",
            }
            with plain.start_as_current_span("execute_tool call_api", attributes=attributes) as span:
                span.set_attributes({"agent.step.metadata.rows": 3})

    taken: Mapping[str, list[float]] = {"plain": [], "agenttracer": []}
    with tracer.start_run() as run:

        def steps() -> None:
            for _ in range(count):
                with run.step("tool", "call_api") as step:
                    step.add_metadata({"rows": 3})

        works: Mapping[str, Callable[[], None]] = {"plain": plain_spans, "agenttracer": steps}
        for _ in range(rounds):
            for name, work in works.items():
                started = time.process_time()
                work()
                taken[name].append((time.process_time() - started) / count * 1e6)
    queue.close(5)
    plain_provider.shutdown()
    return {name: statistics.median(values) for name, values in taken.items()}


if __name__ == "__main__":
    print(json.dumps(_steps(int(sys.argv[1]))))
