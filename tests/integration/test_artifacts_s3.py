import asyncio
import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from agenttracer.collector.component import Context
from agenttracer.collector.errors import CollectorError, Rejected, StartError, Unavailable
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions
from agenttracer.exporters.artifacts.s3 import S3
from agenttracer.schemas.batch import Batch, Place
from tests.batches import make_batch

_KEY = "acme/support/run-1/0b9e7b3c-6d3f-4a59-9d3e-0d3f7a9f1c11/scene.glb"
_CONTENT = b"\x00glTF"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody, and nothing of this machine's own configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 service over HTTP."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(server: str, credentials: None) -> Iterator[Any]:
    """An empty bucket named artifacts, as boto's own resource."""
    made = boto3.resource("s3", endpoint_url=server, region_name="us-east-1").create_bucket(
        Bucket="artifacts"
    )
    yield made
    made.objects.all().delete()
    made.delete()


@pytest.fixture
def broken() -> Iterator[Callable[[int, str], str]]:
    """Makes S3 services that find their bucket, and answer every put with one status and code."""
    servers = []

    def make(status: int, code: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                body = f"<Error><Code>{code}</Code><Message>secret</Message></Error>".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def _options(endpoint: str, **uploader: object) -> ArtifactsOptions:
    given = {"s3_bucket": "artifacts", "endpoint": endpoint, "s3_force_path_style": True, **uploader}
    return ArtifactsOptions.model_validate({"s3uploader": given})


def _batch(content: bytes | str = _CONTENT, **attributes: str) -> Batch:
    encoded = content if isinstance(content, bytes) else content.encode()
    named = {"key": _KEY, "sha256": hashlib.sha256(encoded).hexdigest(), **attributes}
    return make_batch(
        "logs",
        [{"EventName": "agent.artifact"}],
        attributes=[
            *((Place.ROW, 0, f"agent.artifact.{name}", value) for name, value in named.items()),
            (Place.BODY, 0, "", content),
        ],
    )


def _export(options: ArtifactsOptions, *batches: Batch) -> Artifacts:
    async def run() -> Artifacts:
        exporter = Artifacts(options, Context("artifacts", Telemetry()))
        await exporter.start()
        try:
            for batch in batches:
                await exporter.export(batch)
        finally:
            await exporter.stop()
        return exporter

    return asyncio.run(run())


def _failure(options: ArtifactsOptions, *batches: Batch) -> CollectorError:
    with pytest.raises(CollectorError) as caught:
        _export(options, *batches)
    return caught.value


def test_an_artifact_is_an_object_named_by_its_key(server: str, bucket: Any) -> None:
    """With its media type, its hash and what else is known about it."""
    meta = json.dumps({"frames": 3, "label": "größe"}, ensure_ascii=False)
    _export(
        _options(server, s3_prefix="/production/"),
        _batch(**{"content_type": "model/gltf-binary", "meta": meta}),
    )

    stored = bucket.Object(f"production/{_KEY}").get()
    assert (_CONTENT, "model/gltf-binary") == (stored["Body"].read(), stored["ContentType"])
    assert _SHA256 == stored["Metadata"]["sha256"]
    assert '{"frames": 3, "label": "gr%C3%B6%C3%9Fe"}' == stored["Metadata"]["meta"]
    head = bucket.meta.client.head_object(
        Bucket="artifacts", Key=f"production/{_KEY}", ChecksumMode="ENABLED"
    )
    assert base64.b64encode(bytes.fromhex(_SHA256)).decode() == head["ChecksumSHA256"]


def test_text_and_strange_media_types(server: str, bucket: Any) -> None:
    """Text says that it is UTF-8; what is no media type is not passed on."""
    _export(_options(server), _batch("größe", content_type="text/html\r\nx: y"))

    stored = bucket.Object(_KEY).get()
    assert ("größe".encode(), "text/plain; charset=utf-8") == (stored["Body"].read(), stored["ContentType"])


def test_exporting_again_changes_nothing(server: str, bucket: Any) -> None:
    """The conditional put is refused, and the object found to be the same."""
    _export(_options(server), _batch())
    first = bucket.Object(_KEY).last_modified

    _export(_options(server), _batch(), _batch())

    assert ([_KEY], first) == ([one.key for one in bucket.objects.all()], bucket.Object(_KEY).last_modified)


def test_another_content_under_the_key_is_rejected(server: str, bucket: Any) -> None:
    """A key is immutable: what was stored first stays."""
    error = _failure(_options(server), _batch(), _batch(b"another"))

    assert isinstance(error, Rejected)
    assert ("artifact_key_taken", _CONTENT) == (error.reason, bucket.Object(_KEY).get()["Body"].read())


def test_objects_are_encrypted_if_asked_for(server: str, bucket: Any) -> None:
    """Server-side encryption and storage class are the options'."""
    _export(_options(server, server_side_encryption="AES256", storage_class="STANDARD_IA"), _batch())

    stored = bucket.Object(_KEY).get()
    assert ("AES256", "STANDARD_IA") == (stored["ServerSideEncryption"], stored["StorageClass"])


def test_a_presigned_url_reads_the_object(server: str, bucket: Any) -> None:
    """Without credentials, and as a download."""
    exporter = _export(_options(server), _batch())
    assert isinstance(exporter.store, S3)

    with urllib.request.urlopen(exporter.store.presign_get(_KEY, 60)) as response:
        assert (_CONTENT, "attachment") == (response.read(), response.headers["Content-Disposition"])


def test_a_presigned_url_stores_an_object_once(server: str, bucket: Any) -> None:
    """The client needs no credentials; what it stored counts as exported, and a second time it is refused."""
    exporter = _export(_options(server))
    assert isinstance(exporter.store, S3)
    signed = exporter.store.presign_put(_KEY, 60, sha256=_SHA256, content_type="model/gltf-binary")
    request = urllib.request.Request(signed.url, _CONTENT, dict(signed.headers), method="PUT")

    urllib.request.urlopen(request).close()
    _export(_options(server), _batch())
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    caught.value.close()

    assert (412, _CONTENT) == (caught.value.code, bucket.Object(_KEY).get()["Body"].read())


def test_a_missing_bucket_stops_the_start(server: str) -> None:
    """One sentence with the way out."""
    error = _failure(_options(server, s3_bucket="missing"))

    assert isinstance(error, StartError)
    assert "S3 bucket missing doesn't exist: create it or correct `s3uploader.s3_bucket`" == str(error)


def test_an_unreachable_service_stops_the_start() -> None:
    """At once, not after retries."""
    error = _failure(_options("http://127.0.0.1:1"))

    assert isinstance(error, StartError)
    assert str(error).startswith("S3 bucket artifacts can't be reached (EndpointConnectionError): check")


def test_missing_credentials_stop_the_start(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names what to set."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    error = _failure(_options(server))

    assert isinstance(error, StartError)
    assert "AWS_ACCESS_KEY_ID" in str(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (409, "ConditionalRequestConflict"),
    ],
)
def test_trouble_that_passes_is_tried_again(
    broken: Callable[[int, str], str], status: int, code: str
) -> None:
    """Load, failures, and what an operator can mend; the service's own words are not passed on."""
    error = _failure(_options(broken(status, code)), _batch())

    assert (Unavailable, f"S3 refused an artifact: {code} ({status})") == (type(error), str(error))


def test_what_the_service_never_takes_is_rejected(broken: Callable[[int, str], str]) -> None:
    """It goes to the dead letters instead of being sent for ever."""
    error = _failure(_options(broken(400, "EntityTooLarge")), _batch())

    assert isinstance(error, Rejected)
    assert ("artifact_refused", "S3 refused an artifact: EntityTooLarge (400)") == (error.reason, str(error))


def test_a_service_that_goes_away_is_tried_again(broken: Callable[[int, str], str]) -> None:
    """After the start, a lost connection is no error of the data; the message has no URL, so no key."""

    async def run() -> CollectorError:
        exporter = Artifacts(_options(broken(200, "")), Context("artifacts", Telemetry()))
        await exporter.start()
        exporter.store = S3(_options("http://127.0.0.1:1").s3uploader)  # type: ignore[arg-type]
        with pytest.raises(Unavailable) as caught:
            await exporter.export(_batch())
        await exporter.stop()
        return caught.value

    error = asyncio.run(run())

    assert "an artifact can't be sent to S3 (EndpointConnectionError)" == str(error)
    assert error.__cause__ is None
