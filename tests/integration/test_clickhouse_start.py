"""What is in the way of a start is told in one sentence."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from agenttracer.collector.errors import StartError
from tests.clickhouse_server import clickhouse_server
from tests.clickhouse_store import exporting, make_exporter

OPEN_AND_WAIT = """
import sys, clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
print("open", flush=True)
sys.stdin.read()
client.close()
"""


def start_error(endpoint: str, **options: Any) -> str:
    """The sentence, which must be one, and name the exporter."""
    exporter = make_exporter(endpoint, **options)
    with pytest.raises(StartError) as raised:
        asyncio.run(exporter.start())
    asyncio.run(exporter.stop())
    assert raised.value.__suppress_context__
    sentence = str(raised.value)
    assert sentence.startswith("exporters::clickhouse")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_relative_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the folder that the collector was started in, which loading the engine leaves as it was."""
    monkeypatch.chdir(tmp_path)
    with exporting("chdb://./data/clickhouse") as store:
        assert str(tmp_path / "data" / "clickhouse") == store.exporter.options.folder
    assert (tmp_path / "data" / "clickhouse" / "store").is_dir()
    assert tmp_path == Path.cwd()


def test_stopping_is_safe_before_the_start_and_twice(tmp_path: Path) -> None:
    """As every component's."""
    exporter = make_exporter(f"chdb://{tmp_path}")

    async def live() -> None:
        await exporter.stop()
        await exporter.start()
        await exporter.stop()
        await exporter.stop()
        await exporter.start()
        await exporter.stop()

    asyncio.run(live())


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    """The path, the reason and what to do."""
    (tmp_path / "file").touch()
    assert (
        f"exporters::clickhouse can't write to {tmp_path}/file/store: Not a directory; "
        "make the folder writable, or change the endpoint." == start_error(f"chdb://{tmp_path}/file/store")
    )


def test_a_store_that_another_process_has_open(tmp_path: Path) -> None:
    """Who has it is another process, and what to do about it."""
    arguments = [sys.executable, "-c", OPEN_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sentence = start_error(f"chdb://{tmp_path}")
        process.communicate()
    assert (
        f"exporters::clickhouse can't open the store in {tmp_path}: another process has it open; "
        "stop that process, or ask it over its clickhouse_http extension." == sentence
    )
    with exporting(f"chdb://{tmp_path}"):
        pass


def test_a_second_store_in_one_process(tmp_path: Path) -> None:
    """The embedded engine has one folder a process."""
    with exporting(f"chdb://{tmp_path}/one"):
        assert "this process has another embedded store open" in start_error(f"chdb://{tmp_path}/two")


def test_a_database_is_made(tmp_path: Path) -> None:
    """As the Collector makes it."""
    with exporting(f"chdb://{tmp_path}", database="my db") as store:
        assert [("my db",)] == store.rows("SELECT currentDatabase()")


def test_a_database_that_is_missing_and_may_not_be_made(tmp_path: Path) -> None:
    """Without create_schema nothing is made."""
    assert (
        "exporters::clickhouse: ClickHouse has no database other; make it, or set create_schema: true."
        == start_error(f"chdb://{tmp_path}", database="other", create_schema=False)
    )


def test_tables_that_are_missing_and_may_not_be_made(tmp_path: Path) -> None:
    """Without create_schema, what is missing is named; once it is there, the start goes well."""
    sentence = start_error(f"chdb://{tmp_path}", create_schema=False)
    assert "the tables in default don't fit: missing: otel_traces, " in sentence
    assert "set create_schema: true" in sentence
    with exporting(f"chdb://{tmp_path}"):
        pass
    with exporting(f"chdb://{tmp_path}", create_schema=False):
        pass


def test_tables_that_another_exporter_made(tmp_path: Path) -> None:
    """They lack our columns, and are left as they are."""
    with closing(clickhouse_connect.get_client(interface="chdb", path=str(tmp_path))) as client:
        client.command("CREATE TABLE otel_logs (Body String) ENGINE = MergeTree ORDER BY Body")
    assert "the table otel_logs lacks Timestamp" in start_error(f"chdb://{tmp_path}")


def test_a_server_that_is_not_there() -> None:
    """The endpoint, and what it must be."""
    with socket.create_server(("localhost", 0)) as server:
        endpoint = f"http://localhost:{server.getsockname()[1]}"
    sentence = start_error(endpoint)
    assert f"exporters::clickhouse can't use ClickHouse at {endpoint}: no answer (" in sentence
    assert "; check that it runs and that the endpoint is its HTTP port." in sentence


def test_users_that_the_server_refuses(tmp_path: Path) -> None:
    """A wrong password, an unknown user and one that may only read."""
    with clickhouse_server(tmp_path) as server:
        wrong = start_error(server.endpoint, username="writer", password="secret")  # noqa: S106
        assert "the user or the password is wrong; set username and password" in wrong
        assert "secret" not in wrong
        assert "the user or the password is wrong" in start_error(server.endpoint, username="nobody")
        assert "the user may only read; set a user that writes" in start_error(server.endpoint)
