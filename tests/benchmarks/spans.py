"""Requests of agent spans with prompts in them, about 650 bytes a span, each request of bytes of its own.

    trace    invoke_agent ─┬─ chat ×6           messages, tokens, a response id, finish reasons
                           └─ execute_tool ×3   arguments, result, a call id; one trace in 20 has one fail

A few templates are serialised once; a request is a copy with other ids and times in the same places,
because a collector that recognises re-sent bytes would answer the second copy for nothing.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Attribute = str | int | list[str]

ONCE_A_SPAN = b"gen_ai.operation.name"
"""Stands once in every span, so that a receiver of bytes can count spans."""

_SPANS_A_TRACE = 10
_FAILING = 0.05  # of the traces
_TEMPLATE_SPANS = 2000
_MARK = "~" * 8  # where the request's own eight characters go
WORDS = (
    "the customer order number refund arrived late please check status of my account and tell me when it "
    "will be shipped because I have been waiting for two weeks without any answer from your support team "
    "could you also change address to new street city invoice payment card charged twice thank you very much"
).split()
"""What customers write about."""


def make_requests(count: int, spans: int) -> list[bytes]:
    """``count`` requests of ``spans`` spans each; no two are alike, within a call or between calls."""
    templates = [_Template(spans, seed) for seed in range(max(1, _TEMPLATE_SPANS // spans))]
    return [templates[number % len(templates)].request() for number in range(count)]


class _Template:
    """One serialised request and the places in it that make it another one."""

    def __init__(self, spans: int, seed: int) -> None:
        message = _make_message(spans, random.Random(seed))
        body = message.SerializeToString()
        sent = [span for scope in message.resource_spans[0].scope_spans for span in scope.spans]
        self._body = np.frombuffer(body, np.uint8)
        self._trace_ids = _places(body, (span.trace_id for span in sent))
        self._span_ids = _places(
            body, (held for span in sent for held in (span.span_id, span.parent_span_id) if held)
        )
        times = [time_ns for span in sent for time_ns in (span.start_time_unix_nano, span.end_time_unix_nano)]
        self._times = np.array(times, "<u8")
        self._time_places = _places(body, (time_ns.to_bytes(8, "little") for time_ns in times))
        self._marks = _places(body, [_MARK.encode()] * body.count(_MARK.encode()))
        self._made_ns = time.time_ns()

    def request(self) -> bytes:
        """Another request: the same shape, other ids (parents are still parents), later times."""
        body = self._body.copy()
        body[self._trace_ids] ^= np.frombuffer(os.urandom(16), np.uint8)
        body[self._span_ids] ^= np.frombuffer(os.urandom(8), np.uint8)
        body[self._marks] = np.frombuffer(os.urandom(4).hex().encode(), np.uint8)
        later = self._times + np.uint64(time.time_ns() - self._made_ns)
        body[self._time_places] = later.view(np.uint8).reshape(-1, 8)
        return body.tobytes()


def _places(body: bytes, texts: Iterable[bytes]) -> npt.NDArray[np.int64]:
    """The indices of the bytes of each text, in order: one row a text."""
    starts = []
    lengths = set()
    position = 0
    for text in texts:
        position = body.index(text, position)
        starts.append(position)
        lengths.add(len(text))
        position += len(text)
    (length,) = lengths
    return np.array(starts)[:, None] + np.arange(length)


def _make_message(spans: int, chance: random.Random) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource = {
        "service.name": "support-agent",
        "service.version": "2.7.1",
        "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.40.0",
        "deployment.environment.name": "production",
    }
    resource_spans.resource.attributes.extend(_attributes(resource))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "opentelemetry.instrumentation.openai", "2.3.0"
    now_ns = time.time_ns()
    trace_id = root_id = b""
    for number in range(spans):
        trace, step = divmod(number, _SPANS_A_TRACE)
        if step == 0:
            trace_id, root_id = chance.randbytes(16), chance.randbytes(8)
        start_ns = now_ns + number * 1_000_003
        span = Span(
            trace_id=trace_id,
            span_id=root_id if step == 0 else chance.randbytes(8),
            parent_span_id=b"" if step == 0 else root_id,
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + chance.randrange(1_000_000, 2_000_000_000),
        )
        _fill(span, trace, step, chance)
        scope_spans.spans.append(span)
    return message


def _fill(span: Span, trace: int, step: int, chance: random.Random) -> None:
    """Name, kind, attributes and, rarely, failure of a trace's ``step``-th span."""
    conversation = f"conv-{_MARK}-{trace:04}"
    if step == 0:
        span.name, span.kind = "invoke_agent support", Span.SPAN_KIND_INTERNAL
        attributes: dict[str, Attribute] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "openai",
            "gen_ai.agent.name": "support",
            "gen_ai.agent.version": "2.7.1",
            "gen_ai.conversation.id": conversation,
            "gen_ai.usage.input_tokens": chance.randrange(2000, 20000),
            "gen_ai.usage.output_tokens": chance.randrange(200, 2000),
            "gen_ai.input.messages": _message("user", chance, 20),
            "gen_ai.output.messages": _message("assistant", chance, 15),
        }
    elif step % 3:
        span.name, span.kind = "chat gpt-4o", Span.SPAN_KIND_CLIENT
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.id": f"chatcmpl-{_MARK}{trace:04}{step:04}",
            "gen_ai.response.finish_reasons": ["tool_calls" if step % 2 else "stop"],
            "gen_ai.conversation.id": conversation,
            "gen_ai.usage.input_tokens": chance.randrange(200, 4000),
            "gen_ai.usage.output_tokens": chance.randrange(20, 400),
            "gen_ai.input.messages": _message("user", chance, 18),
            "gen_ai.output.messages": _message("assistant", chance, 8),
        }
    else:
        tool = ("search_orders", "create_refund", "send_email")[step // 3 - 1]
        span.name, span.kind = f"execute_tool {tool}", Span.SPAN_KIND_INTERNAL
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call_{_MARK}{trace:04}{step:04}",
            "gen_ai.agent.name": "support",
            "gen_ai.conversation.id": conversation,
            "gen_ai.tool.call.arguments": json.dumps({"query": _text(chance, 8)}),
            "gen_ai.tool.call.result": json.dumps({"documents": [_text(chance, 9), _text(chance, 9)]}),
        }
        if step == 6 and chance.random() < _FAILING:
            attributes["error.type"] = "TimeoutError"
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=_text(chance, 8)))
            event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano - 1)
            event.attributes.extend(
                _attributes({"exception.type": "TimeoutError", "exception.message": _text(chance, 8)})
            )
    span.attributes.extend(_attributes(attributes))


def _message(role: str, chance: random.Random, words: int) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": _text(chance, words)}]}])


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _attributes(values: dict[str, Attribute] | dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in values.items()]


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(inner) for inner in value]))
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
