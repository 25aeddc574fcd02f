"""A web service around an agent: each request a run, the answer streamed, the caller's trace joined.

    AGENTTRACER_API_URL=http://localhost:4317 uvicorn examples.fastapi_service:app
    curl -N -H 'Content-Type: application/json' -d '{"question": "Where is my parcel?"}' localhost:8000/ask

Works behind gunicorn with ``--preload``, too: a forked worker reports for itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from opentelemetry import propagate
from opentelemetry.context import attach, detach
from pydantic import BaseModel

from agenttracer import AgentConfig, AgentTracer, current_step, model, retrieve

tracer = AgentTracer("support-service", "1.0.0", os.environ.get("AGENTTRACER_API_URL"))
database_is_up = True


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The agent registers with the service, and says goodbye with it."""
    tracer.register(
        AgentConfig("support-service", category="SUPPORT", type="chatbot", capabilities=["answers"])
    )
    tracer.add_health_check("database", lambda: database_is_up)
    tracer.start_monitoring()
    yield
    tracer.deregister()
    await asyncio.to_thread(tracer.close)


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    """What a user asks; it never leaves the process."""

    question: str
    user_id: str | None = None


@retrieve
async def search_kb(question: str) -> list[str]:
    """A knowledge base; raises ``LookupError`` when it has nothing."""
    current_step().add_metadata({"result_count": 0 if "nothing" in question else 2})
    if "nothing" in question:
        raise LookupError(question)
    return ["doc-1", "doc-2"]


@model("answer", metadata={"model": "small-1", "provider": "openai"})
async def answer(documents: list[str]) -> AsyncIterator[str]:
    """A model that streams."""
    for word in ("It ", "is ", "on ", "its ", "way."):
        await asyncio.sleep(0.001)
        yield word
    current_step().add_metadata({"input_tokens": 40, "output_tokens": 5})


@app.post("/ask")
async def ask(question: Question, request: Request) -> StreamingResponse:
    """Answer a question, piece by piece; the run ends with the last one."""
    token = attach(propagate.extract(request.headers))
    try:
        run = tracer.start_run(user_id=question.user_id, metadata={"channel": "web"})
    finally:
        detach(token)
    run.start()
    try:
        with run.active():
            documents = await search_kb(question.question)
    except LookupError as error:
        run.end(error)
        raise HTTPException(404) from None

    async def stream() -> AsyncIterator[str]:
        try:
            with run.active():
                pieces = answer(documents)
            async for piece in pieces:
                yield piece
        except BaseException as error:
            run.end(error)
            raise
        run.end()

    return StreamingResponse(stream(), media_type="text/plain", headers={"x-run-id": run.id})
