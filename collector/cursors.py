"""Which exporters the journal keeps a place for, when the configuration has changed since its last rows.

A new exporter begins with the oldest rows that are still there. What waited for an exporter, or lay in a
pipeline, that the configuration no longer names is given up: said in the log, and in the books.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Set

from agenttracer.collector.telemetry import BookLine

_log = logging.getLogger("agenttracer.journal")


def set_cursors(connection: sqlite3.Connection, wanted: Set[tuple[str, str]]) -> Counter[BookLine]:
    """Make the cursors those of ``wanted`` (pipeline, exporter); returns the book lines of what is given up.
    Inside a transaction of the caller's."""
    known = set(connection.execute("SELECT pipeline, exporter FROM cursors").fetchall())
    lines: Counter[BookLine] = Counter()
    for pipeline, exporter in known - wanted:
        waiting = connection.execute(
            "SELECT g.tenant, sum(g.rows) FROM groups g, cursors c WHERE c.pipeline = ?1 AND c.exporter = ?2 "
            "AND g.pipeline = ?1 AND g.id > c.position AND g.only_exporter IN ('', ?2) GROUP BY g.tenant",
            (pipeline, exporter),
        ).fetchall()
        for tenant, rows in waiting:
            lines[(pipeline, tenant, "filtered", "exporter_removed", exporter)] += rows
        if waiting:
            _log.warning(
                "%s is no exporter of %s any more: %d rows that waited for it are given up",
                exporter,
                pipeline,
                sum(rows for _, rows in waiting),
            )
        connection.execute("DELETE FROM cursors WHERE pipeline = ? AND exporter = ?", (pipeline, exporter))
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM groups").fetchone()
    oldest = dict(connection.execute("SELECT pipeline, min(id) FROM groups GROUP BY pipeline").fetchall())
    for pipeline, exporter in wanted - known:
        connection.execute(
            "INSERT INTO cursors (pipeline, exporter, position) VALUES (?, ?, ?)",
            (pipeline, exporter, oldest.get(pipeline, newest + 1) - 1),
        )
    connection.execute("DELETE FROM groups WHERE pipeline NOT IN (SELECT pipeline FROM cursors)")
    return lines
