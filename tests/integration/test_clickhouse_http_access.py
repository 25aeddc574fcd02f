"""Who may do what: a reader changes nothing, and nobody leaves the store."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import clickhouse_connect
import pytest

from tests.clickhouse_server import ClickHouseServer, clickhouse_server

_WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": "let-me-write"}
_USERS = {
    "default": {},
    "alice": {"password": "wonder:land"},
    "writer": {"password": "let-me-write", "readonly": False},
}
_SECRET = "not-for-clients"  # noqa: S105 - what no answer may show


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    folder = tmp_path_factory.mktemp("process")
    (folder / "secret.txt").write_text(_SECRET)
    with clickhouse_server(folder / "store", cwd=folder, users=_USERS) as started:
        with clickhouse_connect.get_client(**started.writer) as client:
            client.command("CREATE TABLE t (a Int32, file String) ENGINE = MergeTree ORDER BY a")
            client.command("INSERT INTO t VALUES (1, 'x')")
        yield started


def _path(server: ClickHouseServer) -> str:
    return str(server.folder.parent / "secret.txt")


_READ_ONLY = (
    "INSERT INTO t VALUES (2, 'y')",
    "INSERT INTO t SELECT 2, 'y'",
    "INSERT INTO FUNCTION null('a Int8') SELECT 1",
    "CREATE TABLE z (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE z (a Int8)",
    "CREATE DATABASE z",
    "CREATE FUNCTION z AS x -> x",
    "CREATE VIEW z AS SELECT 1",
    "ATTACH TABLE t",
    "DETACH TABLE t",
    "DROP TABLE t",
    "TRUNCATE TABLE t",
    "RENAME TABLE t TO z",
    "EXCHANGE TABLES t AND t",
    "ALTER TABLE t DELETE WHERE 1",
    "DELETE FROM t WHERE 1",
    "UPDATE t SET file = 'z' WHERE 1",
    "OPTIMIZE TABLE t",
    "SYSTEM FLUSH LOGS",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "GRANT SELECT ON *.* TO default",
    "SET readonly = 0",
    "SET readonly = 2",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
)
_OUTSIDE = (
    "SELECT * FROM file('{path}', 'LineAsString')",
    "SELECT * FROM `file`('{path}', LineAsString)",
    "SELECT * FROM '{path}'",
    "SELECT * FROM `{path}`",
    "SELECT * FROM default.`{path}`",
    "SELECT * FROM 'secret.txt'",
    "SELECT * FROM `secret.*`",
    "SELECT * FROM `secret.t{{x,xt}}`",
    "SELECT 1 WHERE '" + _SECRET + "' IN `{path}`",
    "SELECT nullIn('" + _SECRET + "', `secret.txt`)",
    "SELECT * FROM {{name:Identifier}}",
    "SELECT file('{path}')",
    "SELECT * APPLY(file) FROM (SELECT '{path}' AS p)",
    "SELECT arrayMap(file, ['{path}'])",
    "SELECT arrayMap(x -> file(x), ['{path}'])",
    "SELECT hasColumnInTable('default', '{path}', 'c1')",
    "DESCRIBE TABLE file('{path}')",
    "DESCRIBE `{path}`",
    "SHOW CREATE TABLE `{path}`",
    "EXPLAIN SELECT * FROM file('{path}')",
    "SELECT * FROM (SELECT * FROM file('{path}') SETTINGS readonly = 0)",
    "WITH x AS (SELECT * FROM file('{path}')) SELECT * FROM x",
    "SELECT 1 FROM view(SELECT * FROM file('{path}'))",
    "SELECT * FROM url('http://localhost:1/', CSV, 'a Int8')",
    "DESCRIBE TABLE url('http://localhost:1/')",
    "SELECT * FROM s3('http://localhost:1/b/x.csv', CSV, 'a Int8')",
    "SELECT * FROM remote('localhost:1', system.one)",
    "SELECT * FROM executable('x', CSV, 'a Int8')",
    "SELECT * FROM sqlite('{path}', 't')",
    "SELECT * FROM mysql('localhost:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM Python(os)",
    "SELECT * FROM filesystem('{path}')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM loop('default', '{path}')",
    "SELECT 1 INTO OUTFILE '{path}.out'",
    "SELECT 1 INTO OUTFILE '{path}' TRUNCATE FORMAT CSV",
    "SHOW CREATE TABLE t INTO OUTFILE '{path}.out'",
    "INSERT INTO t FROM INFILE '{path}' FORMAT CSV",
    "INSERT INTO FUNCTION file('{path}.out') SELECT 1",
    "CREATE TABLE z (a String) ENGINE = File(CSV, '{path}')",
    "CREATE TABLE z (a String) ENGINE = URL('http://localhost:1/', CSV)",
    "CREATE DATABASE z ENGINE = Filesystem",
    "CREATE DATABASE z ENGINE = Filesystem('{path}')",
    "CREATE TABLE z (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '{path}.d/')",
    "CREATE TABLE z AS `{path}`",
    "CREATE DICTIONARY z (a Int8) PRIMARY KEY a SOURCE(FILE(path '{path}' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY z (a Int8) PRIMARY KEY a SOURCE(HTTP(url 'http://x' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "BACKUP TABLE t TO File('{path}.out')",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM SUSPEND FOR 1 SECOND",
    "SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '{path}'",
    "SELECT 1 SETTINGS a = [1, f(2)], b = -1, format_template_row = '{path}' FORMAT Template",
    "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '{path}:M'",
    "SELECT 1 SETTINGS implicit_table_at_top_level = '{path}'",
    "SELECT a FROM t SETTINGS additional_table_filters = {{'t': 'file(''{path}'') != 1'}}",
    "SET dialect = 'kusto'",
    "SELECT 1; SELECT 2",
    "?? how many rows has t",
    "exit",
    "\\d",
)


@pytest.mark.parametrize("sql", _READ_ONLY)
@pytest.mark.parametrize("session", ["", "?session_id=s"])
def test_a_reader_changes_nothing(server: ClickHouseServer, sql: str, session: str) -> None:
    """Neither data nor schema nor its own chains: refused, and the table is as it was."""
    refused = server.post(sql, path=f"/{session}")

    assert refused.status in (403, 404, 500, 501)
    assert refused.headers["X-ClickHouse-Exception-Code"] in ("164", "497")
    assert "1\tx\n" == server.post("SELECT * FROM t").text


@pytest.mark.parametrize("headers", [{}, _WRITER], ids=["reader", "writer"])
@pytest.mark.parametrize("sql", _OUTSIDE)
def test_nobody_leaves_the_store(server: ClickHouseServer, sql: str, headers: Mapping[str, str]) -> None:
    """Files, hosts, programs and Python objects are out of reach, for who may write as well."""
    sql = sql.format(path=_path(server))
    answer = server.post(sql, headers, path=f"/?param_name={_path(server)}")

    assert 400 <= answer.status
    assert _SECRET not in answer.text
    assert _SECRET == Path(_path(server)).read_text()
    assert ["secret.txt", "store"] == sorted(path.name for path in server.folder.parent.iterdir())


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("readonly=0", "164"),
        ("readonly=3", "164"),
        ("allow_ddl=1", "452"),
        ("profile=default", "452"),
        ("allow_introspection_functions=1", "452"),
        ("dialect=prql", "452"),
        ("implicit_table_at_top_level=secret.txt", "452"),
        ("format_template_row=secret.txt", "452"),
        ("additional_result_filter=1", "452"),
        ("ai_function_allow_insecure_endpoint=1", "452"),
        ("no_such_setting=1", "115"),
        ("max_threads%3D1%2Creadonly=0", "115"),
    ],
)
def test_some_settings_are_nobodys(server: ClickHouseServer, setting: str, code: str) -> None:
    """Settings that would loosen the reader's chains or leave the store can't come in the URL."""
    assert code == server.post("SELECT 1", path=f"/?{setting}").headers["X-ClickHouse-Exception-Code"]


@pytest.mark.parametrize("setting", ["readonly=1", "readonly=2", "max_threads=2", "log_comment=it's mine"])
def test_other_settings_are_the_readers(server: ClickHouseServer, setting: str) -> None:
    """What makes nothing looser is accepted."""
    assert "1\n" == server.post("SELECT 1", path="/?" + setting.replace(" ", "+")).text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t.file FROM t",
        "SELECT 1 AS `requests/s`, 2 AS `count(*)`",
        "SELECT '/etc/passwd', 'file(x)', 'INTO OUTFILE'",
        "SELECT url, s3 FROM (SELECT 1 AS url, 2 AS s3) WHERE url = 1",
        "SELECT format('{} {}', 'a', 'b'), log(2), toString(1)",
        "SELECT * FROM numbers(3) AS n JOIN (SELECT 1 AS number) AS m USING (number)",
        "SELECT 1 -- INTO OUTFILE 'x'",
        "SHOW TABLES",
        "DESCRIBE TABLE t",
        "EXPLAIN SELECT * FROM t",
        "EXISTS TABLE t",
        "CHECK TABLE t",
        "SELECT * FROM system.tables WHERE name = 't'",
        "SELECT count() FROM merge('default', '^t$')",
        "SELECT 1 IN (SELECT a FROM t)",
    ],
)
def test_a_reader_reads_everything_in_the_store(server: ClickHouseServer, sql: str) -> None:
    """The rules don't stand in the way of ordinary statements."""
    answer = server.post(sql)

    assert (200, True) == (answer.status, bool(answer.text)), answer.text


def test_get_never_writes(server: ClickHouseServer) -> None:
    """Not for a writer either, so a link can't change anything."""
    answer = server.get("/?query=CREATE+TABLE+z+(a+Int8)+ENGINE=Memory", _WRITER)

    assert "164" == answer.headers["X-ClickHouse-Exception-Code"]


@pytest.mark.parametrize("given", ["max_execution_time=0", "max_execution_time=1000", "max_result_bytes=0"])
def test_limits_can_be_lowered_only(server: ClickHouseServer, given: str) -> None:
    """In the URL they are brought down, as clients send theirs unasked; in a statement they are refused."""
    name = given.partition("=")[0]
    limit = server.post(f"SELECT toFloat64(getSetting('{name}'))").text
    lowered = server.post(f"SELECT toFloat64(getSetting('{name}'))", path=f"/?{given}").text
    refused = server.post(f"SELECT 1 SETTINGS {given}")
    lower = server.post(f"SELECT toFloat64(getSetting('{name}')) SETTINGS {name} = 5")

    assert limit == lowered
    assert "452" == refused.headers["X-ClickHouse-Exception-Code"]
    assert "5\n" == lower.text


def _basic(credentials: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/?user=alice&password=wonder:land", {}),
        ("/", _basic("alice:wonder:land")),
        ("/", {"X-ClickHouse-User": "alice", "X-ClickHouse-Key": "wonder:land"}),
    ],
)
def test_credentials_come_in_three_ways(server: ClickHouseServer, path: str, headers: dict[str, str]) -> None:
    """The URL, Basic, and ClickHouse's own headers; nobody at all is default."""
    assert (200, "1\n") == (server.post("SELECT 1", headers, path).status, "1\n")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/?user=alice", {}),
        ("/?user=alice&password=wrong", {}),
        ("/?user=mallory", {}),
        ("/", _basic("alice:wonder")),
        ("/", _basic("writer:")),
        ("/", {"Authorization": "Bearer token"}),
        ("/", {"Authorization": "Basic ?"}),
        ("/", {"X-ClickHouse-User": "alice"}),
    ],
)
def test_wrong_credentials_are_refused(server: ClickHouseServer, path: str, headers: dict[str, str]) -> None:
    """Always with 516, which doesn't say whether there is such a user."""
    answer = server.post("SELECT 1", headers, path)

    assert 403 == answer.status
    assert "516" == answer.headers["X-ClickHouse-Exception-Code"]
    assert answer.text.startswith("Code: 516. DB::Exception: Authentication failed") or "Basic" in answer.text


def test_sessions_are_not_shared_between_users(server: ClickHouseServer) -> None:
    """The same session id is another session for another user."""
    server.post("SET max_block_size = 99", path="/?session_id=same")
    other = server.post("SELECT getSetting('max_block_size')", _WRITER, "/?session_id=same")

    assert "99\n" != other.text
