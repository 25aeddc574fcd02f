"""ClickHouse's HTTP protocol as curl sees it: parameters, headers, bodies, errors, sessions, disconnections."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clickhouse_server import ClickHouseServer, Reply, clickhouse_server

_WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": "let-me-write"}
_SLOW = "SELECT sum(sleepEachRow(0.1)) FROM numbers(200) SETTINGS max_block_size = 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with clickhouse_server(tmp_path_factory.mktemp("store")) as started:
        started.post("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n", _WRITER)
        yield started


@pytest.fixture
def empty_table(server: ClickHouseServer) -> None:
    server.post("TRUNCATE TABLE t", _WRITER)


def _code(reply: Reply) -> str:
    return reply.headers["X-ClickHouse-Exception-Code"]


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_probes_are_answered(server: ClickHouseServer, path: str) -> None:
    """Without credentials, and without asking the engine."""
    assert (200, b"Ok.\n") == (server.get(path).status, server.get(path).body)


def test_other_paths_are_not_there(server: ClickHouseServer) -> None:
    """404 for what a server serves and this one doesn't."""
    assert 404 == server.get("/play").status


@pytest.mark.parametrize(
    "parameter", ["query_id=a%0D%0AX-Evil:+1", "default_format=a%0Ab", "client_protocol_version=x"]
)
def test_parameters_never_become_headers(server: ClickHouseServer, parameter: str) -> None:
    """What can't be right is refused before it is repeated."""
    reply = server.post("SELECT 1", path=f"/?{parameter}")

    assert _code(reply) in ("36", "73")
    assert "X-Evil" not in reply.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/?query=SELECT+1+AS+x", b""),
        ("/", b"SELECT 1 AS x"),
        ("/query", b"SELECT 1 AS x;"),
        ("/?query=SELECT+1", b"AS x"),
        ("/?query=SELECT+{n:UInt8}+AS+x&param_n=1", b""),
        ("/?param_n=1", b"SELECT {n:UInt8} AS x"),
        ("/?database=system", b"SELECT dummy + 1 AS x FROM one"),
    ],
)
def test_the_query_is_in_the_url_or_the_body_or_both(
    server: ClickHouseServer, path: str, body: bytes
) -> None:
    """The body goes on where the URL ends."""
    assert b"1\n" == server.post(body, path=path).body


def test_the_format_is_the_statements_or_the_default(server: ClickHouseServer) -> None:
    """FORMAT, then ``default_format``, then X-ClickHouse-Format, then TabSeparated; the answer names it."""
    named = server.post("SELECT 1 AS x FORMAT CSV", path="/?default_format=JSON")
    default = server.post("SELECT 1 AS x", {"X-ClickHouse-Format": "XML"}, "/?default_format=JSONEachRow")
    header = server.post("SELECT 1 AS x", {"X-ClickHouse-Format": "JSONCompactEachRow"})

    assert ("CSV", b"1\n") == (named.headers["X-ClickHouse-Format"], named.body)
    assert ("JSONEachRow", {"x": 1}) == (default.headers["X-ClickHouse-Format"], json.loads(default.body))
    assert "application/x-ndjson; charset=UTF-8" == default.headers["Content-Type"]
    assert b"[1]\n" == header.body
    assert "TabSeparated" == server.post("SELECT 1").headers["X-ClickHouse-Format"]
    assert "73" == _code(server.post("SELECT 1", path="/?default_format=NoSuchFormat"))
    assert "73" == _code(server.post("SELECT 1", path="/?default_format=DataFrame"))


@pytest.mark.parametrize(
    "output", ["JSON", "CSVWithNames", "Parquet", "ArrowStream", "TabSeparated", "Vertical"]
)
def test_formats_with_a_beginning_and_an_end_are_whole(server: ClickHouseServer, output: str) -> None:
    """Whether or not the client waits for the end, the bytes are the same."""
    sql = (
        f"SELECT number, toString(number) FROM numbers(200000) SETTINGS max_block_size = 9000 FORMAT {output}"
    )
    at_once = server.post(sql, path="/?wait_end_of_query=1").body
    streamed = server.post(sql).body

    if output == "JSON":
        assert json.loads(at_once)["data"] == json.loads(streamed)["data"]
    else:
        assert at_once == streamed


def test_totals_are_not_lost(server: ClickHouseServer) -> None:
    """WITH TOTALS and ``extremes`` come behind the rows."""
    totals = server.post(
        "SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k"
    ).text
    extremes = server.post("SELECT number FROM numbers(3)", path="/?extremes=1").text

    assert "0\t2\n1\t2\n\n0\t4\n" == totals
    assert "0\n1\n2\n\n0\n2\n" == extremes


def test_headers_say_what_was_done(server: ClickHouseServer) -> None:
    """The query's id, the server's name and time zone, and what was read."""
    reply = server.post("SELECT count() FROM numbers(1000)", path="/?query_id=mine&wait_end_of_query=1")
    summary = json.loads(reply.headers["X-ClickHouse-Summary"])

    assert "mine" == reply.headers["X-ClickHouse-Query-Id"]
    assert socket.gethostname() == reply.headers["X-ClickHouse-Server-Display-Name"]
    assert reply.headers["X-ClickHouse-Timezone"]
    assert ("1000", "1") == (summary["read_rows"], summary["result_rows"])
    assert int(summary["elapsed_ns"]) > 0


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELEKT", 400, "62", "SYNTAX_ERROR"),
        ("SELECT * FROM no_such_table", 404, "60", "UNKNOWN_TABLE"),
        ("SELECT * FROM no_such.table", 404, "81", "UNKNOWN_DATABASE"),
        ("SELECT toUInt8('x')", 400, "6", "CANNOT_PARSE_TEXT"),
        ("SELECT throwIf(1)", 500, "395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT {n:UInt8}", 500, "456", "UNKNOWN_QUERY_PARAMETER"),
        ("", 400, "62", "SYNTAX_ERROR"),
    ],
)
def test_errors_are_clickhouses(
    server: ClickHouseServer, sql: str, status: int, code: str, name: str
) -> None:
    """Status, header and text as a server has them, in one line."""
    reply = server.post(sql)
    line = rf"Code: {code}\. DB::Exception: .* \({name}\) \(version [\d.]+\)\n"

    assert (status, code) == (reply.status, _code(reply))
    assert re.fullmatch(line, reply.text, re.DOTALL)
    assert 1 == reply.text.count("DB::Exception")


def test_external_tables_are_refused(server: ClickHouseServer) -> None:
    """A form with a file is not taken for a query."""
    form = '--b\r\nContent-Disposition: form-data; name="x"; filename="x"\r\n\r\n1\r\n--b--\r\n'
    reply = server.post(form, {"Content-Type": "multipart/form-data; boundary=b"}, "/?query=SELECT+1")

    assert (501, "48") == (reply.status, _code(reply))


def test_a_form_carries_query_and_parameters(server: ClickHouseServer) -> None:
    """Its fields are those of the URL."""
    fields = {"query": "SELECT {n:UInt8}", "param_n": "3"}
    parts = (f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    reply = server.post("".join(parts) + "--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"})

    assert b"3\n" == reply.body


@pytest.mark.usefixtures("empty_table")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/?query=INSERT+INTO+t+FORMAT+CSV", b"1,a\n2,b\n"),
        ("/?query=INSERT+INTO+t+VALUES", b"(1,'a'),(2,'b')"),
        ("/?query=INSERT+INTO+t+VALUES+(1,'a'),", b"(2,'b')"),
        ("/", b"INSERT INTO t VALUES (1, 'a'), (2, 'b')"),
        (
            "/",
            b"-- FORMAT JSON\nINSERT INTO t (n, /* FORMAT */ s) SETTINGS async_insert = 0 FORMAT CSV\r\n1,a\n2,b\n",
        ),
        ("/", b'INSERT INTO TABLE t FORMAT JSONEachRow {"n": 1, "s": "a"} {"n": 2, "s": "b"}'),
        ("/?param_t=t", b"INSERT INTO {t:Identifier} FORMAT TSV\n1\ta\n2\tb\n"),
        ("/", b"INSERT INTO t SELECT number + 1, char(97 + number) FROM numbers(2)"),
        ("/", b"INSERT INTO t FORMAT JSONEachRow\n" + b" " * 2_000_000 + b'{"n":1,"s":"a"}{"n":2,"s":"b"}'),
    ],
)
def test_data_follow_the_statement(server: ClickHouseServer, path: str, body: bytes) -> None:
    """Wherever the statement ends and whatever the format."""
    reply = server.post(body, _WRITER, path)

    assert 200 == reply.status, reply.text
    assert b"1\ta\n2\tb\n" == server.post("SELECT * FROM t ORDER BY n").body


@pytest.mark.usefixtures("empty_table")
def test_a_body_may_come_in_drops(server: ClickHouseServer) -> None:
    """One byte a packet: the statement is found, the rows are whole."""
    body = b"INSERT INTO t (n, s) FORMAT CSV\n1,a\n2,b\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            b"POST /?user=writer&password=let-me-write HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        )
        connection.sendall(b"Content-Length: %d\r\n\r\n" % len(body))
        for n in range(len(body)):
            connection.sendall(body[n : n + 1])
        reply = connection.makefile("rb").read()

    assert reply.startswith(b"HTTP/1.1 200")
    assert b"1\ta\n2\tb\n" == server.post("SELECT * FROM t ORDER BY n").body


@pytest.mark.usefixtures("empty_table")
def test_a_client_that_leaves_in_an_insert_stores_nothing(server: ClickHouseServer) -> None:
    """Half a body is no insert."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST /?user=writer&password=let-me-write HTTP/1.1\r\nHost: x\r\n")
        connection.sendall(b"Content-Length: 9999999\r\n\r\nINSERT INTO t FORMAT CSV\n" + b"1,a\n" * 100_000)
        time.sleep(0.2)
    _wait_until_idle(server)

    assert b"0\n" == server.post("SELECT count() FROM t").body


def _wait_until_idle(server: ClickHouseServer) -> None:
    deadline = time.monotonic() + 10
    while server.post("SELECT count() FROM system.processes").body != b"1\n":
        assert time.monotonic() < deadline, "a query is still running"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "sql", [_SLOW, "SELECT number, repeat('x', 1000) FROM numbers(100000000) FORMAT TSV"]
)
def test_a_client_that_leaves_takes_its_query_with_it(server: ClickHouseServer, sql: str) -> None:
    """Before the first block or after it, the engine stops."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        body = sql.encode()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.5)
    started = time.monotonic()
    _wait_until_idle(server)

    assert time.monotonic() - started < 5


def test_an_exception_in_the_midst_is_the_end(server: ClickHouseServer) -> None:
    """The last block says what happened, between tags, and the connection breaks."""
    sql = (
        b"SELECT throwIf(number = 90000) FROM numbers(100000) SETTINGS max_block_size = 1000, max_threads = 1"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(sql) + sql)
        reply = connection.makefile("rb").read()
    tag = re.search(rb"X-ClickHouse-Exception-Tag: (\w+)", reply)

    assert reply.startswith(b"HTTP/1.1 200")
    assert tag is not None
    assert b"\r\n__exception__\r\n" + tag[1] + b"\r\nCode: 395. DB::Exception: " in reply
    assert tag[1] + b"\r\n__exception__\r\n" in reply
    assert not reply.endswith(b"0\r\n\r\n")


def test_a_client_that_waits_for_the_end_gets_the_right_status(server: ClickHouseServer) -> None:
    """``wait_end_of_query=1`` keeps the answer back until it is whole."""
    sql = (
        "SELECT throwIf(number = 90000) FROM numbers(100000) SETTINGS max_block_size = 1000, max_threads = 1"
    )

    assert (500, "395") == ((reply := server.post(sql, path="/?wait_end_of_query=1")).status, _code(reply))


def test_sessions_remember_and_end(server: ClickHouseServer) -> None:
    """SET and USE last for the session's queries, until its time is over."""
    path = "/?session_id=s1&session_timeout=1"
    server.post("SET max_block_size = 99", path=path)
    server.post("USE system", path=path)
    remembered = server.post("SELECT getSetting('max_block_size'), currentDatabase()", path=path).body
    time.sleep(1.1)

    assert b"99\tsystem\n" == remembered
    assert "372" == _code(server.post("SELECT 1", path=path + "&session_check=1"))
    assert "374" == _code(server.post("SELECT 1", path="/?session_id=s1&session_timeout=99999"))


def test_temporary_tables_live_in_a_session(server: ClickHouseServer) -> None:
    """And what a query there sets for itself is gone with it."""
    path = "/?session_id=s2"
    server.post("CREATE TEMPORARY TABLE mine (n UInt8)", _WRITER, path)
    server.post("INSERT INTO mine VALUES (1), (2)", _WRITER, path)
    counted = server.post("SELECT count() FROM mine", _WRITER, path + "&max_block_size=77&database=system")
    after = server.post("SELECT getSetting('max_block_size') = 77, currentDatabase()", _WRITER, path)

    assert (b"2\n", b"0\tdefault\n") == (counted.body, after.body)
    assert "60" == _code(server.post("SELECT count() FROM mine", _WRITER))


def test_a_session_serves_one_query_at_a_time(server: ClickHouseServer) -> None:
    """A second one is refused, not queued."""
    path = "/?session_id=s3"
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(server.post, "SELECT sleep(1)", None, path)
        time.sleep(0.3)
        second = server.post("SELECT 1", path=path)

    assert ("373", b"0\n") == (_code(second), first.result().body)


def test_too_many_queries_are_refused(server: ClickHouseServer) -> None:
    """The ninth gets 503 and code 202, and is served when there is room again."""
    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(server.post, "SELECT sleep(1.5)") for _ in range(8)]
        time.sleep(0.7)
        refused = server.post("SELECT 1")

    assert (503, "202") == (refused.status, _code(refused))
    assert "1" == refused.headers["Retry-After"]
    assert [b"0\n"] * 8 == [query.result().body for query in running]
    assert b"1\n" == server.post("SELECT 1").body


def test_an_id_is_one_running_query(server: ClickHouseServer) -> None:
    """The same id again while the first still runs is refused."""
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(server.post, "SELECT sleep(1)", None, "/?query_id=one")
        time.sleep(0.3)
        second = server.post("SELECT 1", path="/?query_id=one")

    assert ("216", b"0\n") == (_code(second), first.result().body)


def test_long_queries_and_results_have_limits(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Time, result and memory end with ClickHouse's own codes."""
    limits = {"max_query_seconds": 1.0, "max_result_bytes": 1 << 20, "max_query_memory_bytes": 64 << 20}
    with clickhouse_server(tmp_path_factory.mktemp("limited"), **limits) as limited:
        slow = limited.post(_SLOW)
        large = limited.post("SELECT number FROM numbers(10000000) FORMAT JSON")
        hungry = limited.post("SELECT length(groupArray(number)) FROM numbers(100000000)")

    assert ("159", 408) == (_code(slow), slow.status)
    assert "396" == _code(large)
    assert "241" == _code(hungry)


def test_statements_have_a_limit(server: ClickHouseServer) -> None:
    """Megabytes of SQL are refused; a long URL is not."""
    too_long = server.post(b"SELECT '" + b"x" * (5 << 20) + b"'")
    long_url = server.get("/?query=SELECT+length('" + "x" * 100_000 + "')")

    assert (413, "307") == (too_long.status, _code(too_long))
    assert b"100000\n" == long_url.body
