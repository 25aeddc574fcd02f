"""Other policies for some tenants and agents let through what they say, to whom they say it, and no more.

One running collector, artifacts in S3, and the same markers from everybody:

default    strict, as for all    nothing                  acme      mode: custom        nothing, not even names
globex     mode: labels          words, as labels do      initech   content: artifact   what was said, masked, in S3
evaluator  (an agent) labels     words, in its rows

A word or a sentence may stay where a policy allows text; an address, a card or a key may stay nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import boto3
import grpc
import pytest
from moto.server import ThreadedMotoServer

from agenttracer.schemas.batch import Signal
from tests.otlp_reference import REQUESTS
from tests.otlp_traces import attributes
from tests.privacy.dense import dense
from tests.privacy.markers import CLASSES, WORDS, leaks_in
from tests.privacy.searched_collector import TOKEN, SearchedCollector, searched_collector

TENANTS = ("default", "acme", "globex", "initech")
_AGENT = "evaluator"
_TEXT = {"sentence", *WORDS}
"""Classes that no detector knows: text that a policy may allow."""
_BUCKET = "artifacts"
_MORE = """\
processors:
  redaction:
    overrides:
      - {{tenants: [acme], mode: custom}}
      - {{tenants: [globex], mode: labels}}
      - {{tenants: [initech], content: artifact}}
      - {{agents: [{agent}], mode: labels}}
extensions:
  bearer_token_auth: {{tenants: {tenants}}}
exporters:
  artifacts/s3:
    s3uploader: {{s3_bucket: {bucket}, endpoint: "{endpoint}", s3_force_path_style: true}}
service:
  pipelines:
    traces: {{exporters: [clickhouse, prometheus, artifacts/s3, debug, debug/later, clickhouse/refusing]}}
    logs: {{exporters: [clickhouse, prometheus, artifacts/s3, debug, debug/later, clickhouse/refusing]}}
"""


@dataclass(frozen=True)
class Told:
    """A collector that took the markers of everybody, and the bucket with what it put there."""

    searched: SearchedCollector
    objects: dict[str, bytes]
    """Key → what the object holds, its type and its metadata."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Everything sent by each tenant, and by the agent; and stored."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    endpoint = "http://{}:{}".format(*moto.get_host_and_port())
    nobody = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **nobody)
    s3.create_bucket(Bucket=_BUCKET)
    tokens = json.dumps({tenant: _token(tenant) for tenant in TENANTS[1:]})
    more = _MORE.format(agent=_AGENT, tenants=tokens, bucket=_BUCKET, endpoint=endpoint)
    environment = {each.upper(): value for each, value in nobody.items()} | {"AWS_CONFIG_FILE": "/dev/null"}
    try:
        with searched_collector(tmp_path_factory.mktemp("overrides"), more, environment) as searched:
            for signal in Signal:
                for tenant in TENANTS:
                    _send(searched, signal, dense(signal)[0], tenant)
                    _send_garbage(searched, signal, tenant)
                _send(searched, signal, _of_agent(signal), "default")
            searched.wait_until_stored()
            yield Told(searched, _objects(s3))
    finally:
        moto.stop()


def _token(tenant: str) -> str:
    return TOKEN if tenant == "default" else f"{TOKEN}-{tenant}"


def _send(searched: SearchedCollector, signal: Signal, body: bytes, tenant: str) -> None:
    status = searched.export("guarded_grpc", signal, body, authorization=f"Bearer {_token(tenant)}")
    assert status is grpc.StatusCode.OK


def _send_garbage(searched: SearchedCollector, signal: Signal, tenant: str) -> None:
    headers = {"Authorization": f"Bearer {_token(tenant)}", "Content-Type": "application/json"}
    garbage = json.dumps(list(dense(signal)[1].mint.planted)).encode()
    assert searched.request("guarded_http", "POST", f"/v1/{signal}", garbage, headers) == 400


@cache
def _of_agent(signal: Signal) -> bytes:
    """The markers once more, from an agent that says its own name on every resource and row."""
    message = REQUESTS[signal].FromString(dense(signal)[0])
    for holder in _holders(message):
        kept = [pair for pair in holder if pair.key != "gen_ai.agent.name"]
        del holder[:]
        holder.extend([*kept, *attributes({"gen_ai.agent.name": _AGENT})])
    return message.SerializeToString()


def _holders(message: object) -> Iterator[object]:
    for field, value in message.ListFields():
        if field.message_type is None or field.name == "value":
            continue
        for each in value if field.is_repeated else [value]:
            if field.name in ("resource", "spans", "log_records", "data_points"):
                yield each.attributes
            yield from _holders(each)


def _objects(s3: object) -> dict[str, bytes]:
    found = {}
    for entry in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", ()):
        held = s3.get_object(Bucket=_BUCKET, Key=entry["Key"])
        said = f"{held['ContentType']} {held['Metadata']} {entry['Key']}".encode()
        found[entry["Key"]] = held["Body"].read() + b"\0" + said
    return found


def _classes_in(data: bytes) -> set[str]:
    """The classes of the markers that stand in some bytes."""
    return {name for signal in Signal for _, name in dense(signal)[1].mint.origin(data)}


def _rows(told: Told, where: str) -> bytes:
    """All rows of the tables that name tenant and agent, as JSON."""
    tables = ("otel_traces", "otel_logs", *(table for table in _metric_tables(told)))
    return "\n".join(
        told.searched.query(f"SELECT * FROM {table} WHERE {where} FORMAT JSONEachRow") for table in tables
    ).encode()


def _metric_tables(told: Told) -> list[str]:
    return told.searched.query("SELECT name FROM system.tables WHERE name LIKE 'otel_metrics_%'").split()


def test_every_policy_is_at_work(told: Told) -> None:
    """Each override changes what its tenant or agent may store; without that there is nothing to prove."""
    labels = _classes_in(_rows(told, "TenantId = 'globex'"))
    of_agent = _classes_in(_rows(told, f"TenantId = 'default' AND AgentName = '{_AGENT}'"))
    (named,) = told.searched.query(
        "SELECT countIf(AgentName != '') FROM otel_traces WHERE TenantId = 'acme'"
    ).split()

    assert {"word"} <= labels <= set(WORDS)
    assert {"word"} <= of_agent <= set(WORDS)
    assert "0" == named
    assert "sentence" in _classes_in(b"\n".join(told.objects.values()))
    assert {key.split("/")[0] for key in told.objects} == {"initech"}


@pytest.mark.parametrize(
    "where",
    [f"TenantId = 'default' AND AgentName != '{_AGENT}'", "TenantId = 'acme'", "TenantId = 'initech'"],
)
def test_no_row_of_those_without_text_has_a_marker(told: Told, where: str) -> None:
    """Another tenant's or agent's policy is no way through: strict, custom and content tenants store no text."""
    rows = _rows(told, where)

    assert rows.count(b"\n") > 50
    assert [] == leaks_in(rows)


def test_no_detectors_class_is_anywhere(told: Told) -> None:
    """Not in S3, nor in any table, file, waiting group, dead letter, metric or answer: under no policy at all."""
    searched = told.searched
    rows = [
        searched.query(f"SELECT * FROM {table} FORMAT JSONEachRow").encode() for table in _own_tables(told)
    ]
    places = {
        "objects": b"\n".join(told.objects.values()),
        "tables": b"\n".join(rows),
        "groups": b"\n".join(searched.payloads("groups")),
        "dead letters": b"\n".join(searched.payloads("dead_letters")),
        "metrics": searched.collector.metrics_text().encode(),
        "answers": b"\n".join(searched.answers),
        "files": b"\n".join(
            path.read_bytes() for path in searched.collector.folder.rglob("*") if path.is_file()
        ),
    }

    assert {} == {place: found for place, data in places.items() if (found := _classes_in(data) - _TEXT)}
    assert all(len(data) > 100 for data in places.values())
    assert len(CLASSES) > 10


def test_the_ledger_and_the_metrics_name_no_value(told: Told) -> None:
    """What counts redactions for each policy holds no marker of any class, of nobody."""
    ledger = told.searched.query("SELECT * FROM redaction_ledger FORMAT JSONEachRow").encode()
    tenants = told.searched.query("SELECT DISTINCT TenantId FROM redaction_ledger ORDER BY 1").split()

    assert sorted(TENANTS) == tenants
    assert [] == leaks_in(ledger)
    assert [] == leaks_in(told.searched.collector.metrics_text().encode())


def _own_tables(told: Told) -> list[str]:
    return told.searched.query(
        "SELECT name FROM system.tables WHERE database = 'default' AND engine NOT LIKE '%View'"
    ).split()
