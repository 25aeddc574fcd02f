import asyncio
from pathlib import Path

from agenttracer.collector import codec
from agenttracer.collector.component import Context, Options
from agenttracer.collector.processors.artifact_keys import ArtifactKeys
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.artifacts import Artifacts, ArtifactsOptions
from agenttracer.schemas.batch import Place
from tests.batches import make_batch


def test_artifacts_pass_through_the_journal(tmp_path: Path) -> None:
    """Keyed before it and stored behind it, from several groups at once, repeated after a crash: once each."""
    contents = [b"\x00binary", "text: größe", b""]
    keys = ArtifactKeys(Options(), Context("artifact_keys", Telemetry()))
    groups = [
        codec.pack(
            keys.process(
                make_batch(
                    "logs",
                    [{"EventName": "agent.heartbeat"}, {"EventName": "agent.artifact", "RunId": f"run-{i}"}],
                    attributes=[
                        (Place.BODY, 0, "", "no artifact"),
                        (Place.ROW, 1, "agent.artifact.name", "../n"),
                        (Place.BODY, 1, "", content),
                    ],
                )
            )
        )
        for i, content in enumerate(contents)
    ]

    async def run() -> None:
        for _ in range(2):
            exporter = Artifacts(ArtifactsOptions(directory=str(tmp_path)), Context("artifacts", Telemetry()))
            await exporter.start()
            await exporter.export(codec.unpack(groups, "token"))
            await exporter.stop()

    asyncio.run(run())

    stored = {
        path.relative_to(tmp_path).parts[2]: path.read_bytes() for path in tmp_path.glob("default/_/*/*/*")
    }
    assert {"run-0": b"\x00binary", "run-1": "text: größe".encode(), "run-2": b""} == stored
    assert len(contents) == sum(path.is_file() for path in tmp_path.rglob("*"))
