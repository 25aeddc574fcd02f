"""The collector's metrics about itself show what is, not a zero that nobody sets."""

import asyncio
import re
from collections import Counter
from pathlib import Path

from agenttracer.collector.component import Context
from agenttracer.collector.extensions.file_storage import FileStorage, FileStorageOptions
from agenttracer.collector.journal import Group
from agenttracer.collector.telemetry import DEFINITIONS, Telemetry

ROOT = Path(__file__).parents[2]


def test_the_process_measures_itself() -> None:
    """Uptime, CPU seconds and resident memory are read when they are scraped."""
    value = Telemetry().registry.get_sample_value

    assert 0 < (value("otelcol_process_uptime") or 0) < 60
    assert (value("otelcol_process_cpu_seconds") or 0) > 0
    assert (value("otelcol_process_memory_rss") or 0) > 10 * 1024 * 1024


def test_the_journal_shows_how_full_it_is(tmp_path: Path) -> None:
    """Bytes that wait, and bytes that may."""
    telemetry = Telemetry()
    storage = FileStorage(
        FileStorageOptions(directory=tmp_path, max_size_mib=1), Context("file_storage", telemetry)
    )

    async def scenario() -> tuple[float | None, float | None]:
        await storage.start()
        storage.journal.register([("traces", "store")])
        storage.journal.append([Group("traces", "default", 1, b"12345")], [], Counter())
        values = telemetry.registry.get_sample_value
        shown = values("agenttracer_journal_bytes"), values("otelcol_exporter_queue_capacity")
        await storage.stop()
        return shown

    assert asyncio.run(scenario()) == (5, 1024 * 1024)


def test_every_metric_is_set_somewhere() -> None:
    """No metric of the table is one that no code ever touches."""
    sources = [path for folder in ("collector", "exporters") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text() for path in sources if path.name != "telemetry.py"]
    own = (ROOT / "collector" / "telemetry.py").read_text()
    used = re.findall(r'"((?:otelcol|agent)[a-z_]*)[{"]', "\n".join(texts)) + re.findall(
        r'show\("([a-z_]+)"', own
    )

    unset = [
        definition.name
        for definition in DEFINITIONS
        if not any(
            definition.name == name or (name.endswith("_") and definition.name.startswith(name))
            for name in used
        )
    ]

    assert unset == []
