"""The journal's tables (SQLite). A change needs a new ``user_version`` and a step in ``UPGRADES``."""

VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What waits: one row a group. AUTOINCREMENT, because an id names its rows for ever: it is in the tokens
-- by which the store knows what it has. only_exporter: a replayed dead letter, for the one that refused it.
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    tenant TEXT NOT NULL,
    rows INTEGER NOT NULL,
    time REAL NOT NULL,
    only_exporter TEXT NOT NULL DEFAULT '',
    payload BLOB NOT NULL
);

-- How far each exporter is, and up to where it has claimed what it works on (0: nothing).
CREATE TABLE IF NOT EXISTS cursors (
    pipeline TEXT NOT NULL,
    exporter TEXT NOT NULL,
    position INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pipeline, exporter)
) WITHOUT ROWID;

-- Requests that were answered lately, so that a re-sent one is answered again and stored once.
CREATE TABLE IF NOT EXISTS receipts (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    digest BLOB NOT NULL,
    rows INTEGER NOT NULL,
    rejected_rows INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    exporter TEXT NOT NULL,
    tenant TEXT NOT NULL,
    rows INTEGER NOT NULL,
    reason TEXT NOT NULL,
    time REAL NOT NULL,
    payload BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS books (
    pipeline TEXT NOT NULL,
    tenant TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    exporter TEXT NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (pipeline, tenant, state, reason, exporter)
) WITHOUT ROWID;
"""
