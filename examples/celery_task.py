"""A Celery task whose runs are visible from the moment they are queued, and join the trace that queued them.

    python examples/celery_task.py --endpoint http://localhost:4317 --runs 5

The queue is in memory here, and the worker a thread of this program; with a real broker nothing changes: the run's
id and the trace travel in the task's headers, and each worker process makes its own tracer when it starts.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry import propagate
from opentelemetry.context import attach, detach

from agenttracer import AgentTracer, make_provenance

app = Celery("motion", broker="memory://", backend="cache+memory://")
app.conf.update(task_default_queue="motion", worker_hijack_root_logger=False)

tracer: AgentTracer
api_url = "http://localhost:4317"


@worker_process_init.connect
def open_tracer(**_: Any) -> None:
    """Each worker process reports for itself."""
    global tracer
    tracer = AgentTracer("motion-generator", "1.0.0", api_url)


@worker_process_shutdown.connect
def close_tracer(**_: Any) -> None:
    """Nothing that waits is lost when a worker is recycled."""
    tracer.close()


@app.task(bind=True, max_retries=2)
def generate_motion(self: Any, prompt: str) -> int:
    """Makes some frames; the prompt never leaves the process."""
    headers = self.request.headers or {}
    token = attach(propagate.extract(headers))
    try:
        provenance = make_provenance("hymotion-3b", seed=7)
        with tracer.start_run(
            run_id=headers.get("run_id"), input={"prompt": prompt}, provenance=provenance
        ) as run:
            with run.step("model", "generate", metadata={"model": "hymotion-3b"}) as step:
                time.sleep(0.01)
                step.add_metadata({"input_tokens": len(prompt.split())})
            run.set_result({"frames": 180, "fps": 30})
            run.record_artifact("motion.json", b'{"frames": 180}', "application/json", {"fps": 30})
            return 180
    finally:
        detach(token)


def enqueue(prompt: str) -> tuple[str, Any]:
    """Queue a task; its run is visible at once, as queued."""
    headers: dict[str, Any] = {"run_id": tracer.queue_run()}
    propagate.inject(headers)
    return headers["run_id"], generate_motion.apply_async((prompt,), headers=headers)


def main() -> int:
    """Queue some tasks and work them off; 0 when everything it recorded was sent."""
    global api_url
    parser = argparse.ArgumentParser(description="Celery tasks that report their runs.")
    parser.add_argument("--endpoint", default=api_url, help="OTLP address of the collector")
    parser.add_argument("--runs", type=int, default=5, help="how many tasks to queue")
    options = parser.parse_args()
    api_url = options.endpoint

    open_tracer()
    queued = [enqueue("a walk to the left") for _ in range(options.runs)]
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        for run_id, result in queued:
            print(f"{run_id}  {result.get(timeout=30)} frames", flush=True)
    sent = tracer.flush(timeout_seconds=10)
    close_tracer()
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
