"""URLs and statements keep their form and lose their data."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from agenttracer.collector.privacy import sanitizers
from agenttracer.schemas.batch import Place
from tests.otlp_traces import request, span
from tests.processing import attributes_at, decoded, process, redaction


@pytest.mark.parametrize(
    ("sanitize", "given", "left"),
    [
        (sanitizers.urls, "https://u:p@shop.example/orders/8423/items?key=1#x", "https://shop.example/orders/*/items"),
        (sanitizers.urls, "/users/alice@example.com/", "/users/*/"),
        (sanitizers.urls, "/a/550e8400-e29b-41d4-a716-446655440000/b", "/a/*/b"),
        (sanitizers.urls, "https://shop.example", "https://shop.example"),
        (sanitizers.urls, "call me at noon", "?"),
        (sanitizers.sql, "SELECT a FROM t WHERE b = 'x''y' AND c > 4 --n", "SELECT a FROM t WHERE b = ? AND c > ?  "),
        (sanitizers.sql, "insert into t values ('a', 1, \"b\")", "insert into t values (?, ?, ?)"),
        (sanitizers.sql, "SELECT 'never closed", "SELECT ?"),
        (sanitizers.sql, "SELECT $tag$secret$tag$", "SELECT ?"),
        (sanitizers.sql, "my secret", "?"),
        (sanitizers.commands, "SET session:42 secret", "SET ?"),
        (sanitizers.commands, "  get k\r\nvalue", "get ?"),
        (sanitizers.commands, "{secret}", "?"),
        (sanitizers.documents, '{"find": "users", "n": 4, "f": {"a": ["x", 1, true]}}',
         '{"find": "?", "n": "?", "f": {"a": ["?", "?", "?"]}}'),
        (sanitizers.documents, '{"a": "say \\"b\\": c"}', '{"a": "?"}'),
        (sanitizers.documents, "secret", "?"),
    ],
)  # fmt: skip
def test_what_is_left(sanitize: sanitizers.Sanitize, given: str, left: str) -> None:
    """The shape of a request, none of its values; what isn't understood is a question mark."""
    assert sanitize(pa.array([given, None])).to_pylist() == [left, None]


def test_sanitizers_keep_the_attributes_they_name(tmp_path: Path) -> None:
    """Naming an attribute allows it, without its data; others stay as they were."""
    sanitizing = redaction(
        tmp_path,
        url_sanitizer={"enabled": True, "attributes": ["http.url"]},
        db_sanitizer={"sql": {"enabled": True, "attributes": ["db.statement"]}},
    )
    given = {"http.url": "https://a.example/o/1?k=v", "db.statement": "SELECT 1", "my.note": "hello you"}

    clean = process(decoded(request(span("a", given))), sanitizing)

    assert attributes_at(clean, Place.ROW) == {
        "http.url": "https://a.example/o/*",
        "db.statement": "SELECT ?",
    }


def test_several_engines_can_share_a_key(tmp_path: Path) -> None:
    """As in the Collector's own example: each statement is sanitized by its form, and one that could be a
    command shows no more than a command's first word."""
    engines = ("sql", "redis", "memcached", "mongo", "opensearch", "es")
    sanitizing = redaction(
        tmp_path, db_sanitizer={name: {"enabled": True, "attributes": ["db.statement"]} for name in engines}
    )
    given = {
        "SELECT a FROM t WHERE b = 'secret'": "SELECT a FROM t WHERE b = ?",
        "set session:42 secret": "set ?",
        "replace key 0 0 6\r\nsecret": "replace ?",
        "DELETE secret": "DELETE ?",
        '{"find": "users", "filter": {"name": "secret"}}': '{"find": "?", "filter": {"name": "?"}}',
        "'secret' is what I said": "?",
    }

    clean = process(
        decoded(request(*(span("a", {"db.statement": statement}) for statement in given))), sanitizing
    )

    left = [attributes_at(clean, Place.ROW, row).get("db.statement") for row in range(len(given))]
    assert left == list(given.values())


def test_in_custom_a_sanitizer_allows_nothing(tmp_path: Path) -> None:
    """As in the Collector, what isn't allowed is deleted; sanitizing comes after."""
    options: dict[str, Any] = {
        "mode": "custom",
        "db_sanitizer": {"sql": {"enabled": True, "attributes": ["db.statement"]}},
    }
    given = decoded(request(span("a", {"db.statement": "SELECT 1"})))

    assert attributes_at(process(given, redaction(tmp_path, **options)), Place.ROW) == {}
    allowing = redaction(tmp_path, **options, allowed_keys=["db.statement"])
    assert attributes_at(process(given, allowing), Place.ROW) == {"db.statement": "SELECT ?"}
