"""URLs and statements keep their form and lose their data."""

from pathlib import Path

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
