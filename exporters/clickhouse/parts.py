"""What the embedded engine writes for an insert, and how often it writes it again.

    keep_parts_cheap(client)      when the tables are there
    let_merges_give_way()         when the engine has its threads

What is written now is waited for; what was written may be merged later, and each time that it is costs half of what
inserting it did. A server has its own disks, threads and settings, and keeps them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from clickhouse_connect.driver.client import Client

from agenttracer.schemas.literal import literal

_MIB = 1 << 20
_SETTINGS = {
    # Sixteen parts instead of five come together before they are merged: a row is written again whenever the number of
    # inserts has grown by this factor. With inserts of 20,000 spans merges cost 12.5 µs a span with five, 6 with ten.
    # The views' questions, over twelve parts instead of four, take a tenth longer.
    "merge_selector_base": 16,
    # A part of an insert is one file, not fourteen: all of them would be made, synced and soon removed again.
    "min_bytes_for_full_part_storage": 32 * _MIB,
}
_WITHOUT = """
    SELECT name FROM system.tables
    WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND position(create_table_query, {}) = 0
"""
_THREAD = "MergeMutate"
_NICE = 5


def keep_parts_cheap(client: Client) -> None:
    """Give the tables their settings; one that a table has already, whoever gave it, stays.

    Raises what clickhouse-connect raises.
    """
    for setting, value in _SETTINGS.items():
        for (table,) in client.query(_WITHOUT.format(literal(setting))).result_rows:
            client.command(f"ALTER TABLE `{table}` MODIFY SETTING {setting} = {value}")


def let_merges_give_way() -> None:
    """Make the merging threads nicer than others; does nothing where there is no ``/proc``.

    The engine's own setting for it, ``os_threads_nice_value_merge_mutate``, asks for a capability even to be nicer.
    Measured on two cores of which four fifths are in use: a span is queryable 1.5 s after its end at p99; with all
    threads alike, or the inserting ones the nicer, it is 2.0 s and more.
    """
    tasks = Path("/proc/self/task")  # a system that has it gives each thread its own priority
    nice = os.getpriority(os.PRIO_PROCESS, 0) + _NICE
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with suppress(OSError):  # a thread that has just ended
            if (task / "comm").read_text().strip() == _THREAD:
                os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
