import asyncio
import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from agenttracer.collector.component import Context
from agenttracer.collector.errors import CollectorError, Rejected, StartError, Unavailable
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions, Folder
from agenttracer.exporters.artifacts.artifact import Artifact
from agenttracer.schemas.batch import Batch, Place
from tests.batches import make_batch

_KEY = "acme/support/run-1/0b9e7b3c-6d3f-4a59-9d3e-0d3f7a9f1c11/scene.glb"


def _batch(*artifacts: tuple[str, bytes | str | None], sha256: str | None = None) -> Batch:
    attributes = []
    for owner, (key, content) in enumerate(artifacts):
        if content is not None:
            encoded = content if isinstance(content, bytes) else content.encode()
            hashed = hashlib.sha256(encoded).hexdigest()
            attributes += [
                (Place.ROW, owner, "agent.artifact.key", key),
                (Place.ROW, owner, "agent.artifact.sha256", sha256 or hashed),
                (Place.BODY, owner, "", content),
            ]
    return make_batch("logs", [{"EventName": "agent.artifact"}] * len(artifacts), attributes=attributes)


def _export(directory: Path, *batches: Batch) -> None:
    async def run() -> None:
        exporter = Artifacts(ArtifactsOptions(directory=str(directory)), Context("artifacts", Telemetry()))
        await exporter.start()
        try:
            for batch in batches:
                await exporter.export(batch)
        finally:
            await exporter.stop()

    asyncio.run(run())


def _files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.fixture
def short_of(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk whose writes fail with the error that a test puts in."""
    failing: dict[str, int] = {}
    fsync = os.fsync

    def fail_or_sync(descriptor: int) -> None:
        if "errno" in failing:
            raise OSError(failing["errno"], "a path that must not be told")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_or_sync)
    return failing


def test_an_artifact_is_a_file_named_by_its_key(tmp_path: Path) -> None:
    """Nothing but the content is in the folder, text as UTF-8."""
    _export(tmp_path / "a", _batch((_KEY, b"\x00glTF"), (_KEY + "2", "größe")))

    assert {_KEY: b"\x00glTF", _KEY + "2": "größe".encode()} == _files(tmp_path / "a")


def test_a_folder_loads_nothing_that_a_bucket_needs(tmp_path: Path) -> None:
    """A process of its own: this one has long loaded it."""
    program = f"""
import sys
from agenttracer.collector.component import Context
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions
Artifacts(ArtifactsOptions(directory={str(tmp_path)!r}), Context("artifacts", Telemetry())).erasure()
print("boto3" in sys.modules, "botocore" in sys.modules)
"""
    assert "False False\n" == subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60)


def test_only_this_user_may_read(tmp_path: Path) -> None:
    """Files are 0600 and folders 0700, whatever the umask."""
    old = os.umask(0)
    try:
        _export(tmp_path / "a", _batch((_KEY, b"content")))
    finally:
        os.umask(old)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*") if path.is_dir()}
    assert {0o700} == modes | {stat.S_IMODE((tmp_path / "a").stat().st_mode)}
    assert 0o600 == stat.S_IMODE((tmp_path / "a" / _KEY).stat().st_mode)


def test_exporting_again_changes_nothing(tmp_path: Path) -> None:
    """The file that is there is kept as it is."""
    _export(tmp_path, _batch((_KEY, b"content")))
    first = (tmp_path / _KEY).stat()

    _export(tmp_path, _batch((_KEY, b"content")))

    again = (tmp_path / _KEY).stat()
    assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
    assert [_KEY] == list(_files(tmp_path))


def test_another_content_under_the_key_is_rejected(tmp_path: Path) -> None:
    """A key is immutable: what was stored first stays."""
    with pytest.raises(Rejected) as caught:
        _export(tmp_path, _batch((_KEY, b"content")), _batch((_KEY, b"another")))

    assert ("artifact_key_taken", {_KEY: b"content"}) == (caught.value.reason, _files(tmp_path))


def test_a_killed_attempt_leaves_nothing_once_repeated(tmp_path: Path) -> None:
    """The half-written file beside the final name is swept."""
    leftover = (tmp_path / _KEY).with_name(f".scene.glb.{'0' * 32}.part")
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"cont")

    _export(tmp_path, _batch((_KEY, b"content")))

    assert {_KEY: b"content"} == _files(tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        "../a/b/c/d",
        "a/../../b/c",
        "/etc/cron.d/x/y",
        "a/b/c/d/..",
        "a/b/c/d/.bashrc",
        "a//c/d/e",
        "a/b/c/d",
        "a/b/c/d/e/f",
        "a/b/c/d/e\n",
        "a/b/c/d/\x00",
        "a\\b/b/c/d/e",
        "a/b/c/d/" + "e" * 129,
    ],
)
def test_a_key_that_leaves_the_folder_is_rejected(tmp_path: Path, key: str) -> None:
    """Whatever gave the key: five plain parts, or nothing is written."""
    with pytest.raises(Rejected) as caught:
        _export(tmp_path / "a", _batch((key, b"content")))

    assert ("artifact_key_malformed", {}) == (caught.value.reason, _files(tmp_path))


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (_batch(("", b"content")), "artifact_without_key"),
        (_batch((_KEY, b"content"), sha256="0" * 64), "artifact_hash_mismatch"),
    ],
)
def test_what_cannot_be_trusted_is_rejected(tmp_path: Path, batch: Batch, reason: str) -> None:
    """No key, or a content that is not the hashed one."""
    with pytest.raises(Rejected) as caught:
        _export(tmp_path, batch)

    assert (reason, {}) == (caught.value.reason, _files(tmp_path))


def test_other_log_records_and_bodiless_ones_pass_by(tmp_path: Path) -> None:
    """There is nothing of them to store."""
    others = make_batch("logs", [{"EventName": "agent.heartbeat"}, {}], attributes=[(Place.BODY, 1, "", "x")])

    _export(tmp_path, others, _batch((_KEY, None)), make_batch("logs", []))

    assert {} == _files(tmp_path)


def test_one_bad_artifact_holds_up_none(tmp_path: Path) -> None:
    """All others of the batch are stored before the refusal."""
    with pytest.raises(Rejected):
        _export(tmp_path, _batch(("../x", b"bad"), *((f"{_KEY}{i}", b"good") for i in range(20))))

    assert 20 == len(_files(tmp_path))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_full_or_failing_disk_is_tried_again(tmp_path: Path, short_of: dict[str, int], code: int) -> None:
    """Unavailable, with no name of a file in the words, and nothing half-written left."""

    async def run() -> CollectorError:
        exporter = Artifacts(ArtifactsOptions(directory=str(tmp_path)), Context("artifacts", Telemetry()))
        await exporter.start()
        short_of["errno"] = code
        with pytest.raises(Unavailable) as caught:
            await exporter.export(_batch((_KEY, b"content")))
        short_of.clear()
        await exporter.export(_batch((_KEY, b"content")))
        await exporter.stop()
        return caught.value

    error = asyncio.run(run())

    assert f"an artifact can't be written: {os.strerror(code)}" == str(error)
    assert {_KEY: b"content"} == _files(tmp_path)


def test_what_may_succeed_later_decides_over_what_never_can(tmp_path: Path, short_of: dict[str, int]) -> None:
    """A batch goes to the dead letters only once all its good artifacts are stored."""

    async def run() -> None:
        exporter = Artifacts(ArtifactsOptions(directory=str(tmp_path)), Context("artifacts", Telemetry()))
        await exporter.start()
        short_of["errno"] = errno.ENOSPC
        try:
            await exporter.export(_batch(("../x", b"bad"), (_KEY, b"content")))
        finally:
            await exporter.stop()

    with pytest.raises(Unavailable):
        asyncio.run(run())


def test_attempts_at_once_store_one_object(tmp_path: Path) -> None:
    """Threads with one key: one of them links, the others find it done, or are to try again."""
    content = b"content" * 100_000
    artifact = Artifact(_KEY, content, hashlib.sha256(content).hexdigest(), "text/plain")
    folder = Folder(str(tmp_path))
    refusals = []

    def attempt() -> None:
        try:
            folder.put(artifact)
        except CollectorError as error:
            refusals.append(type(error))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {_KEY: content} == _files(tmp_path)
    assert set(refusals) <= {Unavailable}


def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """One sentence that names the folder and the option."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StartError, match=r"can't be stored in .*/file/a: .*`directory` must be a folder"):
        _export(tmp_path / "file" / "a")


def test_a_folder_that_may_not_be_written_to_stops_the_start(
    tmp_path: Path, short_of: dict[str, int]
) -> None:
    """Found at the start, not at the first artifact; the trial leaves no file."""
    short_of["errno"] = errno.EACCES

    with pytest.raises(StartError, match=os.strerror(errno.EACCES)):
        _export(tmp_path)

    assert {} == _files(tmp_path)


def test_stop_is_safe_before_start_and_twice() -> None:
    """And leaves no thread behind."""

    async def run() -> None:
        exporter = Artifacts(ArtifactsOptions(), Context("artifacts", Telemetry()))
        await exporter.stop()
        await exporter.stop()

    before = threading.active_count()
    asyncio.run(run())

    assert before == threading.active_count()


def test_a_folder_and_a_bucket_at_once_are_refused() -> None:
    """An artifact rests in one place; the folder's default doesn't count."""
    bucket = {"s3uploader": {"s3_bucket": "b"}}

    assert "./data/artifacts" == ArtifactsOptions.model_validate({}).directory
    assert ArtifactsOptions.model_validate(bucket).s3uploader is not None
    with pytest.raises(ValidationError, match="give `directory` or `s3uploader`, not both"):
        ArtifactsOptions.model_validate({**bucket, "directory": "./data"})
