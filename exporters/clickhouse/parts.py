"""What the embedded engine writes for an insert, and how often it writes it again.

    keep_parts_cheap(client)      when the tables are there
    merge_in_idle_time()          when the engine has its threads
    MergeBacklog(client)          told of every insert: where merges are behind, inserts wait for them

What is written now is waited for; what was written may be merged later, and each time that it is costs half of what
inserting it did. A server has its own disks, threads and settings, and keeps them.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.exporters.clickhouse.failures import describe

_log = logging.getLogger(__name__)
_MIB = 1 << 20
_SETTINGS = {
    # Sixteen parts instead of five come together before they are merged: a row is written again whenever the number of
    # inserts has grown by this factor. Not more at once: from seventeen on a merge costs twice as much a row, and with
    # the hundred that piled-up parts are allowed it needs more memory than there is.
    "merge_selector_base": 16,
    "max_parts_to_merge_at_once": 16,
    # While the one thread for merges makes a part that is larger, those of the inserts come to the thousand from which
    # on the engine slows inserts down.
    "max_bytes_to_merge_at_max_space_in_pool": 1024 * _MIB,
    # A part of an insert is one file, not fourteen: all of them would be made, synced and soon removed again.
    "min_bytes_for_full_part_storage": 32 * _MIB,
    # A merge holds a block of each of sixteen parts, twice: a fifth less memory than with the engine's 1 MiB.
    "max_compress_block_size": _MIB // 4,
    # What was merged is removed within ten seconds, not five minutes. It takes 8 to 36 KiB of memory a part: 400 to 565
    # such ones stood beside 950 to 1,170 others after twenty minutes of load.
    "cleanup_delay_period": 5,
    "max_cleanup_delay_period": 10,
}
_TABLES = """
    SELECT name, create_table_query FROM system.tables
    WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
"""
_THREAD = "MergeMutate"
_MOST_PARTS = 600
"""Of a day. Merges that keep up leave less than 100, and three times as many while they make a large part."""
_MOST_SMALL_PARTS = 100
_SMALL_BYTES = 128 * 1024
"""Sixteen of these are merged within an insert's time, and otherwise wait for a place behind large merges."""
_INSERTS_BETWEEN_LOOKS = 10
"""They make fewer parts than one merge takes away."""
_BEHIND = """
    SELECT table, max(parts) > {most} FROM (
        SELECT table, count() AS parts, countIf(bytes_on_disk < {small_bytes}) AS small_parts
        FROM system.parts WHERE active AND database = currentDatabase()
        GROUP BY table, partition_id
    ) WHERE parts > {most} OR small_parts > {most_small} GROUP BY table
"""


def keep_parts_cheap(client: Client) -> None:
    """Give the tables their settings; one that a table has already, whoever gave it, stays.

    Raises what clickhouse-connect raises.
    """
    for table, query in client.query(_TABLES).result_rows:
        missing = [f"{name} = {value}" for name, value in _SETTINGS.items() if f" {name} = " not in query]
        if missing:
            client.command(f"ALTER TABLE `{table}` MODIFY SETTING {', '.join(missing)}")


def merge_in_idle_time() -> None:
    """Let the merging threads run when nothing else wants to; does nothing where there is no ``/proc``.

    Linux lets a thread that wakes wait while a nicer one finishes its turn, but not for one like this. Measured on two
    cores of which nine tenths are in use, in turns: a span is queryable after 1.1 s, 2.2 s at p99; with merges nicer by
    five, after 1.2 to 1.5 s, 2.4 to 4.8 s at p99.
    """
    tasks = Path("/proc/self/task")  # a system that has it gives each thread its own priority
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with suppress(OSError):  # a thread that has just ended, or a container that forbids it
            if (task / "comm").read_text().strip() == _THREAD:
                os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))


class MergeBacklog:
    """Merges that get no idle time, or no place, would let parts pile up: then inserts wait for merges."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inserts = 0

    def inserted(self) -> None:
        """To be told of every insert; merges where there are too many parts, once in so many inserts."""
        self._inserts += 1
        if self._inserts % _INSERTS_BETWEEN_LOOKS:
            return
        behind = _BEHIND.format(most=_MOST_PARTS, most_small=_MOST_SMALL_PARTS, small_bytes=_SMALL_BYTES)
        try:
            for table, is_far_behind in self._client.query(behind).result_rows:
                if is_far_behind:
                    _log.warning(
                        "%s has more than %d parts in a day: an insert waits for a merge", table, _MOST_PARTS
                    )
                self._client.command(f"OPTIMIZE TABLE `{table}`")
        except (ClickHouseError, OSError) as error:  # the rows are stored; the next look is soon
            _log.warning("a merge failed (%s)", describe(error))
