"""Where an INSERT's data begin, and what the rules see in a statement."""

import os
from pathlib import Path

import pytest

from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError, from_engine
from agenttracer.collector.extensions.clickhouse_http.rules import (
    check_limits,
    check_setting,
    learns_settings,
    names_a_file,
    sources_outside,
    within,
)
from agenttracer.collector.extensions.clickhouse_http.statement import (
    IncompleteError,
    Statement,
    data_offset,
)

_INSERTS = (
    "INSERT INTO t FORMAT CSV\n|1,2",
    "INSERT INTO t FORMAT CSV |1,2",
    "INSERT INTO t FORMAT CSV \t\r\n|\n1,2",
    "insert into t(a, b) format Native\n|\x00\xff",
    "INSERT INTO t VALUES|(1), (2)",
    "INSERT INTO t (a, `FORMAT x`, c) VALUES| ('FORMAT CSV')",
    "INSERT INTO TABLE db.t FORMAT TSV\n|1",
    "INSERT INTO FUNCTION null('a Int8') FORMAT TSV\n|1",
    "INSERT INTO {t:Identifier} FORMAT TSV\n|1",
    "INSERT INTO format FORMAT TSV\n|FORMAT",
    "INSERT INTO db.`values` FORMAT TSV\n|1",
    "INSERT INTO t SETTINGS async_insert = 1, a = 'FORMAT x' FORMAT CSV\n|1",
    "-- FORMAT a\nINSERT /* VALUES */ INTO t # VALUES\n FORMAT CSV\n|1",
    "INSERT INTO t (a, b) FORMAT RowBinary\n|`'\"(",
)
_NO_DATA = (
    "SELECT 1 FORMAT CSV",
    "INSERT INTO t SELECT 1 FORMAT CSV",
    "INSERT INTO t WITH 1 AS x SELECT x",
    "INSERT INTO t (a) FROM INFILE 'x' FORMAT CSV",
    "INSERT INTO t",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "",
    "-- nothing",
)


@pytest.mark.parametrize("marked", _INSERTS)
def test_data_begin_where_the_engine_says(marked: str) -> None:
    """After the format's line, or after VALUES; the statement's own words don't mislead."""
    statement, _, data = marked.partition("|")

    assert len(statement) == data_offset(statement + data, complete=True)


@pytest.mark.parametrize("marked", _INSERTS)
def test_beginnings_are_never_misread(marked: str) -> None:
    """However much of the text has come, the answer is the right one or not yet."""
    statement, _, data = marked.partition("|")
    for size in range(len(statement + data)):
        try:
            found = data_offset((statement + data)[:size], complete=False)
        except IncompleteError:
            continue
        assert len(statement) == found


@pytest.mark.parametrize("text", _NO_DATA)
def test_other_statements_bring_no_data(text: str) -> None:
    """Even if they end in FORMAT."""
    assert data_offset(text, complete=True) is None


def test_a_statement_is_read_from_the_parsers_words() -> None:
    """Verb, format, names, settings; what is quoted is not a keyword."""
    statement = Statement.of(
        b"SELECT `a b`, 'INTO OUTFILE' FROM (SELECT 1 SETTINGS x = -1.5, y = 'it\\'s') AS t "
        b"SETTINGS max_threads = 2, l = ['a', f(1, 2)], c = disk(type = 'x'), z = DEFAULT FORMAT `Null`"
    )

    assert "SELECT" == statement.verb
    assert "Null" == statement.format
    assert statement.without_format.endswith("z = DEFAULT")
    assert "a b" in [name for _, name in statement.names()]
    assert statement.settings() == {
        "x": "-1.5",
        "y": "'it\\'s'",
        "max_threads": "2",
        "l": "['a',f(1,2)]",
        "c": "disk(type='x')",
    }
    assert not statement.has("INTO", "OUTFILE")


def test_sources_that_leave_the_store_are_told_apart() -> None:
    """What stays inside is listed; whatever is not is outside, new sources too."""
    inside = (
        "MergeTree",
        "ReplicatedReplacingMergeTree",
        "numbers",
        "view",
        "Log",
        "Atomic",
        "mergeTreeIndex",
    )
    outside = ("file", "URL", "s3Cluster", "Python", "invented_tomorrow")

    assert {name.lower() for name in outside} | {"disk"} == sources_outside((*inside, *outside))


def test_names_of_files_are_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative, inside an archive, and as a pattern; names of nothing are not."""
    (tmp_path / "secret.txt").touch()
    monkeypatch.chdir(tmp_path)
    files = ("secret.txt", str(tmp_path / "secret.txt"), "secret.txt :: x", "secret.*", "s?cret.txt", "*")
    globs = (f"{tmp_path}/{{secret,x}}.txt", f"{tmp_path}/**", "/*/secret.txt")
    others = ("otel_traces", "requests/s", "count(*)", "count(*)/60", "", "a\0b", str(tmp_path), "x" * 9999)

    assert [] == [name for name in (*files, *globs) if not names_a_file(os.fsencode(name))]
    assert [] == [name for name in others if names_a_file(name.encode())]


def test_limits_are_kept_or_lowered() -> None:
    """No limit is exceeded, removed, or hidden behind quotes."""
    limits = {"max_execution_time": 60.0}

    assert {"max_execution_time": "60.0"} == within(limits, {})
    assert {"max_execution_time": "60.0"} == within(limits, {"max_execution_time": "'0'"})
    assert {"max_execution_time": "60.0"} == within(limits, {"max_execution_time": "'inf'"})
    assert {"max_execution_time": "'5'"} == within(limits, {"max_execution_time": "'5'"})
    check_limits(limits, {"max_execution_time": "5"})
    with pytest.raises(DatabaseError, match="452"):
        check_limits(limits, {"max_execution_time": "61"})


def test_settings_that_nobody_changes_are_named() -> None:
    """``readonly`` with the code of ``readonly``."""
    check_setting("max_threads")
    for name, code in (("readonly", "164"), ("format_schema", "452"), ("ai_function_max_retries", "452")):
        with pytest.raises(DatabaseError, match=code):
            check_setting(name)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT name, readonly FROM system.settings LIMIT 10000", True),
        ("SELECT * FROM system.settings WHERE name = '(x)'", True),
        ("SELECT count() FROM system.settings", False),
        ("SELECT * FROM system.settings SETTINGS a = 1", False),
        ("SELECT * FROM t", False),
        ("SET system.settings = 1", False),
    ],
)
def test_only_a_list_of_settings_is_one(sql: str, expected: bool) -> None:
    """Nothing that calls, nests or sets."""
    assert expected == learns_settings(Statement.of(sql.encode()))


@pytest.mark.parametrize(
    ("text", "code", "name", "message"),
    [
        ("Code: 60. DB::Exception: No t. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE", "No t."),
        (
            "Streaming query failed: Code: 6. DB::Exception: Code: 6. DB::Exception: Bad (A). (CANNOT_PARSE_TEXT) "
            "(version 26.9.2.1). (CANNOT_PARSE_TEXT)",
            6,
            "CANNOT_PARSE_TEXT",
            "Bad (A).",
        ),
        (
            "Code: 210. DB::NetException: x (NETWORK_ERROR) (version 1.2 (official build))",
            210,
            "NETWORK_ERROR",
            "x",
        ),
        ("something else", 1002, "UNKNOWN_EXCEPTION", "something else"),
    ],
)
def test_the_engines_texts_become_errors(text: str, code: int, name: str, message: str) -> None:
    """Number, name and message once, whatever layers repeated them."""
    error = from_engine(RuntimeError(text))

    assert (code, name, message) == (error.code, error.name, error.message)
