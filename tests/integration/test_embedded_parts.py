"""What the embedded engine makes of an insert."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.exporters.clickhouse import parts as parts_of_inserts
from agenttracer.exporters.clickhouse.insertion import insert, settings
from tests.batches import make_batch
from tests.clickhouse_store import exporting

TABLE = "CREATE TABLE {} (n UInt64, INDEX idx n TYPE minmax) ENGINE = MergeTree ORDER BY tuple() SETTINGS {}"
WINDOW = "non_replicated_deduplication_window = 10"


def test_tables_merge_less_and_those_that_say_so_keep_what_they_have(tmp_path: Path) -> None:
    endpoint = f"chdb://{tmp_path}"
    with exporting(endpoint) as store:
        store.client.command(TABLE.format("own", "merge_selector_base = 7, max_cleanup_delay_period = 60"))
        store.client.command("ALTER TABLE otel_traces RESET SETTING merge_selector_base")
    with exporting(endpoint) as store:
        stored = dict(
            store.client.query(
                "SELECT name, create_table_query FROM system.tables "
                "WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
            ).result_rows
        )

    own = stored.pop("own")
    assert "otel_traces" in stored
    assert all("merge_selector_base = 16" in query for query in stored.values())
    assert all("max_parts_to_merge_at_once = 16" in query for query in stored.values())
    assert "merge_selector_base = 7" in own
    assert all("min_bytes_for_full_part_storage = " in query for query in (own, *stored.values()))
    assert all("max_compress_block_size = 262144" in query for query in (own, *stored.values()))
    assert all("max_cleanup_delay_period = 10" in query for query in stored.values())
    assert "max_cleanup_delay_period = 60" in own
    assert all(" cleanup_delay_period = 5" in query for query in (own, *stored.values()))


def test_an_insert_is_one_file_without_indices_until_it_is_merged(tmp_path: Path) -> None:
    parts = (
        "SELECT path, secondary_indices_uncompressed_bytes FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'otel_traces' AND active"
    )
    row = {"TraceId": "a" * 32, "SpanId": "b" * 16, "Timestamp": time.time_ns()}
    with exporting(f"chdb://{tmp_path}") as store:
        for token in ("a", "b", "a"):  # the third is the first again
            store.export(make_batch("traces", [row], token=token))
        inserted = store.rows(parts)
        files = [[file.name for file in Path(path).iterdir()] for path, _ in inserted]
        store.client.command("OPTIMIZE TABLE otel_traces FINAL")
        merged = store.rows(parts)
        assert [(2,)] == store.rows("SELECT count() FROM otel_traces")

    assert [["data.packed"]] * 2 == files
    assert [0, 0] == [size for _, size in inserted]
    assert [True] == [size > 0 for _, size in merged]


@pytest.mark.parametrize(("limit", "is_told"), [("_MOST_PARTS", True), ("_MOST_SMALL_PARTS", False)])
def test_where_merges_are_behind_inserts_wait_for_them(
    limit: str,
    is_told: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(parts_of_inserts, limit, 3)
    monkeypatch.setattr(parts_of_inserts, "_INSERTS_BETWEEN_LOOKS", 5)
    counts = []
    with exporting(f"chdb://{tmp_path}") as store:
        # So many parts to a merge that none comes by itself.
        store.client.command("ALTER TABLE otel_traces MODIFY SETTING merge_selector_base = 1000")
        for number in range(6):
            row = {"TraceId": "a" * 32, "SpanId": f"{number:016x}", "Timestamp": time.time_ns()}
            store.export(make_batch("traces", [row], token=str(number)))
            counts += store.rows(
                "SELECT count() FROM system.parts "
                "WHERE database = currentDatabase() AND table = 'otel_traces' AND active"
            )
        assert [(6,)] == store.rows("SELECT count() FROM otel_traces")

    assert [(1,), (2,), (3,), (4,), (1,), (2,)] == counts
    told = "otel_traces has more than 3 parts in a day: an insert waits for a merge" in caplog.messages
    assert is_told == told


def test_merges_take_idle_time(tmp_path: Path) -> None:
    """Whatever priority the process was started with."""
    with exporting(f"chdb://{tmp_path}"):
        policies = {
            os.sched_getscheduler(int(task.name))
            for task in Path("/proc/self/task").iterdir()
            if (task / "comm").read_text().strip() == "MergeMutate"
        }

    assert {os.SCHED_IDLE} == policies


def test_an_insert_that_could_be_done_twice_is_refused(tmp_path: Path) -> None:
    """Without a token the engine can't know it again."""
    rows = pa.table({"n": pa.array([1], pa.uint64())})
    with exporting(f"chdb://{tmp_path}") as store:
        store.client.command(TABLE.format("numbers", WINDOW))
        with pytest.raises(ClickHouseError, match="dedup"):
            insert(store.client, "numbers", rows, settings(60, ""), embedded=True)
        assert 0 == store.client.command("SELECT count() FROM numbers")
