"""A ClickHouse to ask, found where the collector's configuration puts it.

chdb://FOLDER  ─┬─ no process has it open  → the engine, in this process
                └─ a collector has it open → its clickhouse_http extension, if that serves this very folder
http(s)://…    ──────────────────────────── → the server
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.errors import StartError
from agenttracer.collector.folding.reading import AS_ARROW
from agenttracer.schemas.embedded_store import is_open

_EMBEDDED = "chdb://"
_HTTP_ENDPOINT = "localhost:8123"
_CONNECT_SECONDS = 5
_STORE_PATH = "SELECT value FROM system.server_settings WHERE name = 'path'"
_CAUSES = {
    60: "it has no tables of AgentTracer's yet; a collector makes them when it starts",
    81: "it has no such database; set --database",
    **dict.fromkeys(
        (192, 193, 194, 516), "the user or the password is wrong; set CLICKHOUSE_USER and CLICKHOUSE_PASSWORD"
    ),
    164: "it is served for reading only; stop the collector that has it open, or give CLICKHOUSE_USER and "
    "CLICKHOUSE_PASSWORD of a user that may write (clickhouse_http::users, readonly: false)",
    497: "the user may not do that; grant SELECT on the tables to the user, and ALTER to one that reprices",
}


class Store:
    """Rows by SQL, with parameters only."""

    def __init__(self, client: Client, where: str, *, is_shared: bool) -> None:
        self._client = client
        self._where = where
        self.is_shared = is_shared
        """Whether a collector can write while this is open: not so when this process holds the engine."""

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows, by column; raises ``StartError``."""
        try:
            return [dict(row) for row in self._client.query(sql, parameters=dict(parameters)).named_results()]
        except (ClickHouseError, OSError) as error:
            raise _cannot_ask(self._where, error) from None

    def arrow(self, sql: str) -> pa.Table:
        """The rows as columns; raises ``StartError``."""
        try:
            rows: pa.Table = self._client.query_arrow(sql, settings=AS_ARROW)
        except (ClickHouseError, OSError) as error:
            raise _cannot_ask(self._where, error) from None
        return rows

    def insert(self, table: str, rows: pa.Table) -> None:
        """Durable on return; rows that were inserted before are inserted again. Raises ``StartError``."""
        anew = {"insert_deduplication_token": uuid4().hex, "wait_end_of_query": 1}
        try:
            self._client.insert_arrow(table, rows, settings=anew)
        except (ClickHouseError, OSError) as error:
            raise _cannot_ask(self._where, error) from None

    def run(self, sql: str) -> None:
        """Run one statement that changes rows; raises ``StartError``."""
        try:
            self._client.command(sql)
        except (ClickHouseError, OSError) as error:
            raise _cannot_ask(self._where, error) from None


@contextmanager
def open_store(endpoint: str | None, database: str) -> Iterator[Store]:
    """The store at an endpoint, or where AGENTTRACER_CLICKHOUSE_ENDPOINT and AGENTTRACER_DATA_DIR say it is."""
    # What it would log is said here in one sentence, or quotes rows.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    endpoint = endpoint or default_endpoint()
    if endpoint.startswith(_EMBEDDED):
        client, where, is_shared = _open_folder(_folder_of(endpoint), database)
    else:
        client, where, is_shared = _open_server(endpoint, database), endpoint, True
    with client:
        yield Store(client, where, is_shared=is_shared)


def default_endpoint() -> str:
    """What the shipped configuration gives the clickhouse exporter."""
    folder = os.environ.get("AGENTTRACER_DATA_DIR") or "./data"
    return os.environ.get("AGENTTRACER_CLICKHOUSE_ENDPOINT") or f"{_EMBEDDED}{folder}/clickhouse"


def _folder_of(endpoint: str) -> str:
    return os.path.realpath(os.path.expanduser(endpoint.removeprefix(_EMBEDDED)))


def _open_folder(folder: str, database: str) -> tuple[Client, str, bool]:
    if not os.path.isdir(folder):
        # The engine would make it.
        raise StartError(
            f"there is no store in {folder}: start a collector, or say where the store is with --endpoint"
        )
    if is_open(folder):
        return _open_collector(folder, database)
    try:
        client = clickhouse_connect.get_client(interface="chdb", path=folder, database=database)
    except (ClickHouseError, OSError) as error:
        raise _cannot_ask(folder, error) from None
    return client, folder, False


def _open_collector(folder: str, database: str) -> tuple[Client, str, bool]:
    """The extension of the collector that has the folder open."""
    endpoint = os.environ.get("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT") or _HTTP_ENDPOINT
    if "://" not in endpoint:
        endpoint = f"http://{endpoint}"
    found = "nothing answers"
    try:
        client = _connect(endpoint, database)
        if os.path.realpath(str(client.command(_STORE_PATH))) == folder:
            return client, endpoint, True
        client.close()
        found = "another store is served"
    except (ClickHouseError, OSError) as error:
        if _code_of(error):
            raise _cannot_ask(endpoint, error) from None
    raise StartError(
        f"a running collector has the store in {folder} open, and {found} at {endpoint}: list clickhouse_http "
        "in its service::extensions, and set AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT if it listens elsewhere"
    )


def _open_server(endpoint: str, database: str) -> Client:
    try:
        return _connect(endpoint, database)
    except (ClickHouseError, OSError) as error:
        raise _cannot_ask(endpoint, error) from None


def _connect(endpoint: str, database: str) -> Client:
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise StartError("--endpoint must be chdb://FOLDER, http://host:port or https://host:port")
    return clickhouse_connect.get_client(
        interface=url.scheme,
        host=url.hostname,
        port=url.port or 0,
        username=os.environ.get("CLICKHOUSE_USER") or "default",
        password=os.environ.get("CLICKHOUSE_PASSWORD") or "",
        database=database,
        connect_timeout=_CONNECT_SECONDS,
        client_name="agenttracer",
        autogenerate_session_id=False,
    )


def _code_of(error: Exception) -> int:
    """ClickHouse's number of the error, 0 if no ClickHouse answered."""
    return int(getattr(error, "code", None) or 0)


def _cannot_ask(where: str, error: Exception) -> StartError:
    code = _code_of(error)
    cause = _CAUSES.get(code) or (f"ClickHouse's error {code}" if code else "no answer; is it running?")
    return StartError(f"the store at {where} can't be asked: {cause}")
