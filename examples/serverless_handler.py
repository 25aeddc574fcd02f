"""A serverless handler: nothing runs between invocations, so each one sends what it recorded before it returns.

    handler(event, context)        # AWS Lambda and alike

The tracer is made once, with the container. ``flush`` waits a second at most: a collector that is away costs the
user no more than that, and the spool keeps the run for the container's next invocation.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from agenttracer import AgentTracer, agent, tool

tracer = AgentTracer(
    "invoice-reader",
    os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    os.environ.get("AGENTTRACER_API_URL"),
    spool_dir=Path(tempfile.gettempdir()) / "agenttracer-spool",
    max_spool_bytes=8 * 2**20,
)


@tool
def read_invoice(text: str) -> int:
    """The amount in cents; raises ``ValueError``."""
    return int(text.split()[-1])


@agent("read", tracer=tracer)
def read(event: dict[str, Any]) -> dict[str, Any]:
    """One run."""
    return {"amount_cents": read_invoice(event["text"])}


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """The entry point."""
    try:
        return read(event)
    finally:
        tracer.flush(timeout_seconds=1)


if __name__ == "__main__":
    print(handler({"text": "Total 1250"}))
