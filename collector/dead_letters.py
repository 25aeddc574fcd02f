"""Rows that an exporter refused for good, on disk until somebody has mended the cause and puts them back in line.

    Journal.bury ──▶ dead_letters ──replay──▶ groups, for the exporter that refused them and no other

These functions work on ``journal.connect(path)`` in any process, beside the collector that owns the journal:
each is one short transaction, and the collector looks for what it did not append itself every few seconds.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from agenttracer.collector.errors import CollectorError


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One group as an exporter refused it; ``reason`` is the label of the counters, ``unix_time`` when."""

    id: int
    pipeline: str
    exporter: str
    tenant: str
    rows: int
    reason: str
    unix_time: float


class NotReplayed(CollectorError):
    """A dead letter that stays where it is, and why."""


def read(connection: sqlite3.Connection) -> list[DeadLetter]:
    """All of them, oldest first."""
    return [
        DeadLetter(*line)
        for line in connection.execute(
            "SELECT id, pipeline, exporter, tenant, rows, reason, time FROM dead_letters ORDER BY id"
        )
    ]


def replay(connection: sqlite3.Connection, identifier: int) -> int:
    """Put one back in line for the exporter that refused it; returns its rows. Raises ``NotReplayed``."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = _move(connection, identifier)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return rows


def _move(connection: sqlite3.Connection, identifier: int) -> int:
    letter = connection.execute(
        "DELETE FROM dead_letters WHERE id = ? RETURNING pipeline, exporter, tenant, rows, reason, payload",
        (identifier,),
    ).fetchone()
    if letter is None:
        raise NotReplayed(f"there is no dead letter {identifier}")
    pipeline, exporter, tenant, rows, reason, payload = letter
    place = (pipeline, exporter)
    if not connection.execute("SELECT 1 FROM cursors WHERE pipeline = ? AND exporter = ?", place).fetchone():
        # Nobody would take it, and the next exporter that passes would have it deleted.
        raise NotReplayed(
            f"dead letter {identifier} stays: the exporter {exporter} is no longer part of the pipeline "
            f"{pipeline}; name it in the configuration, start the collector, then replay"
        )
    connection.execute(
        "INSERT INTO groups (pipeline, tenant, rows, time, only_exporter, payload) VALUES (?, ?, ?, ?, ?, ?)",
        (pipeline, tenant, rows, time.time(), exporter, payload),
    )
    connection.execute(
        "UPDATE books SET rows = rows - ? WHERE pipeline = ? AND tenant = ? AND state = 'dead_lettered' "
        "AND reason = ? AND exporter = ?",
        (rows, pipeline, tenant, reason, exporter),
    )
    return int(rows)
