"""``clickhouse_http`` in the process that embeds the engine: starting, what is in the way, stopping."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import clickhouse_connect
import pytest
from pydantic import ValidationError

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.clickhouse_http import ClickHouseHttp, ClickHouseHttpOptions
from agenttracer.collector.extensions.clickhouse_http.engine import Engine
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.telemetry import Telemetry
from tests.clickhouse_server import USERS, clickhouse_server

_WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": "let-me-write"}


def _extension(path: Path | str, telemetry: Telemetry | None = None, **options: Any) -> ClickHouseHttp:
    given = {"endpoint": "localhost:0", "path": str(path), "users": USERS, **options}
    context = Context("clickhouse_http", telemetry or Telemetry())
    return ClickHouseHttp(ClickHouseHttpOptions.model_validate(given), context)


def _start_error(extension: ClickHouseHttp) -> str:
    """The sentence with which it does not start; it can be stopped all the same."""

    async def start() -> str:
        try:
            with pytest.raises(StartError) as raised:
                await extension.start()
            return str(raised.value)
        finally:
            await extension.stop()

    return asyncio.run(start())


async def _post(port: int, sql: str, headers: Mapping[str, str] = _WRITER) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://localhost:{port}/", data=sql.encode(), headers=headers) as response,
    ):
        return await response.text()


@pytest.mark.parametrize("form", ["{}", "chdb://{}", "{}/../store/"])
def test_it_shares_the_store_with_the_rest_of_the_process(tmp_path: Path, form: str) -> None:
    """An embedded client and HTTP see each other's rows; the path may be a folder or an endpoint."""

    async def serve() -> str:
        extension = _extension(form.format(tmp_path / "store"))
        await extension.start()
        try:
            with clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/store") as embedded:
                embedded.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
                await _post(extension.port, "INSERT INTO t VALUES (1), (2)")
                embedded.command("INSERT INTO t VALUES (3)")
                assert 3 == embedded.command("SELECT count() FROM t")
                return await _post(extension.port, "SELECT sum(n) FROM t", {})
        finally:
            await extension.stop()

    assert "6\n" == asyncio.run(serve())


def test_queries_leave_the_event_loop_alone(tmp_path: Path) -> None:
    """While the engine works, the loop's ticks come on time."""

    async def serve() -> tuple[str, float]:
        extension = _extension(tmp_path)
        await extension.start()
        try:
            loop, gap = asyncio.get_running_loop(), 0.0
            query = asyncio.create_task(
                _post(extension.port, "SELECT sleep(0.5), count() FROM numbers(1000)")
            )
            while not query.done():
                before = loop.time()
                await asyncio.sleep(0.01)
                gap = max(gap, loop.time() - before)
            return await query, gap
        finally:
            await extension.stop()

    answer, gap = asyncio.run(serve())

    assert answer.endswith("1000\n")
    assert gap < 0.4


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """It names the endpoint and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        sentence = _start_error(_extension(tmp_path, endpoint=endpoint))

    assert f"clickhouse_http can't listen on {endpoint}: the port is in use" in sentence


def test_a_store_of_another_process_is_one_sentence(tmp_path: Path) -> None:
    """It names the folder and what to do; the other process is not disturbed."""
    with clickhouse_server(tmp_path) as other:
        sentence = _start_error(_extension(tmp_path))
        assert b"1\n" == other.post("SELECT 1").body

    assert (
        f"clickhouse_http can't open the store in {tmp_path}: "
        "another process has it open; stop that process, or set another path."
    ) == sentence


def test_a_second_store_in_the_process_is_one_sentence(tmp_path: Path) -> None:
    """The engine has one folder a process."""
    with clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/one"):
        sentence = _start_error(_extension(tmp_path / "two"))

    assert "this process has another store open; give the same path as the clickhouse exporter's" in sentence


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """Such as one inside a file."""
    (tmp_path / "file").write_text("")

    assert "make the folder writable, or set another path" in _start_error(
        _extension(tmp_path / "file" / "store")
    )


def test_stop_is_harmless_before_start_and_twice(tmp_path: Path) -> None:
    """And after it the port and the folder are free."""

    async def start_and_stop() -> int:
        extension = _extension(tmp_path)
        await extension.stop()
        await extension.start()
        await _post(extension.port, "SELECT 1")
        await extension.stop()
        await extension.stop()
        return extension.port

    port = asyncio.run(start_and_stop())

    socket.create_server(("127.0.0.1", port)).close()
    with clickhouse_server(tmp_path):
        pass


def test_stop_does_not_wait_for_queries(tmp_path: Path) -> None:
    """What runs is cancelled, sessions with their temporary tables are closed."""

    async def serve() -> float:
        extension = _extension(tmp_path)
        await extension.start()
        loop = asyncio.get_running_loop()
        slow = "SELECT sum(sleepEachRow(0.1)) FROM numbers(300) SETTINGS max_block_size = 1"
        query = asyncio.create_task(_post(extension.port, slow))
        await asyncio.sleep(0.5)
        started = loop.time()
        await extension.stop()
        seconds = loop.time() - started
        await asyncio.gather(query, return_exceptions=True)
        return seconds

    assert asyncio.run(serve()) < 5


def test_nothing_of_a_query_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither text nor rows nor errors, at any level."""

    async def serve() -> None:
        extension = _extension(tmp_path)
        await extension.start()
        try:
            await _post(extension.port, "SELECT 'canary-1'")
            await _post(extension.port, "SELECT canary_2")
            await _post(extension.port, "CREATE TABLE t (n UInt8) ENGINE = Memory")
            await _post(extension.port, "INSERT INTO t FORMAT CSV\ncanary-3\n")
        finally:
            await extension.stop()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(serve())

    assert "code 47" in caplog.text
    assert "canary" not in caplog.text


def test_a_bug_is_counted_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets ClickHouse's code for the unexpected; the log has the place, not the message."""
    telemetry = Telemetry()
    content = "canary"

    def fail(*_: object) -> None:
        raise KeyError(content)

    async def serve() -> str:
        extension = _extension(tmp_path, telemetry)
        await extension.start()
        try:
            monkeypatch.setattr(Engine, "connect", fail)
            return await _post(extension.port, "SELECT 1")
        finally:
            monkeypatch.undo()
            await extension.stop()

    answer = asyncio.run(serve())
    labels = {"component": "clickhouse_http"}

    assert answer.startswith("Code: 1002. DB::Exception: ")
    assert 1 == telemetry.registry.get_sample_value("agenttracer_component_errors_total", labels)
    assert "KeyError" in caplog.text
    assert content not in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"users": {"writer": {"readonly": False}}}, "a user that is not readonly must have a password"),
        ({"endpoint": "0.0.0.0:8123"}, "the user default needs a password"),
        ({"endpoint": "8123"}, "must be host:port"),
        ({"max_query_seconds": "0s"}, "greater than 0"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_unsafe_options_are_refused(options: Mapping[str, Any], message: str) -> None:
    """Writing without a password, and reading without one from other machines."""
    with pytest.raises(ValidationError, match=message):
        ClickHouseHttpOptions.model_validate(options)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine(str(tmp_path_factory.mktemp("engine")), "test")
    opened.load()
    opened.open()
    handle = opened.connect()
    handle.query(b"CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n", "TSV")
    handle.close()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT 1",
        "CREATE TABLE z (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE z (a Int8)",
        "ATTACH TABLE z",
        "DROP TABLE t",
        "ALTER TABLE t DELETE WHERE 1",
        "OPTIMIZE TABLE t",
        "SYSTEM FLUSH LOGS",
        "SET readonly = 0",
        "SET max_threads = 1",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM (SELECT * FROM file('/etc/passwd', LineAsString) SETTINGS readonly = 0)",
        "SELECT * FROM url('http://localhost:1/', CSV, 'a Int8')",
        "SELECT * FROM s3('http://bucket.localhost:1/x.csv', CSV, 'a Int8')",
        "SELECT * FROM remote('localhost:1', system.one)",
        "SELECT * FROM executable('x', CSV, 'a Int8')",
        "SELECT * FROM loop(t)",
    ],
)
def test_the_engine_itself_keeps_readers_from_writing(engine: Engine, sql: str) -> None:
    """With ``readonly = 1`` on its handle, before any rule of ours: the rules only add to it."""
    handle = engine.connect()
    handle.set({"readonly": "1"})
    with pytest.raises(DatabaseError) as raised:
        handle.query(sql.encode(), "TSV")
    handle.close()

    assert (164, "READONLY") == (raised.value.code, raised.value.name)


def test_the_engine_itself_refuses_a_readers_data(engine: Engine) -> None:
    """An INSERT whose data follow, too."""
    handle = engine.connect()
    handle.set({"readonly": "1"})
    with pytest.raises(DatabaseError) as raised:
        handle.insert(b"INSERT INTO t (n)", "CSV").append(b"1\n")
    handle.close()

    assert 164 == raised.value.code
