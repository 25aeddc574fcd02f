"""Exceptions and GenAI events that arrive as log records say of themselves what they would as spans."""

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from agenttracer.schemas.batch import Batch, Signal
from tests.otlp_traces import START_UNIX_NS, attributes, value
from tests.processing import classify, column, decoded, normalize, process


def record(event_name: str, given: dict[str, Any] | None = None, body: Any = None) -> LogRecord:
    made = LogRecord(
        time_unix_nano=START_UNIX_NS,
        event_name=event_name,
        trace_id=bytes([1]) * 16,
        span_id=bytes([2]) * 8,
        attributes=attributes(given or {}),
    )
    if body is not None:
        made.body.CopyFrom(value(body))
    return made


def classified(*records: LogRecord) -> Batch:
    made = ExportLogsServiceRequest()
    made.resource_logs.add().scope_logs.add().log_records.extend(records)
    return process(decoded(made, Signal.LOGS), normalize(), classify())


def failure(made: LogRecord) -> tuple[str | None, str | None, str | None]:
    batch = classified(made)
    kind, code, rule = (column(batch, name)[0] for name in ("FailureType", "FailureCode", "FailureRule"))
    return kind, code, rule


THROWN = {"exception.type": "openai.RateLimitError", "exception.message": "Error code: 429"}


@pytest.mark.parametrize(
    ("event_name", "given", "expected"),
    [
        ("gen_ai.client.operation.exception", THROWN, ("model", "rate_limited", "rate_limit")),
        ("gen_ai.execute_tool.exception", {"exception.type": "TimeoutError"}, ("tool", "timeout", "timeout")),
        ("exception", {"exception.type": "ValueError"}, (None, "error", "unspecific")),
        ("", {"event.name": "exception", **THROWN}, (None, "rate_limited", "rate_limit")),
        ("", {"gen_ai.operation.name": "execute_tool", **THROWN}, ("tool", "rate_limited", "rate_limit")),
        ("", {"error.type": "rate_limit_error"}, (None, "rate_limited", "rate_limit")),
        ("exception", {"exception.type": "asyncio.CancelledError"}, (None, None, None)),
        ("gen_ai.user.message", {}, (None, None, None)),
    ],
)
def test_exceptions(event_name: str, given: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    """An exception's record has its code, and its type where the event or the operation says whose it is."""
    assert expected == failure(record(event_name, given))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (record("gen_ai.choice", body={"index": 0, "finish_reason": "length", "message": {}}), "truncated"),
        (record("gen_ai.choice", body={"finish_reason": "stop"}), None),
        (record("gen_ai.choice", body='{"finish_reason":"content_filter"}'), "content_filtered"),
        (record("gen_ai.choice", body={"message": {"content": '"finish_reason":"length"'}}), None),
        (record("gen_ai.user.message", body={"finish_reason": "length"}), None),
        (
            record(
                "gen_ai.client.inference.operation.details",
                {"gen_ai.response.finish_reasons": ["length"], "gen_ai.operation.name": "chat"},
            ),
            "truncated",
        ),
    ],
    ids=["body", "a good one", "JSON text", "in what a user wrote", "another event", "current event"],
)
def test_answers(made: LogRecord, expected: str | None) -> None:
    """An answer that was cut or filtered is a model's failure; the reason stands in the body or beside it."""
    kind, code, _ = failure(made)

    assert (None if expected is None else "model", expected) == (kind, code)


def test_the_current_event_carries_a_calls_facts() -> None:
    """The record of a model call has its provider, model, tokens and answer, like its span."""
    batch = classified(
        record(
            "gen_ai.client.inference.operation.details",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.response.model": "gpt-4o",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.usage.input_tokens": 21,
                "gen_ai.usage.output_tokens": 9,
                "gen_ai.output.messages": '[{"role":"assistant","finish_reason":"stop"}]',
            },
        )
    )
    names = ("Operation", "Provider", "Model", "ResponseId", "InputTokens", "OutputTokens", "FinishReason")

    assert ["chat", "openai", "gpt-4o", "chatcmpl-1", 21, 9, "stop"] == [
        column(batch, name)[0] for name in names
    ]


def test_an_event_name_in_an_attribute_is_the_events_name() -> None:
    """Older SDKs send the name as an attribute; it becomes the column."""
    assert ["exception"] == column(classified(record("", {"event.name": "exception"})), "EventName")
