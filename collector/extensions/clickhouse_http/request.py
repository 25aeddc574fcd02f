"""An HTTP request as ClickHouse understands it: who asks, the query, its parameters and settings.

POST /?user=reader&database=default&param_n=5&max_threads=2      X-ClickHouse-User, -Key, -Database, -Format

SELECT … WHERE n = {n:UInt8}
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from agenttracer.collector.extensions.clickhouse_http import session
from agenttracer.collector.extensions.clickhouse_http.encoding import Decoder, decoder
from agenttracer.collector.extensions.clickhouse_http.engine import MAX_STATEMENT_BYTES
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.framing import FrameDecoder
from agenttracer.collector.extensions.clickhouse_http.options import User
from agenttracer.collector.extensions.clickhouse_http.rules import check_setting

_NAME = re.compile(r"\w{1,128}", re.ASCII)
_TRUE = frozenset(("1", "true"))
# Parameters of the interface itself; ClickHouse takes every other one for a setting.
_NOT_SETTINGS = frozenset(
    "query user password database default_format query_id session_id session_timeout session_check "
    "close_session wait_end_of_query buffer_size compress decompress client_protocol_version quota_key "
    "role stacktrace readonly".split()
)


@dataclass
class Query:
    """One query: ``text`` may go on in the request's body."""

    id: str
    user: str
    is_readonly: bool
    text: bytes
    parameters: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)
    database: str | None = None
    default_format: str = "TabSeparated"
    session_id: str | None = None
    session_seconds: float = session.DEFAULT_SECONDS
    must_have_session: bool = False
    waits_for_end: bool = False
    accept_encoding: str = ""
    has_framed_body: bool = False
    wants_framed_answer: bool = False
    protocol_version: int = 0
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def log_comment(self) -> str:
        """What marks the query in the engine, which gives queries ids of its own."""
        return " ".join(filter(None, (self.settings.get("log_comment"), self.id, self.mark)))


def read_query(request: web.Request, users: Mapping[str, User]) -> Query:
    """Everything but the body; raises ``DatabaseError``."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        given.setdefault(name, value)
    name, user = _authenticate(request, given, users)
    if role := given.get("role"):
        raise DatabaseError(511, "UNKNOWN_ROLE", f"There is no role {role}")
    query_id = given.get("query_id") or str(uuid.uuid4())
    default_format = (
        given.get("default_format") or request.headers.get("X-ClickHouse-Format") or "TabSeparated"
    )
    if not query_id.isprintable():
        raise DatabaseError(36, "BAD_ARGUMENTS", "query_id must be printable")
    if not _NAME.fullmatch(default_format):
        raise DatabaseError(73, "UNKNOWN_FORMAT", "Unknown format: its name is not an identifier")
    query = Query(
        id=query_id,
        user=name,
        # As on a server, what a GET asks for changes nothing.
        is_readonly=_wants_readonly(given, user) or user.readonly or request.method in ("GET", "HEAD"),
        text=b"",
        parameters={},
        database=given.get("database") or request.headers.get("X-ClickHouse-Database"),
        default_format=default_format,
        session_id=given.get("session_id") or None,
        session_seconds=_session_seconds(given.get("session_timeout")),
        must_have_session=given.get("session_check") in _TRUE,
        waits_for_end=given.get("wait_end_of_query") in _TRUE,
        accept_encoding=request.headers.get("Accept-Encoding", ""),
        has_framed_body=given.get("decompress") in _TRUE,
        wants_framed_answer=given.get("compress") in _TRUE,
        protocol_version=_protocol_version(given.get("client_protocol_version", "0")),
    )
    add_fields(query, given)
    return query


def add_fields(query: Query, given: Mapping[str, str]) -> None:
    """Take the query text, parameters and settings from a URL or a form; raises ``DatabaseError``."""
    query.text += given.get("query", "").encode("utf-8", "surrogateescape")
    for name, value in given.items():
        if name.startswith("param_") and _NAME.fullmatch(name):
            query.parameters[name] = value
        elif name and name not in _NOT_SETTINGS:
            query.settings[name] = value
            check_names((name,))


def check_names(settings: Mapping[str, object] | tuple[str, ...]) -> None:
    """Raise ``DatabaseError`` for a setting that can't exist, or that no client may change."""
    for name in settings:
        if not _NAME.fullmatch(name):
            raise DatabaseError(115, "UNKNOWN_SETTING", "Unknown setting: its name is not an identifier")
        check_setting(name)


def _wants_readonly(given: Mapping[str, str], user: User) -> bool:
    wanted = given.get("readonly")
    if wanted is None or (wanted == "0" and not user.readonly):
        return False
    if wanted not in ("1", "2"):
        check_setting("readonly")
    return True


def _protocol_version(given: str) -> int:
    if not given.isascii() or not given.isdigit():
        raise DatabaseError(36, "BAD_ARGUMENTS", "client_protocol_version must be a number")
    return int(given)


def _session_seconds(given: str | None) -> float:
    try:
        seconds = session.DEFAULT_SECONDS if given is None else float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= session.MAX_SECONDS:
        message = f"Invalid session timeout, the maximum is {session.MAX_SECONDS:.0f} seconds"
        raise DatabaseError(374, "INVALID_SESSION_TIMEOUT", message)
    return seconds


def _authenticate(
    request: web.Request, given: Mapping[str, str], users: Mapping[str, User]
) -> tuple[str, User]:
    name, password = _credentials(request, given)
    user = users.get(name)
    expected = user.password.get_secret_value() if user is not None and user.password is not None else ""
    # Compared even when there is no such user, so that the time says nothing.
    is_right = hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogateescape"))
    if user is None or not (is_right or user.password is None):
        message = "Authentication failed: password is incorrect, or there is no user with such name"
        raise DatabaseError(516, "AUTHENTICATION_FAILED", message)
    return name, user


def _credentials(request: web.Request, given: Mapping[str, str]) -> tuple[str, str]:
    headers = request.headers
    if headers.get("X-ClickHouse-User") or headers.get("X-ClickHouse-Key"):
        return headers.get("X-ClickHouse-User") or "default", headers.get("X-ClickHouse-Key", "")
    if authorization := headers.get("Authorization"):
        scheme, _, encoded = authorization.partition(" ")
        try:
            if scheme.lower() != "basic":
                raise ValueError
            name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            message = "Invalid authentication: only Basic is supported in the Authorization header"
            raise DatabaseError(516, "AUTHENTICATION_FAILED", message) from None
        return name or "default", password
    return given.get("user") or "default", given.get("password", "")


async def body(request: web.Request, query: Query) -> AsyncIterator[bytes]:
    """The request's body, decompressed, in pieces of a megabyte or one frame; raises ``DatabaseError``."""
    decode = decoder(request.headers.get("Content-Encoding", ""))
    unframe: Decoder = FrameDecoder() if query.has_framed_body else decoder("")
    async for received in request.content.iter_any():
        for piece in decode.decode(received):
            for data in unframe.decode(piece):
                yield data
    for data in unframe.decode(decode.finish()):
        yield data
    unframe.finish()


async def read_form(request: web.Request, query: Query) -> None:
    """Add a multipart form to the query; raises ``DatabaseError`` for an external table."""
    fields: dict[str, str] = {}
    remaining = MAX_STATEMENT_BYTES
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name or part.filename:
                raise DatabaseError(48, "NOT_IMPLEMENTED", "External tables are not supported")
            value = bytearray()
            while chunk := await part.read_chunk(1 << 16):
                value += chunk
                check_length(remaining - len(value))
            remaining -= len(value)
            fields[part.name] = value.decode("utf-8", "surrogateescape")
    except ValueError:
        raise DatabaseError(36, "BAD_ARGUMENTS", "The multipart form is broken") from None
    add_fields(query, fields)


def check_length(remaining_bytes: int) -> None:
    """Raise ``DatabaseError`` when a statement is longer than ``MAX_STATEMENT_BYTES``."""
    if remaining_bytes < 0:
        raise DatabaseError(
            307, "TOO_MANY_BYTES", f"The statement is longer than {MAX_STATEMENT_BYTES} bytes"
        )
