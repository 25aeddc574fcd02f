"""From options to an open store with its tables, or one sentence about what is in the way.

chdb://FOLDER   → make the folder → the engine, within its limits ─┐
http(s)://…     → handshake                                       ─┴→ database → migrations → client
"""

from __future__ import annotations

import errno
import os
import time
from itertools import count
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from agenttracer.collector.errors import StartError
from agenttracer.exporters.clickhouse.failures import code_of, describe
from agenttracer.exporters.clickhouse.options import ClickHouseOptions
from agenttracer.exporters.clickhouse.parts import keep_parts_cheap
from agenttracer.schemas.embedded_store import is_open
from agenttracer.schemas.migrate import Placement, SchemaError, apply, check

_CONNECT_SECONDS = 10
_UNKNOWN_TABLE = 60
_ATTEMPTS = 5
_ATTEMPT_SECONDS = 0.3
_MIB = 1 << 20
_UNKNOWN_DATABASE = 81
_CAUSES = {
    192: "the user is unknown; set username",
    193: "the password is wrong; set username and password",
    194: "the user needs a password; set username and password",
    497: "the user may not do this; grant it to the user, or make the tables yourself and set create_schema: false",
    516: "the user or the password is wrong; set username and password",
    164: "the user may only read; set a user that writes",
}


def open_store(options: ClickHouseOptions, who: str) -> Client:
    """A client whose database has every table; ``who`` begins the ``StartError``'s sentence."""
    if options.folder is not None:
        _make_folder(options.folder, who)
    client = _connect_to_database(options, who)
    try:
        _make_schema(client, options)
    except SchemaError as error:
        client.close()
        hint = "" if options.create_schema else "; set create_schema: true, or make them"
        raise StartError(f"{who}: the tables in {options.database} don't fit: {error}{hint}.") from None
    except ClickHouseError as error:
        client.close()
        raise StartError(f"{who} can't make its tables: {_cause(error)}.") from None
    return client


def _make_schema(client: Client, options: ClickHouseOptions) -> None:
    """Migrate and check. Every step may be repeated, and is: a view that another collector replaces, because it
    starts at the same time, is missing for a moment."""
    engine = options.table_engine
    for attempt in count(1):
        try:
            if options.create_schema:
                apply(client, Placement(options.cluster_name, engine.name, engine.params))
                if options.folder is not None:
                    keep_parts_cheap(client)
            check(client)
            return
        except (SchemaError, ClickHouseError) as error:
            passing = isinstance(error, SchemaError) or code_of(error) == _UNKNOWN_TABLE
            if not (passing and options.create_schema) or attempt == _ATTEMPTS:
                raise
        time.sleep(_ATTEMPT_SECONDS)


def _make_folder(folder: str, who: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise StartError(
            f"{who} can't write to {folder}: {error.strerror}; make the folder writable, or change the endpoint."
        ) from None


def _connect_to_database(options: ClickHouseOptions, who: str) -> Client:
    try:
        try:
            return _connect(options, options.database)
        except ClickHouseError as error:
            if code_of(error) != _UNKNOWN_DATABASE or not options.create_schema:
                raise
        with _connect(options, None) as client:
            name = options.database.replace("\\", "\\\\").replace("`", "\\`")
            client.command(f"CREATE DATABASE IF NOT EXISTS `{name}`" + on_cluster(options))
        return _connect(options, options.database)
    except ClickHouseError as error:
        if code_of(error) == _UNKNOWN_DATABASE:
            raise StartError(
                f"{who}: ClickHouse has no database {options.database}; make it, or set create_schema: true."
            ) from None
        if options.folder is not None:
            cause = _store_cause(options.folder, str(error))
            raise StartError(f"{who} can't open the store in {options.folder}: {cause}.") from None
        raise StartError(f"{who} can't use ClickHouse at {options.endpoint}: {_cause(error)}.") from None


def on_cluster(options: ClickHouseOptions) -> str:
    """Where a statement makes or drops something: nothing to say on one server."""
    return f" ON CLUSTER `{options.cluster_name}`" if options.cluster_name else ""


def _connect(options: ClickHouseOptions, database: str | None) -> Client:
    common: dict[str, Any] = {"database": database, "settings": dict(options.connection_params)}
    if options.folder is not None:
        limits = {
            "max_server_memory_usage": options.embedded.memory_limit_mib * _MIB,
            "background_pool_size": options.embedded.background_threads,
            # What is read again soon; the defaults are gigabytes.
            "mark_cache_size": 32 * _MIB,
            "index_mark_cache_size": 16 * _MIB,
            "primary_index_cache_size": 32 * _MIB,
            "query_condition_cache_size": 8 * _MIB,
            # A run's rows are in one part: found before the others are opened, in an eighth of the time.
            "use_skip_indexes_on_data_read": 0,
            # A third of an insert. The merge makes them; the few parts before it are read through as fast.
            "materialize_skip_indexes_on_insert": 0,
        }
        return clickhouse_connect.get_client(
            interface="chdb", path=options.folder, chdb_options=limits, **common
        )
    tls, password = options.tls, options.password.get_secret_value()
    return clickhouse_connect.get_client(
        interface=options.url.scheme,
        host=options.url.hostname,
        port=options.url.port or 0,
        username=options.username,
        password=password,
        compress=False if options.compress == "none" else options.compress,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=options.timeout,
        verify=not tls.insecure_skip_verify,
        ca_cert=tls.ca_file,
        client_cert=tls.cert_file,
        client_cert_key=tls.key_file,
        tls_mode="strict" if password else None,  # with a password, the certificate is the connection's alone
        client_name="agenttracer",
        autogenerate_session_id=False,  # pipelines insert at the same time
        **common,
    )


def _store_cause(folder: str, message: str) -> str:
    if "different path" in message:
        return "this process has another embedded store open, and can have only one"
    if is_open(folder):
        return "another process has it open; stop that process, or ask it over its clickhouse_http extension"
    return "the engine refused the folder; choose an empty one, or the store of a collector of this version"


def _cause(error: Exception) -> str:
    code = code_of(error)
    if code is None:
        return f"{describe(error)}; check that it runs and that the endpoint is its HTTP port"
    return _CAUSES.get(code, describe(error))
