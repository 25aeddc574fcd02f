"""clickhouse-connect against the ``clickhouse_http`` extension: what works with a server works with it."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pandas
import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, StreamFailureError

from tests.clickhouse_server import ClickHouseServer, clickhouse_server

_COLUMNS = (
    "id UInt64, name LowCardinality(String), attributes Map(LowCardinality(String), String), "
    "at DateTime64(9), cost Nullable(Float64), tags Array(String)"
)
_ROWS: list[list[Any]] = [
    [1, "plan", {"a": "1"}, datetime.datetime(2025, 1, 31, 12), 0.5, ["x", "y"]],
    [2, "größe", {}, datetime.datetime(2025, 1, 31, 13), None, []],
]
_NAMES = ["id", "name", "attributes", "at", "cost", "tags"]
_SELECTS = (
    "SELECT 1, -1, 255::UInt8, 18446744073709551615, 1.5::Float32, nan, 'it''s', NULL",
    "SELECT toDate('2025-01-31'), toDateTime('2025-01-31 12:00:00', 'UTC')",
    "SELECT toDateTime64('2025-01-31 12:00:00.123456', 6, 'UTC'), toDate32('1950-01-31')",
    "SELECT toDecimal64(1.25, 4), generateUUIDv4() = generateUUIDv4(), toUUID('123e4567-e89b-12d3-a456-426614174000')",
    "SELECT [1, 2], [[1], []], (1, 'a'), map('k', [1, 2]), CAST('a' AS Enum8('a' = 1)), toIPv4('1.2.3.4')",
    "SELECT toLowCardinality('x'), CAST(NULL AS Nullable(String)), toFixedString('ab', 3), true",
    "SELECT number, toString(number), number % 2 = 0 FROM numbers(100000)",
    "WITH 5 AS n SELECT arrayJoin(range(n)) AS x ORDER BY x DESC LIMIT 2",
    "SELECT number FROM numbers(10) WHERE number > 100",
    "SELECT quantile(0.5)(number), count(), sum(number) FROM numbers(1000) SETTINGS max_threads = 1",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with clickhouse_server(tmp_path_factory.mktemp("store")) as started:
        yield started


@pytest.fixture
def reader(server: ClickHouseServer) -> Iterator[Client]:
    with clickhouse_connect.get_client(**server.reader) as client:
        yield client


@pytest.fixture
def writer(server: ClickHouseServer) -> Iterator[Client]:
    with clickhouse_connect.get_client(**server.writer) as client:
        yield client


@pytest.fixture
def table(writer: Client, request: pytest.FixtureRequest) -> str:
    """A table of its own for a test, with a window in which inserts are deduplicated."""
    name = "t_" + "".join(c if c.isalnum() else "_" for c in request.node.name)
    engine = "MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"
    writer.command(f"CREATE TABLE {name} ({_COLUMNS}) ENGINE = {engine}")
    return name


@pytest.mark.parametrize("sql", _SELECTS)
def test_answers_are_those_of_the_engine(reader: Client, sql: str) -> None:
    """Every type arrives over HTTP as the embedded client reads it."""
    with clickhouse_connect.get_client(dsn="chdb://memory") as embedded:
        expected = embedded.query(sql)
    actual = reader.query(sql)

    assert expected.column_names == actual.column_names
    assert repr(expected.column_types) == repr(actual.column_types)
    assert repr(expected.result_rows) == repr(actual.result_rows)


def test_parameters_are_bound_by_the_engine(reader: Client) -> None:
    """``{name:Type}`` takes values of every shape, quotes and all."""
    values = {"n": 7, "s": "it's a \\ tab\tand\nline", "a": ["x", "y'z"], "d": Decimal("1.25")}
    sql = "SELECT {n:UInt8}, {s:String}, {a:Array(String)}, {d:Decimal(9, 2)}"

    assert [(7, values["s"], ["x", "y'z"], Decimal("1.25"))] == reader.query(sql, values).result_rows


def test_identifiers_are_bound_by_the_engine(reader: Client) -> None:
    """``{name:Identifier}`` names a table."""
    actual = reader.query("SELECT count() FROM system.{t:Identifier}", {"t": "one"}).result_rows

    assert [(1,)] == actual


def test_long_parameters_travel_as_a_form(server: ClickHouseServer) -> None:
    """``form_encode_query_params`` sends query and parameters as multipart form data."""
    with clickhouse_connect.get_client(**server.reader, form_encode_query_params=True) as client:
        actual = client.query("SELECT length({s:String})", {"s": "x" * 500_000}).result_rows

    assert [(500_000,)] == actual


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_compression_works_both_ways(server: ClickHouseServer, table: str, compress: Any) -> None:
    """What is inserted compressed comes back compressed, and the same."""
    with clickhouse_connect.get_client(**server.writer, compress=compress) as client:
        client.insert(table, _ROWS, _NAMES)
        client.insert(table, [[n, "x" * 50, {}, _ROWS[0][3], None, []] for n in range(3, 50_000)], _NAMES)

        assert compress == (client.compression or False)
        assert _ROWS == [list(row) for row in client.query(f"SELECT * FROM {table} WHERE id < 3").result_rows]
        assert [(49_999, 50)] == client.query(f"SELECT count(), max(length(name)) FROM {table}").result_rows


def test_inserts_say_how_much_they_wrote(writer: Client, table: str) -> None:
    """The summary counts rows; the query's id is the client's own."""
    summary = writer.insert(table, _ROWS, _NAMES, settings={"query_id": "my-insert"})

    assert 2 == summary.written_rows
    assert "my-insert" == summary.query_id()


def test_arrow_goes_in_and_comes_out(writer: Client, table: str) -> None:
    """``insert_arrow`` and ``query_arrow`` carry columns without a detour."""
    columns = pyarrow.table({"id": pyarrow.array(range(1000), pyarrow.uint64()), "name": ["n"] * 1000})
    writer.insert_arrow(table, columns)
    actual = writer.query_arrow(f"SELECT id, name FROM {table} ORDER BY id", use_strings=True)

    assert columns["id"].to_pylist() == actual["id"].to_pylist()
    assert {"n"} == set(actual["name"].to_pylist())


def test_data_frames_go_in_and_come_out(writer: Client, table: str) -> None:
    """``insert_df`` and ``query_df`` too."""
    writer.insert_df(table, pandas.DataFrame({"id": [1, 2], "name": ["a", "b"]}))

    assert ["a", "b"] == list(writer.query_df(f"SELECT name FROM {table} ORDER BY id")["name"])


def _arrow_stream(columns: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, columns.schema) as stream:
        stream.write_table(columns)
    return sink.getvalue()


def _parquet(columns: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(columns, sink)
    return sink.getvalue()


_PAIR = pyarrow.table({"id": pyarrow.array([1, 2], pyarrow.uint64()), "name": ["a", "b"]})


@pytest.mark.parametrize(
    ("input_format", "data"),
    [
        ("JSONEachRow", b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n'),
        ("CSV", b'1,"a"\n2,"b"\n'),
        ("CSVWithNames", b"name,id\na,1\nb,2\n"),
        ("TabSeparated", b"1\ta\n2\tb\n"),
        ("RowBinary", b"\x01" + bytes(7) + b"\x01a\x02" + bytes(7) + b"\x01b"),
        ("Values", b"(1, 'a'), (2, 'b')"),
        ("ArrowStream", _arrow_stream(_PAIR)),
        ("Parquet", _parquet(_PAIR)),
    ],
)
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_every_format_can_be_inserted(
    writer: Client, table: str, input_format: str, data: bytes, compression: str | None
) -> None:
    """``raw_insert`` sends the statement before the data, or in the URL when they are compressed."""
    block = gzip.compress(data) if compression else data
    writer.raw_insert(table, ["id", "name"], block, fmt=input_format, compression=compression)
    actual = writer.query(f"SELECT id, name FROM {table} ORDER BY id").result_rows

    assert [(1, "a"), (2, "b")] == actual


def test_a_token_makes_repeating_harmless(writer: Client, table: str) -> None:
    """The same ``insert_deduplication_token`` stores rows once, whatever the settings beside it."""
    columns = pyarrow.table({"id": pyarrow.array(range(5000), pyarrow.uint64())})
    for token in ("batch-1", "batch-1", "batch-2"):
        settings = {"insert_deduplication_token": token, "async_insert": 0}
        writer.insert_arrow(table, columns, settings=settings)

    assert 10_000 == writer.command(f"SELECT count() FROM {table}")


def test_a_broken_insert_stores_nothing(writer: Client, table: str) -> None:
    """Rows before a row that can't be read are not stored either."""
    with pytest.raises(DatabaseError) as raised:
        writer.raw_insert(table, ["id"], b"1\n2\nthree\n", fmt="CSV")

    assert 117 == raised.value.code
    assert 0 == writer.command(f"SELECT count() FROM {table}")


def test_statements_without_data_work(writer: Client, table: str) -> None:
    """INSERT SELECT, INSERT VALUES, ALTER, and a view that is filled by an insert."""
    writer.command(f"CREATE TABLE {table}_sum (n UInt64) ENGINE = SummingMergeTree ORDER BY tuple()")
    writer.command(f"CREATE MATERIALIZED VIEW {table}_view TO {table}_sum AS SELECT id AS n FROM {table}")
    writer.command(f"INSERT INTO {table} (id, name) VALUES (1, 'a'), (2, 'b;c')")
    writer.command(f"INSERT INTO {table} (id, name) SELECT number + 10, 'n' FROM numbers(5)")
    writer.command(f"ALTER TABLE {table} ADD COLUMN more String DEFAULT 'd'")

    assert [(7, "d")] == writer.query(f"SELECT count(), any(more) FROM {table}").result_rows
    assert 63 == writer.command(f"SELECT sum(n) FROM {table}_sum")
    assert "" == writer.command("SELECT '' WHERE 0")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM no_such_table", 60),
        ("SELECT no_such_column", 47),
        ("SELECT no_such_function(1)", 46),
        ("SELEKT 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT throwIf(1)", 395),
        ("SELECT 1 SETTINGS no_such_setting = 1", 115),
    ],
)
def test_errors_have_their_codes(reader: Client, sql: str, code: int) -> None:
    """What the engine refuses is a ``DatabaseError`` with ClickHouse's number."""
    with pytest.raises(DatabaseError) as raised:
        reader.query(sql)

    assert code == raised.value.code
    assert str(raised.value).count("DB::Exception") == 1


def test_an_error_in_the_midst_of_a_stream_is_raised(reader: Client) -> None:
    """Rows that came before it are no whole answer."""
    sql = "SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1"
    seen: list[int] = []
    with pytest.raises(StreamFailureError) as raised, reader.query_row_block_stream(sql) as blocks:
        seen.extend(len(block) for block in blocks)

    assert 395 == raised.value.code
    assert 0 < sum(seen) <= 900_000


def test_settings_come_with_a_query(reader: Client) -> None:
    """In the call or in the statement, for a reader too."""
    assert 3 == reader.command("SELECT getSetting('max_threads')", settings={"max_threads": 3})
    assert 4 == reader.command("SELECT getSetting('max_threads') SETTINGS max_threads = 4")


def test_a_session_remembers(reader: Client, writer: Client) -> None:
    """SET, USE and temporary tables last as long as the client."""
    reader.command("SET max_block_size = 777")
    reader.command("USE system")
    writer.command("CREATE TEMPORARY TABLE mine (n UInt8) ENGINE = Memory")
    writer.insert("mine", [[5]], ["n"])

    assert (777, "system") == reader.query("SELECT getSetting('max_block_size'), currentDatabase()").first_row
    assert 5 == writer.command("SELECT n FROM mine", settings={"max_threads": 1})
    with pytest.raises(DatabaseError):
        reader.query("SELECT n FROM mine")


def test_queries_run_side_by_side(server: ClickHouseServer) -> None:
    """Eight clients at once, none waits for another's sleep."""

    def ask(number: int) -> int:
        with clickhouse_connect.get_client(**server.reader) as client:
            return int(client.command(f"SELECT {number} + sleep(0.3)"))

    with ThreadPoolExecutor(8) as threads:
        started = datetime.datetime.now()
        actual = list(threads.map(ask, range(8)))
        seconds = (datetime.datetime.now() - started).total_seconds()

    assert list(range(8)) == actual
    assert seconds < 8 * 0.3


def test_a_stream_is_never_whole_in_memory(server: ClickHouseServer, reader: Client) -> None:
    """A million rows, 200 MB, pass through the server, whose memory grows by a few blocks."""
    before, peak, rows = server.resident_bytes(), 0, 0
    sql = "SELECT number, repeat('x', 200) FROM numbers(1000000)"
    with reader.query_column_block_stream(sql) as blocks:
        for block in blocks:
            rows += len(block[0])
            peak = max(peak, server.resident_bytes())

    assert 1_000_000 == rows
    assert peak - before < 120 << 20


def test_the_asynchronous_client_works_too(server: ClickHouseServer, table: str) -> None:
    """``get_async_client``: queries, inserts, errors, concurrently."""

    async def ask() -> tuple[list[Any], int]:
        client = await clickhouse_connect.get_async_client(**server.writer, autogenerate_session_id=False)
        try:
            await client.insert(table, _ROWS, _NAMES)
            queries = (client.query(f"SELECT {n}, count() FROM {table}") for n in range(4))
            rows = [(await_result).result_rows for await_result in await asyncio.gather(*queries)]
            with pytest.raises(DatabaseError) as raised:
                await client.query("SELECT * FROM no_such_table")
            return rows, raised.value.code or 0
        finally:
            await client.close()

    assert ([[(n, 2)] for n in range(4)], 60) == asyncio.run(ask())


def test_a_killed_server_loses_nothing_it_confirmed(tmp_path: Path) -> None:
    """SIGKILL right after an insert; the rows are there when the server is back."""
    with clickhouse_server(tmp_path / "store") as server:
        with clickhouse_connect.get_client(**server.writer) as client:
            client.command("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
            client.insert("t", [[n] for n in range(1000)], ["n"])
        server.kill()
        with pytest.raises(OperationalError):
            clickhouse_connect.get_client(**server.reader)
        server.restart()
        with clickhouse_connect.get_client(**server.reader) as client:
            assert 1000 == client.command("SELECT count() FROM t")
