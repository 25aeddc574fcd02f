"""Nothing forbidden rests anywhere: the running collector gets markers everywhere and is searched through.

Every captured payload with markers in every place, over gRPC, HTTP and JSON, and requests that can't be taken,
tokens, headers and paths with markers. Then every table of the store, the system's among them, every file, the
journal and its dead letters unpacked, the log at DEBUG with every row that the debug exporter tells of, the
metrics and every answer have none.

What an agent records on purpose (``agent.artifact``) is content: its bytes rest in the artifact store, and until
every exporter has taken them in the journal. Nowhere else.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from agenttracer.schemas.batch import Signal
from tests.otlp_traces import attributes, request, span, value
from tests.privacy.corpus import merged, planted
from tests.privacy.dense import dense
from tests.privacy.markers import CLASSES, WORDS, Mint, leaks_in
from tests.privacy.searched_collector import TOKEN, SearchedCollector, searched_collector

_TOGETHER = 90
_ARTIFACT = "qzartifact"
_UNREADABLE = {
    107,  # FILE_DOESNT_EXIST: profiles of the allocator, which nobody wrote
    139,  # NO_ELEMENTS_IN_CONFIG: no Keeper
    446,  # FUNCTION_NOT_ALLOWED: the engine's own symbols
    497,  # ACCESS_DENIED: the engine's users, roles and quotas
}
_HEADER_CLASSES = {
    name: forms for name, forms in (WORDS | CLASSES).items() if name not in ("sentence", "private_key")
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchedCollector]:
    """A collector that took the whole corpus and everything bad, and is still up."""
    with searched_collector(tmp_path_factory.mktemp("searched")) as searched:
        for signal in Signal:
            for body in (*merged(planted(signal)[0], _TOGETHER), dense(signal)[0]):
                searched.send(signal, body)
        searched.send(Signal.LOGS, _artifact())
        _send_what_is_refused(searched)
        searched.wait_until_stored()
        yield searched


def _artifact() -> bytes:
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(event_name="agent.artifact")
    record.body.CopyFrom(value(f"what an agent wrote: {_ARTIFACT}".encode()))
    record.attributes.extend(attributes({"agent.artifact.name": "note.txt", "agent.run.id": "run-1"}))
    return message.SerializeToString()


def _send_what_is_refused(searched: SearchedCollector) -> None:
    """Every way that a request can be wrong, with markers wherever its sender chooses the bytes."""
    mint = Mint()

    def marker() -> str:
        return mint.marker("header", _HEADER_CLASSES).replace(" ", "")

    protobuf, as_json = "application/x-protobuf", "application/json"
    bad_ids = request(span(marker(), {"prompt": marker()}, trace=0)).SerializeToString()
    good = request(span("x", {"user.id": marker()}, identifier=77)).SerializeToString()
    for port, token in (("http", ""), ("guarded_http", TOKEN)):
        allowed = {
            "Authorization": f"Bearer {token or marker()}",
            "User-Agent": marker(),
            "Baggage": marker(),
        }
        for body, headers, status in (
            (f"{marker()} \xff garbage".encode(), {"Content-Type": protobuf}, 400),
            (json.dumps(marker()).encode(), {"Content-Type": as_json}, 400),
            (f'{{"resourceSpans": [{{"{marker()}'.encode(), {"Content-Type": as_json}, 400),
            (json.dumps({"resourceSpans": marker()}).encode(), {"Content-Type": as_json}, 400),
            (_json_span(traceId=marker()), {"Content-Type": as_json}, 400),
            (_json_span(kind=marker()), {"Content-Type": as_json}, 400),
            (_json_span(startTimeUnixNano=marker()), {"Content-Type": as_json}, 400),
            (good, {"Content-Type": f"text/{marker()}"}, 415),
            (good, {"Content-Type": protobuf, "Content-Encoding": marker()}, 415),
            (
                gzip.compress(marker().encode())[:-4],
                {"Content-Type": protobuf, "Content-Encoding": "gzip"},
                400,
            ),
            (bad_ids, {"Content-Type": protobuf}, 200),
            (good, {"Content-Type": protobuf, f"X-{marker().replace('@', '')[:9]}": marker()}, 200),
        ):
            assert searched.request(port, "POST", "/v1/traces", body, {**allowed, **headers}) == status
    for port in ("http", "health", "prometheus"):
        path = f"/{marker()}?user={marker()}".replace("%", "%25")
        assert searched.request(port, "GET", path) in (404, 405, 200)
        assert searched.request(port, "POST", path, marker().encode()) in (404, 405)
    assert searched.request("prometheus", "GET", f"/metrics?name[]={marker()}") == 200
    refused = {"authorization": f"Bearer {marker()}", "x-user": marker()}
    unauthorized = {**refused, "Content-Type": protobuf}
    assert searched.request("guarded_http", "POST", "/v1/traces", good, unauthorized) == 401
    assert searched.export("guarded_grpc", Signal.TRACES, good, **refused) is grpc.StatusCode.UNAUTHENTICATED
    garbage = f"{marker()} \xff".encode()
    assert searched.export("grpc", Signal.TRACES, garbage, **refused) is grpc.StatusCode.INVALID_ARGUMENT
    assert searched.export("grpc", Signal.TRACES, bad_ids, **refused) is grpc.StatusCode.OK
    unknown = f"/{marker()}/Export"
    assert searched.call("grpc", unknown, good, ()) is grpc.StatusCode.UNIMPLEMENTED


def _json_span(**fields: str) -> bytes:
    spans = [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "x", **fields}]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def test_everything_was_written_everywhere(searched: SearchedCollector) -> None:
    """The search has something to look through: rows, waiting groups, dead letters, log lines, answers."""
    (spans,) = searched.query("SELECT count() FROM otel_traces").split()

    assert int(spans) > 1000
    assert len(searched.payloads("groups")) >= 9
    assert len(searched.payloads("dead_letters")) >= 6
    assert len(searched.collector.log()) > 1_000_000
    assert len(searched.answers) > 40
    assert len(searched.tables()) > 100


def test_no_table_has_a_marker(searched: SearchedCollector) -> None:
    """Every table of the store and of its engine: logs, errors, processes and caches too."""
    found, refused = searched.tables_with_markers()

    assert found == {}
    assert {table for table, code in refused.items() if code not in _UNREADABLE} == set()
    assert all(table.startswith("system.") for table in refused)


@pytest.mark.parametrize("table", ["groups", "dead_letters"])
def test_no_payload_of_the_journal_has_a_marker(searched: SearchedCollector, table: str) -> None:
    """What waits and what was refused, unpacked."""
    payloads = searched.payloads(table)

    assert [leaks for payload in payloads if (leaks := leaks_in(payload))] == []


def test_no_file_has_a_marker(searched: SearchedCollector) -> None:
    """Byte by byte: journal, parts of tables, keys, artifacts and the log, in which every row is told of."""
    assert searched.files_with_markers() == {}


def test_no_metric_has_a_marker(searched: SearchedCollector) -> None:
    """What Prometheus scrapes: no label, and no name."""
    assert leaks_in(searched.collector.metrics_text().encode()) == []


def test_what_was_taken_is_counted(searched: SearchedCollector) -> None:
    """By rule, class and action; and by service, who sent what policy forbids."""
    totals = searched.counters()

    assert totals["agent_redactions_total"] > 10_000
    assert totals["agent_policy_violations_total"] > 1000


def test_no_answer_has_a_marker(searched: SearchedCollector) -> None:
    """What senders are told, whatever they sent, and what health says."""
    assert [number for number, answer in enumerate(searched.answers) if leaks_in(answer)] == []


def test_an_artifact_rests_in_its_store_alone(searched: SearchedCollector) -> None:
    """Neither a table nor the log has its content; the journal has it only because an exporter still waits."""
    folder = searched.collector.data / "artifacts"
    holding = [path for path in folder.rglob("*") if path.is_file() and _holds(path.read_bytes())]
    elsewhere = {
        "log": _holds(searched.collector.log().encode()),
        "metrics": _holds(searched.collector.metrics_text().encode()),
        "answers": any(map(_holds, searched.answers)),
        "tables": searched.tables_with_markers(_ARTIFACT)[0] != {},
    }

    assert [path.name for path in holding] == ["note.txt"]
    assert elsewhere == dict.fromkeys(elsewhere, False)


def _holds(data: bytes) -> bool:
    return _ARTIFACT.encode() in data
