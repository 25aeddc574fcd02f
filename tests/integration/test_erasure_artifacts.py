"""Artifacts of a tenant or a run are removed from a folder and from S3, with every version of theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from agenttracer.collector.component import Context, Erased
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions
from agenttracer.exporters.artifacts.artifact import Artifact
from agenttracer.schemas.selection import Selection

KEYS = (
    "acme/painter/run-1/1/scene.glb",
    "acme/writer/run-1/2/text.txt",
    "acme/painter/run-2/3/scene.glb",
    "acme/painter/_/4/scene.glb",
    "globex/painter/run-1/5/scene.glb",
)
RUN = Selection("acme", runs=frozenset({"run-1"}))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 service over HTTP."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(params=["folder", "bucket", "versioned bucket"])
def artifacts(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Artifacts:
    """A store that holds the artifacts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options: dict[str, Any] = {"directory": str(tmp_path / "artifacts")}
    if request.param != "folder":
        name = f"{request.node.callspec.indices['artifacts']}-{abs(hash(request.node.name)) % 10**9}"
        bucket = boto3.resource("s3", endpoint_url=server, region_name="us-east-1").create_bucket(Bucket=name)
        if request.param == "versioned bucket":
            bucket.Versioning().enable()
        options = {"s3uploader": {"s3_bucket": name, "s3_prefix": "kept", "endpoint": server}}
    made = Artifacts(ArtifactsOptions.model_validate(options), Context("artifacts", Telemetry()))
    made.store.open()
    for key in KEYS:
        made.store.put(Artifact(key, b"content", hashlib.sha256(b"content").hexdigest(), "text/plain"))
    return made


def left(artifacts: Artifacts) -> list[int]:
    """The numbers of the artifacts that are there."""
    erasure = artifacts.erasure()
    return [
        number
        for number, key in enumerate(KEYS, 1)
        if erasure.count(Selection(key.split("/")[0], artifact_keys=frozenset({key})))["objects"]
    ]


def test_a_run_goes_whichever_agent_it_was(artifacts: Artifacts) -> None:
    """And another tenant's run of the same id stays."""
    assert [1, 2, 3, 4, 5] == left(artifacts)
    assert {"objects": 2} == artifacts.erasure().count(RUN)
    assert {"objects": Erased(2, 0)} == artifacts.erasure().erase(RUN)
    assert [3, 4, 5] == left(artifacts)
    assert {"objects": Erased(0, 0)} == artifacts.erasure().erase(RUN)


def test_a_single_artifact_goes(artifacts: Artifacts) -> None:
    """One of no run, by its key; a key of another tenant's is not taken for the tenant's."""
    chosen = Selection(
        "acme", artifact_keys=frozenset({KEYS[3], KEYS[4], "acme/../globex/painter/run-1/5/scene.glb"})
    )
    assert {"objects": Erased(1, 0)} == artifacts.erasure().erase(chosen)
    assert [1, 2, 3, 5] == left(artifacts)


def test_a_tenant_goes_whole(artifacts: Artifacts) -> None:
    """And is no longer known."""
    assert {"acme", "globex"} == artifacts.erasure().tenants()
    assert {"objects": Erased(4, 0)} == artifacts.erasure().erase(Selection("acme", whole_tenant=True))
    assert [5] == left(artifacts)
    assert {"globex"} == artifacts.erasure().tenants()


def test_nothing_asked_removes_nothing(artifacts: Artifacts) -> None:
    """Nor does a tenant that is not there, nor one whose name is the beginning of another's."""
    for nobody in (Selection("acme"), Selection("acm", whole_tenant=True), Selection("", whole_tenant=True)):
        assert {"objects": Erased(0, 0)} == artifacts.erasure().erase(nobody)
    assert [1, 2, 3, 4, 5] == left(artifacts)


def test_versions_deleted_before_go_too(artifacts: Artifacts) -> None:
    """What a versioned bucket keeps of deleted objects, and the markers that say so."""
    if not artifacts.options.s3uploader:
        artifacts.erasure().erase(Selection("acme", whole_tenant=True))
        assert not list(Path(artifacts.options.directory).glob("acme*"))
        return
    client: Any = artifacts.store._client  # type: ignore[union-attr]
    bucket = artifacts.options.s3uploader.s3_bucket
    client.delete_object(Bucket=bucket, Key=f"kept/{KEYS[0]}")
    artifacts.erasure().erase(Selection("acme", whole_tenant=True))
    listed = client.list_object_versions(Bucket=bucket)
    assert ["kept/globex/painter/run-1/5/scene.glb"] == [each["Key"] for each in listed["Versions"]]
    assert "DeleteMarkers" not in listed


def test_empty_folders_go_with_the_files(artifacts: Artifacts) -> None:
    """A run's id is not left in a folder's name."""
    artifacts.erasure().erase(RUN)
    root = Path(artifacts.options.directory)
    folders = {str(path.relative_to(root)) for path in root.glob("acme/*/*")} if root.exists() else None
    assert folders in ({"acme/painter/run-2", "acme/painter/_"}, None)
    assert not (root / "acme" / "writer").exists()
