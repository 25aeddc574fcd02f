"""What is not a span, as OTLP log records with an event name: run states, artifacts.

agent.run.started      {agent.run.id, agent.run.status, gen_ai.agent.*}
agent.artifact         {agent.run.id, agent.artifact.*}, the bytes as body
"""

import os
import re
from collections.abc import Mapping
from os import PathLike
from time import time_ns
from typing import Any

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context

from agenttracer.instrumentation.content import metadata_attributes, name_or
from agenttracer.instrumentation.guard import warn_once
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName

Data = bytes | bytearray | memoryview | str | PathLike[str]

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}")


def emit_event(
    logger: Logger,
    event: EventName,
    attributes: Mapping[str, Any],
    context: Context,
    body: bytes | None = None,
    at_ns: int | None = None,
) -> None:
    """Emit one event, of now unless told otherwise; the context gives it its trace and span."""
    logger.emit(
        timestamp=at_ns or time_ns(),
        context=context,
        severity_number=SeverityNumber.INFO,
        body=body,
        attributes=dict(attributes),
        event_name=event.value,
    )


def artifact_body(data: Data, max_bytes: int) -> bytes | None:
    """The bytes of an artifact: text as UTF-8, a path's file read. None and one warning above ``max_bytes``.

    Raises ``OSError`` for a file that can't be read and ``TypeError`` for anything that has no bytes.
    """
    body: bytes | None
    if isinstance(data, str):
        body = data.encode("utf-8", "surrogateescape") if len(data) <= max_bytes else None
    elif isinstance(data, bytes | bytearray | memoryview):
        body = bytes(data) if memoryview(data).nbytes <= max_bytes else None
    else:
        with open(os.fspath(data), "rb") as file:
            body = file.read(max_bytes + 1)
    if body is None or len(body) > max_bytes:
        warn_once("artifact:size", "agenttracer: an artifact of more than %d bytes was refused", max_bytes)
        return None
    return body


def artifact_attributes(
    name: object, data: Data, body: bytes, content_type: str | None, meta: Mapping[str, object] | None
) -> dict[str, str | int]:
    """Name, media type, size and meta of an artifact; meta goes through the same filter as metadata."""
    import json
    import mimetypes

    clean_name = name_or(name, "artifact", "artifact name")
    if content_type is None or _MEDIA_TYPE.fullmatch(content_type) is None:
        fallback = "text/plain" if isinstance(data, str) else "application/octet-stream"
        content_type = mimetypes.guess_type(clean_name)[0] or fallback
    attributes: dict[str, str | int] = {
        semconv.AGENT_ARTIFACT_NAME: clean_name,
        semconv.AGENT_ARTIFACT_CONTENT_TYPE: content_type,
        semconv.AGENT_ARTIFACT_SIZE: len(body),
    }
    kept = metadata_attributes(meta or {}, "meta", well_known={})
    if kept:
        fields = {key.removeprefix("meta."): value for key, value in kept.items()}
        attributes[semconv.AGENT_ARTIFACT_META] = json.dumps(fields, sort_keys=True)
    return attributes
