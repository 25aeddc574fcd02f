"""What bodies look like on the wire: HTTP compression, ClickHouse's own compression, Native for TCP clients."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import lz4.frame
import pytest
from backports import zstd

from agenttracer.collector.extensions.clickhouse_http.cityhash import cityhash128
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError
from agenttracer.collector.extensions.clickhouse_http.framing import FrameDecoder, FrameEncoder
from tests.clickhouse_server import ClickHouseServer, Reply, clickhouse_server

_WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": "let-me-write"}
_CODECS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "lz4": (lz4.frame.compress, lz4.frame.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_TYPES = (
    "1::UInt8",
    "toInt256(1)",
    "'größe'",
    "toFixedString('ab', 2)",
    "toNullable('x')",
    "NULL",
    "nan",
    "true",
    "toDecimal64(1, 2)",
    "toDecimal128(1, 3)",
    "toDate('2025-01-31')",
    "toDateTime('2025-01-31 12:00:00', 'Europe/Berlin')",
    "toDateTime64('2025-01-31 12:00:00', 9)",
    "INTERVAL 1 DAY",
    "generateUUIDv4()",
    "toIPv4('1.2.3.4')",
    "toIPv6('::1')",
    "CAST('a' AS Enum8('a' = 1, 'b, (c' = 2))",
    "toLowCardinality('x')",
    "toLowCardinality(toNullable('x'))",
    "if(number = 1, [], ['a', 'b'])",
    "CAST(if(number = 1, [], ['a']) AS Array(LowCardinality(Nullable(String))))",
    "[]",
    "(1, 'a')",
    "tuple()",
    "CAST((1, 'x') AS Tuple(a UInt8, `b c` String))",
    "map('k', [1, 2])",
    "CAST(map('a', 'b') AS Map(LowCardinality(String), String))",
    "CAST([(1, 'a')] AS Nested(a UInt8, b String))",
    "CAST(1 AS SimpleAggregateFunction(sum, UInt64))",
    "CAST([[(1, 2)]] AS Polygon)",
)


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


@pytest.mark.parametrize("encoding", _CODECS)
@pytest.mark.parametrize("path", ["/", "/?wait_end_of_query=1"])
def test_answers_are_compressed(server: ClickHouseServer, encoding: str, path: str) -> None:
    """With the first encoding that the client names and the server knows."""
    headers = {"Accept-Encoding": f"unknown, {encoding};q=0.9, gzip;q=0"}
    reply = server.post("SELECT number FROM numbers(100000)", headers, path)

    assert encoding == reply.headers["Content-Encoding"]
    assert 100_000 == _CODECS[encoding][1](reply.body).count(b"\n")


def test_answers_are_plain_on_request(server: ClickHouseServer) -> None:
    """``enable_http_compression=0`` wins over Accept-Encoding."""
    reply = server.post("SELECT 1", {"Accept-Encoding": "gzip"}, "/?enable_http_compression=0")

    assert (None, b"1\n") == (reply.headers.get("Content-Encoding"), reply.body)


@pytest.mark.usefixtures("empty_table")
@pytest.mark.parametrize("encoding", _CODECS)
def test_requests_may_be_compressed(server: ClickHouseServer, encoding: str) -> None:
    """In one stream or several, statement and data, however well they compress."""
    compress = _CODECS[encoding][0]
    head, rows = b"INSERT INTO t FORMAT CSV\n", b"".join(b"%d,%s\n" % (n, b"x" * 999) for n in range(9000))
    reply = server.post(compress(head) + compress(rows), {**_WRITER, "Content-Encoding": encoding})

    assert 200 == reply.status, reply.text
    assert b"9000\n" == server.post("SELECT count() FROM t").body


@pytest.mark.usefixtures("empty_table")
@pytest.mark.parametrize("encoding", [*_CODECS, "snappy"])
def test_broken_compression_stores_nothing(server: ClickHouseServer, encoding: str) -> None:
    """A body cut off, or in an encoding nobody knows, is refused whole."""
    compress = _CODECS.get(encoding, (lambda data: data,))[0]
    body = compress(b"INSERT INTO t FORMAT CSV\n" + b"1,x\n" * 5000)
    reply = server.post(body[: len(body) * 2 // 3], {**_WRITER, "Content-Encoding": encoding})

    assert _code(reply) in ("271", "48")
    assert b"0\n" == server.post("SELECT count() FROM t").body


def _unframed(data: bytes) -> bytes:
    decoder = FrameDecoder()
    unpacked = b"".join(decoder.decode(data))
    return unpacked + decoder.finish()


@pytest.mark.parametrize("path", ["/?compress=1", "/?compress=1&wait_end_of_query=1"])
def test_answers_come_in_clickhouses_own_frames(server: ClickHouseServer, path: str) -> None:
    """``compress=1``, as JDBC drivers ask for; it wins over Accept-Encoding."""
    reply = server.post("SELECT number FROM numbers(300000)", {"Accept-Encoding": "gzip"}, path)

    assert reply.headers.get("Content-Encoding") is None
    assert len(reply.body) < 1_700_000
    assert b"".join(b"%d\n" % n for n in range(300_000)) == _unframed(reply.body)


@pytest.mark.usefixtures("empty_table")
def test_requests_come_in_clickhouses_own_frames(server: ClickHouseServer) -> None:
    """``decompress=1``, also inside an HTTP encoding."""
    frames = FrameEncoder()
    body = frames.compress(b"INSERT INTO t FORMAT CSV\n") + frames.compress(b"1,x\n" * 500_000)
    plain = server.post(body, _WRITER, "/?decompress=1")
    zipped = server.post(gzip.compress(body), {**_WRITER, "Content-Encoding": "gzip"}, "/?decompress=1")

    assert (200, 200) == (plain.status, zipped.status), plain.text + zipped.text
    assert b"1000000\n" == server.post("SELECT count() FROM t").body


@pytest.mark.usefixtures("empty_table")
@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (lambda body: body[:-1], "271"),
        (lambda body: body[:40] + b"?" + body[41:], "40"),
        (lambda body: b"INSERT INTO t FORMAT CSV\n1,x\n" * 9, "271"),
        (lambda body: cityhash128(body[16:]) + b"\x02" + body[17:], "40"),
    ],
)
def test_broken_frames_store_nothing(
    server: ClickHouseServer, broken: Callable[[bytes], bytes], code: str
) -> None:
    """Cut off, changed, or no frames at all."""
    body = FrameEncoder().compress(b"INSERT INTO t FORMAT CSV\n" + b"1,x\n" * 5000)

    assert code == _code(server.post(broken(body), _WRITER, "/?decompress=1"))
    assert b"0\n" == server.post("SELECT count() FROM t").body


@pytest.mark.parametrize("pack", [lambda data: (0x02, data), lambda data: (0x90, zstd.compress(data))])
def test_frames_of_other_methods_are_read(pack: Callable[[bytes], tuple[int, bytes]]) -> None:
    """Not compressed, and ZSTD; an unknown method is refused."""
    data = b"x" * 1000
    method, packed = pack(data)
    body = struct.pack("<BII", method, 9 + len(packed), len(data)) + packed
    unknown = b"\x01" + body[1:]

    assert data == _unframed(cityhash128(body) + body)
    with pytest.raises(DatabaseError, match="89"):
        _unframed(cityhash128(unknown) + unknown)


def test_the_checksum_is_clickhouses(tmp_path: Path) -> None:
    """Every compressed block that the engine itself wrote to disk has the checksum that we compute."""
    settings = "min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0"
    with clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}") as engine:
        for rows in (*range(1, 40), 100, 1000, 8192, 30_000):
            columns = "a String CODEC(NONE), b String CODEC(LZ4), c UInt64 CODEC(ZSTD(1))"
            engine.command(
                f"CREATE TABLE t{rows} ({columns}) ENGINE = MergeTree ORDER BY tuple() SETTINGS {settings}"
            )
            values = "repeat(char(97 + number % 26), number % 9) AS a, a, cityHash64(number)"
            engine.command(f"INSERT INTO t{rows} SELECT {values} FROM numbers({rows})")
    blocks = [block for path in tmp_path.rglob("store/**/*.bin") for block in _blocks(path.read_bytes())]

    assert len({len(body) for _, body in blocks}) > 100
    assert [] == [len(body) for checksum, body in blocks if checksum != cityhash128(body)]


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        end = at + 16 + int.from_bytes(data[at + 17 : at + 21], "little")
        yield data[at : at + 16], data[at + 16 : end]
        at = end


@pytest.mark.parametrize("expression", _TYPES)
def test_native_for_tcp_clients_differs_in_two_places(server: ClickHouseServer, expression: str) -> None:
    """A preamble a block, and a byte between a column's type and its data; nothing else, for every type."""
    sql = f"SELECT {expression} AS a, 'end' AS z FROM numbers(3) FORMAT Native"
    plain = server.post(sql).body
    over_tcp = server.post(sql, path="/?client_protocol_version=54483").body
    name_end = plain.index(b"\x01a") + 2
    type_end = name_end + 1 + plain[name_end]
    last = b"\x01z\x06String"

    assert plain.endswith(last + b"\x03end" * 3) or "generateUUID" in expression
    if "generateUUID" not in expression:
        head, data = plain[:type_end], plain[type_end : plain.rindex(last)]
        assert _BLOCK_INFO + head + b"\0" + data + last + b"\0" + b"\x03end" * 3 == over_tcp
    assert len(over_tcp) == len(plain) + len(_BLOCK_INFO) + 2


@pytest.mark.parametrize("version", ["0", "54405", "54453"])
def test_native_for_older_clients_is_the_engines(server: ClickHouseServer, version: str) -> None:
    """A client must check what it gets, as behind a proxy."""
    sql = "SELECT 1 AS check FORMAT Native"

    assert server.post(sql).body == server.post(sql, path=f"/?client_protocol_version={version}").body


def test_types_that_tcp_clients_cannot_get_are_named(server: ClickHouseServer) -> None:
    """Better a sentence than blocks that a client misreads."""
    reply = server.post("SELECT 1::Dynamic FORMAT Native", path="/?client_protocol_version=54483")

    assert "48" == _code(reply)
    assert "can't carry Dynamic" in reply.text


def test_statements_that_are_no_select_answer_tcp_clients_too(server: ClickHouseServer) -> None:
    """SHOW and DESCRIBE come at once, in blocks of the same form."""
    path = "/?client_protocol_version=54483&default_format=Native"

    assert server.post("SHOW TABLES", path=path).body.startswith(
        _BLOCK_INFO + b"\x01\x01\x04name\x06String\0"
    )
