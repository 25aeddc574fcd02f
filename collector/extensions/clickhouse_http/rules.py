"""What a statement may do: the store is served and nothing else, and a reader only reads.

Writing is refused by the engine itself (``readonly = 1``), and with it every table function that opens
something. What the embedded engine does not refuse, because it takes its user for the owner of the process,
is refused here: files as tables (``FROM '/etc/passwd'``) and as values (``file('/etc/passwd')``),
INTO OUTFILE, INFILE, and settings that open files, call services, carry SQL or switch the parser.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.statement import Statement

_OWN_SOURCES = re.compile(
    r"(shared|replicated)?\w*mergetree|(tiny|stripe)?log|mergetree\w+|timeseries\w*|prometheusquery\w*|"
    r"atomic|ordinary|replicated|memory|set|join|buffer|null|view|materializedview|alias|distributed|"
    r"viewifpermitted|values|sqlstandardvalues|numbers|numbers_mt|zeros|zeros_mt|primes|generaterandom|"
    r"generateseries|generate_series|merge|dictionary|format|fuzzjson|fuzzquery"
)
"""Table functions and engines that stay inside the store. One that a later engine adds is refused."""

_SCALARS_OUTSIDE = ("file", "hascolumnintable")
"""Functions: one reads a file; the other takes a file's path for a table's name."""

_LOCKED = re.compile(
    r"readonly|profile|allow_ddl|allow_introspection_functions|format_display_secrets_in_show_and_select|"
    r"dialect|\w+_dialect|implicit_select|implicit_table_at_top_level|"
    r"additional_(table_filters|result_filter)|parallel_replicas_custom_key|select|order|sort|filter|"
    r"format_schema|format_schema_source|output_format_schema|format_template_(row|resultset)|"
    r"input_format_record_errors_file_path|rename_files_after_processing|into_outfile_\w+|"
    r"format_avro_schema_registry_\w+|url_base|s3_base|s3_allow_server_credentials_\w+|dynamic_disk_allow_\w+|"
    r"ai_\w+|allow_experimental_ai_functions|allow_experimental_eval_table_function|allow_python_table_function"
)

_READING = frozenset(("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS", "CHECK", "USE", "SET"))
_DEADLY = ("SHUTDOWN", "KILL", "SUSPEND", "FAILPOINT")
_GLOB = re.compile(rb"[*?{]")


def sources_outside(names: Iterable[str]) -> frozenset[str]:
    """Those of the engine's table functions, engines and dictionary sources that leave the store."""
    lower = {"disk", *(name.lower() for name in names)}  # a table's own disk may lie anywhere
    return frozenset(name for name in lower if not _OWN_SOURCES.fullmatch(name))


def check(
    statement: Statement, parameters: Iterable[str], outside: frozenset[str], *, is_readonly: bool
) -> None:
    """Raise ``DatabaseError`` if the statement leaves the store, or writes though it may not."""
    if statement.has("INTO", "OUTFILE"):
        raise DatabaseError(358, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE is not allowed")
    if statement.has("FROM", "INFILE"):
        raise DatabaseError(78, "UNKNOWN_TYPE_OF_QUERY", "INSERT FROM INFILE is not allowed over HTTP")
    if statement.verb == "SYSTEM" and any(statement.has("SYSTEM", word) for word in _DEADLY):
        raise _denied("it would stop the process that the engine is part of")
    _check_names(statement, outside)
    if statement.has("Identifier") and any(
        names_a_file(value.encode("utf-8", "surrogateescape")) for value in parameters
    ):
        raise _denied("files are not tables here")
    if is_readonly and statement.verb not in _READING:
        raise DatabaseError(164, "READONLY", "Cannot execute query in readonly mode")


def _check_names(statement: Statement, outside: frozenset[str]) -> None:
    brings_data = statement.verb == "INSERT" and not statement.has("SELECT")
    for at, name in statement.names():
        lower, before, after = name.lower(), statement.text(at - 1), statement.text(at + 1)
        is_engine = before == "=" and statement.text(at - 2) == "ENGINE"
        if lower in outside and (after == "(" or is_engine):
            raise _denied(f"{lower} reaches outside the store")
        # A function's name may stand without brackets, as in APPLY and arrayMap; the parser never quotes it.
        is_scalar = statement.tokens[at][0] == "word" and before != "." and not brings_data
        if lower in _SCALARS_OUTSIDE and is_scalar:
            raise _denied(f"{lower} reaches outside the store; for a column of that name write table.{lower}")
        if names_a_file(name.encode("utf-8", "surrogateescape")):
            raise _denied("files are not tables here")


def names_a_file(name: bytes) -> bool:
    """Whether the engine would find a file, or a pattern of files, under a table's name.

    The embedded engine looks for a table among files too, relative to where the process runs.
    """
    path = name.partition(b"::")[0].strip()  # archive.zip :: member
    glob = _GLOB.search(path)
    try:
        if glob is None:
            return os.path.isfile(path)
        folder, beginning = os.path.split(path[: glob.start()])
        return any(entry.startswith(beginning) for entry in os.listdir(folder or b"."))
    except (OSError, ValueError):
        return False


def check_setting(name: str) -> None:
    """Raise ``DatabaseError`` if no client may change the setting."""
    if name == "readonly":
        raise DatabaseError(164, "READONLY", "Cannot modify 'readonly' setting in readonly mode")
    if _LOCKED.fullmatch(name):
        message = f"Setting {name} should not be changed"
        raise DatabaseError(452, "SETTING_CONSTRAINT_VIOLATION", message)


def check_limits(limits: Mapping[str, float], literals: Mapping[str, str]) -> None:
    """Raise ``DatabaseError`` if a statement sets one of the limits higher than it is."""
    for name, limit in limits.items():
        if name in literals and _lower(literals[name], limit) != literals[name]:
            message = f"Setting {name} shouldn't be greater than {limit}"
            raise DatabaseError(452, "SETTING_CONSTRAINT_VIOLATION", message)


def within(limits: Mapping[str, float], literals: Mapping[str, str]) -> dict[str, str]:
    """The settings, SQL literals, with every limit among them: clients send theirs as a matter of course."""
    return {**literals, **{name: _lower(literals.get(name, "0"), limit) for name, limit in limits.items()}}


def _lower(value: str, limit: float) -> str:
    try:
        return value if 0 < float(value.strip("'")) <= limit else str(limit)
    except ValueError:
        return value  # the engine has a better message


def learns_settings(statement: Statement) -> bool:
    """Whether this only lists ``system.settings``.

    Clients look there for whether they may send settings; under ``readonly = 1`` all say no. Without a
    bracket nothing is called, and without a SETTINGS clause nothing changes: ``readonly = 2`` is as safe.
    """
    texts = [text for kind, text in statement.tokens if kind != "string"]
    return (
        statement.verb == "SELECT"
        and "SETTINGS" not in texts
        and not {"(", "{", "["}.intersection(texts)
        and any(texts[at : at + 3] == ["system", ".", "settings"] for at in range(len(texts)))
    )


def _denied(why: str) -> DatabaseError:
    return DatabaseError(497, "ACCESS_DENIED", f"Not enough privileges: {why}")
