"""Nothing private passes, whatever place of a payload it stands in; what analysis needs does."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agenttracer.collector.codec import pack, parts
from agenttracer.collector.privacy.detectors import DEFAULTS, Detectors
from agenttracer.collector.privacy.values import PASSES, UNKNOWN, Checks
from agenttracer.schemas.attributes import AGENT, LABEL, LABELS, NAME, TOOL
from agenttracer.schemas.batch import Batch, Place, Signal
from tests.otlp_traces import attributes, request, span, value
from tests.processing import attributes_at, classify, column, decoded, normalize, process, redaction

MARKED = "CANARY my prompt to alice@example.com"
CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
MARKERS = re.compile(rb"CANARY|alice\.canary|example\.com")


def redacted(folder: Path, batch: Batch) -> Batch:
    return process(batch, normalize(), classify(), redaction(folder))


def everything(batch: Batch) -> bytes:
    """All that would be written: every value of every table, and the bytes that the journal gets."""
    payload = pack(batch)
    header, content = parts(payload)
    written = pa.decompress(content, sum(header["sizes"]), codec="lz4_raw", asbytes=True)
    return written + payload + repr([table.to_pydict() for table in batch.tables.values()]).encode()


def checks() -> Checks:
    return Checks(Detectors(), Detectors(DEFAULTS))


def nested(depth: int) -> Any:
    return MARKED if depth == 0 else {f"k{depth}": [nested(depth - 1)], MARKED: MARKED}


def test_every_string_of_a_trace_request_is_looked_at(tmp_path: Path) -> None:
    """Resource, scope, names, keys, values of every kind, events, links, status and states: nothing is left."""
    content = {
        "gen_ai.input.messages": MARKED,
        "gen_ai.tool.call.arguments": {"to": MARKED},
        "input.value": MARKED.encode(),
        "retrieval.documents": [MARKED, {"a": [MARKED]}],
        "deep": nested(6),
        "json": f'{{"inside": "{MARKED}"}}',
        MARKED: 1,
        f"k.{MARKED}": True,
        "gen_ai.tool.name": f"tool_{MARKED}",
        "gen_ai.request.model": MARKED + " and it goes on",
        "gen_ai.response.finish_reasons": [MARKED],
        "agent.step.metadata.note": MARKED,
        "error.type": MARKED,
    }
    message = request(
        span(
            MARKED,
            content,
            error=MARKED,
            events=[
                (MARKED, content),
                ("exception", {"exception.message": MARKED, "exception.stacktrace": MARKED}),
            ],
            trace_state=f"vendor={MARKED}",
            links=[
                Span.Link(
                    trace_id=b"1" * 16, span_id=b"2" * 8, trace_state=MARKED, attributes=attributes(content)
                )
            ],
        ),
        resource={**content, "process.command_args": [MARKED], "user.name": MARKED},
        scope=MARKED,
    )
    of_resource = message.resource_spans[0]
    of_resource.schema_url = of_resource.scope_spans[0].schema_url = MARKED
    of_resource.scope_spans[0].scope.version = MARKED
    of_resource.scope_spans[0].scope.attributes.extend(attributes(content))

    clean = redacted(tmp_path, decoded(message))

    assert MARKERS.search(everything(clean)) is None
    assert clean.num_rows == 1


def test_every_string_of_a_log_request_is_looked_at(tmp_path: Path) -> None:
    """Bodies of every kind, severity, event names and attributes."""
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for body in (MARKED, {"a": MARKED}, [MARKED], MARKED.encode(), 7):
        record = records.add(severity_text=MARKED, event_name=MARKED)
        record.body.CopyFrom(value(body))
        record.attributes.extend(attributes({"message": MARKED, "gen_ai.user": "bob@example.com"}))

    clean = redacted(tmp_path, decoded(message, Signal.LOGS))

    assert MARKERS.search(everything(clean)) is None
    assert clean.num_rows == 5


def test_every_string_of_a_metrics_request_is_looked_at(tmp_path: Path) -> None:
    """Names, descriptions, units, attributes of points and of exemplars."""
    message = ExportMetricsServiceRequest()
    metric = (
        message.resource_metrics.add()
        .scope_metrics.add()
        .metrics.add(name=MARKED, description=MARKED, unit=MARKED)
    )
    point = metric.gauge.data_points.add(as_int=1, attributes=attributes({"prompt": MARKED, MARKED: 1}))
    point.exemplars.add(as_int=1, filtered_attributes=attributes({"prompt": MARKED}))

    clean = redacted(tmp_path, decoded(message, Signal.METRICS))

    assert MARKERS.search(everything(clean)) is None
    assert clean.num_rows == 1


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pb")), ids=lambda path: path.stem)
def test_no_marker_of_a_real_payload_is_left(path: Path, tmp_path: Path) -> None:
    """The payloads of real frameworks carry markers wherever those put content; none gets through."""
    endings = {".logs": Signal.LOGS, ".metrics": Signal.METRICS}
    signal = endings.get(Path(path.stem).suffix, Signal.TRACES)

    clean = redacted(tmp_path, decoded(path.read_bytes(), signal))

    assert MARKERS.search(everything(clean)) is None


def test_what_analysis_needs_is_kept(tmp_path: Path) -> None:
    """Names, models, statuses, counts, numbers, booleans and labels survive, and so do their kinds."""
    needed = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "lookup_order",
        "gen_ai.request.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.agent.name": "Support Agent",
        "gen_ai.usage.input_tokens": 42,
        "http.response.status_code": 503,
        "error.type": "openai.RateLimitError",
        "retry.count": 3,
        "cache.hit": True,
        "latency.seconds": 0.25,
        "agent.step.metadata.region": "eu-west-1",
        "gen_ai.response.finish_reasons": '["stop"]',
    }

    clean = redacted(tmp_path, decoded(request(span("x", needed))))

    kept = attributes_at(clean, Place.ROW)
    assert kept == {**needed, "cache.hit": 1}
    assert column(clean, "SpanName") == ["execute_tool lookup_order"]


def test_names_are_made_of_allowed_parts(tmp_path: Path) -> None:
    """A span's name says operation and object, and nothing that its sender put into the name."""
    clean = redacted(
        tmp_path,
        decoded(
            request(
                span(MARKED, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}),
                span(MARKED, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}),
                span(MARKED, {"openinference.span.kind": "CHAIN", "graph.node.name": "route"}),
                span(MARKED, {"http.request.method": "GET", "http.route": "/v1/orders"}),
                span(MARKED, {"http.request.method": "GET"}),
                span(MARKED),
            )
        ),
    )

    assert column(clean, "SpanName") == [
        "chat gpt-4o",
        "invoke_agent support",
        "other route",
        "GET /v1/orders",
        "GET",
        "internal",
    ]


def test_users_and_sessions_can_be_counted_but_not_read(tmp_path: Path) -> None:
    """The same user gives the same token within a tenant and another one in another tenant; so do sessions."""
    first = request(
        span("a", {"user.id": "alice", "session.id": "s1"}),
        span("b", {"enduser.id": "alice"}),
        span("c", {"user.id": "bob"}),
    )
    here = redacted(tmp_path, decoded(first))
    there = redacted(tmp_path, decoded(first, tenant="another"))

    alice, again, bob = column(here, "UserHash")
    assert alice == again != bob
    assert alice.startswith("h1:")
    assert alice != column(there, "UserHash")[0]
    assert attributes_at(here, Place.ROW)["user.id"] == alice
    assert column(here, "ConversationId")[0] == attributes_at(here, Place.ROW)["session.id"]


def test_a_new_key_makes_old_tokens_unlinkable(tmp_path: Path) -> None:
    """Whoever deletes the key file starts anew: nobody can join the old tokens with the new ones."""
    batch = decoded(request(span("a", {"user.id": "alice"})))
    before = column(redacted(tmp_path, batch), "UserHash")
    assert column(redacted(tmp_path, batch), "UserHash") == before
    (tmp_path / "redaction.key").unlink()

    assert column(redacted(tmp_path, batch), "UserHash") != before


def test_an_invented_tool_name_becomes_a_token(tmp_path: Path) -> None:
    """A tool name that no programmer would write is not stored, and still tells one tool from another."""
    given = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "nope_CANARY-BADARG"}

    clean = redacted(tmp_path, decoded(request(span("x", given))))

    assert column(clean, "ToolName")[0].startswith("h1:")
    assert "gen_ai.tool.name" not in attributes_at(clean, Place.ROW)


def test_what_was_dropped_is_counted(tmp_path: Path) -> None:
    """Each row says how many values it lost and how large they were, its events' and its status's included."""
    batch = decoded(
        request(
            span(
                "name",
                {"prompt": "12345", "doc": ["123", "45"], "user.id": "bob", "kept.number": 1},
                error="boom",
                events=[("exception", {"exception.message": "1234567"})],
            ),
            span("", {}),
        )
    )

    clean = redacted(tmp_path, batch)

    assert column(clean, "RedactedCount") == [4, 0]
    array = sum(2 + len(text) for text in ("123", "45"))
    assert column(clean, "RedactedBytes") == [5 + array + len("bob") + 7 + len("boom") + len("name"), 0]
    assert len(set(column(clean, "PolicyHash"))) == 1


def test_the_policy_hash_changes_with_the_policy(tmp_path: Path) -> None:
    """Rows that passed different policies can be told apart."""
    batch = decoded(request(span("a")))

    hashes = {
        column(process(batch, redaction(tmp_path, allowed_keys=keys)), "PolicyHash")[0]
        for keys in ([], ["x.y"])
    }

    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("kind", "passing", "failing"),
    [
        (
            LABEL,
            ["", "gpt-4o-mini-2024-07-18", "4bf92f3577b34da6a3ce929d0e0e4736", "1.2.3", "text/plain",
             "550e8400-e29b-41d4-a716-446655440000", "https://opentelemetry.io/schemas/1.37.0", "{token}", "By", "%",
             "/users/<int:id>/[slug]", "/v1/{name}:predict", "com.acme.Outer$Inner", "ExceptionGroup[ValueError]",
             "*errors.errorString", "openai.RateLimitError"],
            ["two words", "a@b.co", "x" * 129, "line\nbreak", "quote\"", "4111-1111-1111-1111", "ünicode",
             "<p>word</p>", "two%20words", "[\"a\"]", "a=b"],
        ),
        (
            NAME,
            ["Support Agent", "lookup_order", "Agent (v2)", "客服", "meta-llama/Llama-3.1-8B:free", "Anna's Q&A helper",
             "Research & Writing", "⚙️ Ops", "カスタマーサポートエージェント",
             "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
             "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-v1:0"],
            ["please refund my order now", "a@b.co", "x" * 129, "{json: 1}", "what?", "a\tb", "\u2003", "two%20words",
             "my\u3164wife\u3164is\u3164very\u3164ill", "my\u2800wife", "my\u1680wife", "a\U000e0062\U000e0063",
             "a\ue000", "a\U000e0101", "请取消我的订单因为我妻子生病了",
             "ช่วยยกเลิกคำสั่งซื้อของฉันด้วยเพราะภรรยาป่วย", "a&b=c", "'quoted'",
             "Senior Research Analyst and Writer"],
        ),
        (
            AGENT,
            ["Senior Research Analyst and Writer", "Head of Research for the EU", "", "Support Agent", "support"],
            ["please refund my order now", "Please refund my order now", "Why Did You Not Answer?",
             "One Two Three Four Five Six Seven Eight", "請取消我的訂單因為我妻子生病了"],
        ),
        (
            TOOL,
            ["lookup_order", "get-weather", "searchKb", "GMAIL_SEND_EMAIL", "mcp__github.create_issue", "ns/tool", "",
             "get_weather.v2", "google-search.run", "my-server/get_weather", "mcp__my-server__create_issue",
             "mcp__claude_ai_Gmail__search_threads", "transfer_to_Billing_Agent", "_private_tool", "text2sql"],
            ["nope_CANARY-X", "CANARY-X", "mixed-styles_here", "has space", "a@b.co", "x" * 97, "_private_", "a[b]",
             "get_weather(city)", "consulta_según_id"],
        ),
        (
            UNKNOWN,
            ["payments", "eu-west", "v1.2.3", "a/b"],
            ["two words", "x" * 65, "a@b.co", "Zk7qP2xW9vLm4RtY8sBn3HcJ6dFg1KaQ"],
        ),
        (
            LABELS,
            ['["stop"]', "[]", '["a", "b"]', '{"rows": 3, "format": "csv"}', "{}"],
            ['["two words"]', "stop", '["a@b.co"]', '{"note": "to alice"}', '[["a"]]'],
        ),
    ],
)  # fmt: skip
def test_what_passes_for_what(kind: str, passing: list[str], failing: list[str]) -> None:
    """Each class keeps what it names, and refuses sentences, structures and personal data."""
    (verdict,) = checks()([(kind, pa.array([*passing, *failing, None]))])

    assert dict(zip([*passing, *failing], (verdict == PASSES).tolist(), strict=False)) == {
        **dict.fromkeys(passing, True),
        **dict.fromkeys(failing, False),
    }


def test_detectors_leave_ordinary_values_alone() -> None:
    """Ids, hashes, times, versions and models are nobody's personal data."""
    ordinary = [
        "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "550e8400-e29b-41d4-a716-446655440000",
        "2026-11-21", "1795236781063190811", "claude-sonnet-4-5-20250929", "v1.2.3-rc.1", "chatcmpl-475c992da830",
        "9fceb02d0ae598e95dc970b74767f19372d61af8", "toolu_01A09q90qw90lq917835lq9", "us-east-1", "o3-mini",
    ]  # fmt: skip

    (verdict,) = checks()([(LABEL, pa.array(ordinary))])

    assert dict(zip(ordinary, (verdict == PASSES).tolist(), strict=True)) == dict.fromkeys(ordinary, True)
