"""URLs and database statements without the data in them: what stays is their form.

    https://user:pw@shop.example/orders/8423/items?key=1   →  https://shop.example/orders/*/items
    SELECT * FROM users WHERE email = 'a@b.c' AND age > 40 →  SELECT * FROM users WHERE email = ? AND age > ?
    SET session:42 secret                                  →  SET ?
    {"find": "users", "filter": {"name": "bob"}}           →  {"find": "?", "filter": {"name": "?"}}

What isn't understood is put in place of nothing: it becomes ``?``.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.privacy.options import PolicyOptions

Sanitize = Callable[[pa.StringArray], pa.StringArray]

_URL = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//|^/"
# A part of a path is a word of the route when it is short and made of letters; all else is somebody's data.
_VARIABLE_PART = r"/[^/]*(?:[^A-Za-z_./-]|[A-Za-z_.-]{26})[^/]*"

_QUOTED = r"'(?:[^'\\]|\\.|'')*'?|\"(?:[^\"\\]|\\.|\"\")*\"?|`[^`]*`?|\$[A-Za-z_]*\$.*"
_NUMBER = r"\b(?:0x[0-9A-Fa-f]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\b"
_COMMENT = r"(?s)/\*.*?\*/|--[^\n]*|#[^\n]*"
_VERBS = """
    select insert update delete merge with create alter drop truncate call begin commit rollback set show explain
    grant revoke use replace upsert values analyze vacuum copy lock savepoint release start exec execute declare
    fetch close open pragma describe desc
"""
_STATEMENT = rf"(?i)^\s*(?:{'|'.join(_VERBS.split())})\b"

# What no command of a key-value store looks like, though some share a verb with SQL: SET, REPLACE, DELETE.
_UNMISTAKABLE = (
    r"(?is)^\s*(?:select\s.*\sfrom\s|insert\s+into\s|update\s.*\sset\s|delete\s+from\s|merge\s+into\s|with\s.*\sas\s*\("
    r"|(?:create|alter|drop|truncate)\s+(?:table|index|view|database|schema)\b)"
)
_JSON = r"^\s*[\[{]"

_COMMAND = r"(?s)^\s*(?P<word>[A-Za-z][A-Za-z0-9_.-]{0,31})(?:\s.*)?$"


def urls(values: pa.StringArray) -> pa.StringArray:
    """URLs and paths without credentials, query, fragment and the variable parts of the path."""
    is_url = pc.match_substring_regex(values, _URL)
    text = pc.replace_substring_regex(values, r"(?s)[?#].*$", "")
    text = pc.replace_substring_regex(text, r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)[^/@]*@", r"\1")
    split = pc.extract_regex(text, r"^(?P<host>(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*)?)(?P<path>.*)$")
    host, path = pc.struct_field(split, "host"), pc.struct_field(split, "path")
    path = pc.replace_substring_regex(path, _VARIABLE_PART, "/*")
    joined = pc.binary_join_element_wise(host, path, "")
    return pc.if_else(values.is_valid(), pc.coalesce(pc.if_else(is_url, joined, "?"), "?"), None)


def sql(values: pa.StringArray) -> pa.StringArray:
    """Statements without literals and comments; what doesn't begin as a statement is not shown."""
    text = pc.replace_substring_regex(values, f"(?s){_QUOTED}", "?")
    text = pc.replace_substring_regex(text, _COMMENT, " ")
    text = pc.replace_substring_regex(text, _NUMBER, "?")
    # A quote that is left over ends no literal: what follows it may be anything.
    text = pc.replace_substring_regex(text, r"(?s)['\"].*$", "?")
    known = pc.match_substring_regex(text, _STATEMENT)
    return pc.if_else(values.is_valid(), pc.if_else(known, text, "?"), None)


def commands(values: pa.StringArray) -> pa.StringArray:
    """Commands of key-value stores: their first word."""
    word = pc.struct_field(pc.extract_regex(values, _COMMAND), "word")
    shown = pc.binary_join_element_wise(word, "?", " ")
    return pc.if_else(values.is_valid(), pc.coalesce(shown, "?"), None)


def documents(values: pa.StringArray) -> pa.StringArray:
    """Queries in JSON: their keys stay, every value goes."""
    is_json = pc.match_substring_regex(values, _JSON)
    string = r'"(?:[^"\\]|\\.)*"'
    # Keys are set apart, so that the strings that are left are values.
    text = pc.replace_substring_regex(values, r'"((?:[^"\\]|\\.)*)"\s*:', "\x01\\1\x02")
    text = pc.replace_substring_regex(text, string, '"?"')
    text = pc.replace_substring_regex(text, r"([\[,\x02]\s*)(?:-?[0-9][0-9.eE+-]*|true|false|null)", '\\1"?"')
    text = pc.replace_substring_regex(text, "\x01([^\x01\x02]*)\x02", '"\\1":')
    return pc.if_else(values.is_valid(), pc.if_else(is_json, text, "?"), None)


_ENGINES: dict[str, Sanitize] = {
    "sql": sql,
    "redis": commands,
    "valkey": commands,
    "memcached": commands,
    "mongo": documents,
    "opensearch": documents,
    "es": documents,
}


def any_of(engines: frozenset[Sanitize]) -> Sanitize:
    """For a key that several engines' statements stand under: each by its form, at most a command's first word if
    that tells nothing."""

    def sanitize(values: pa.StringArray) -> pa.StringArray:
        left = commands(values) if commands in engines else pc.if_else(values.is_valid(), "?", None)
        if sql in engines:
            left = pc.if_else(pc.match_substring_regex(values, _UNMISTAKABLE), sql(values), left)
        if documents in engines:
            left = pc.if_else(pc.match_substring_regex(values, _JSON), documents(values), left)
        return left

    return sanitize


def sanitizers(options: PolicyOptions) -> dict[str, Sanitize]:
    """Attribute key → its sanitizer, of those that are on."""
    engines: dict[str, set[Sanitize]] = {}
    for name, sanitize in _ENGINES.items():
        engine = getattr(options.db_sanitizer, name)
        for key in engine.attributes if engine.enabled else ():
            engines.setdefault(key, set()).add(sanitize)
    mixed = {several: any_of(several) for several in map(frozenset, engines.values()) if len(several) > 1}
    found = {key: mixed.get(frozenset(several)) or next(iter(several)) for key, several in engines.items()}
    if options.url_sanitizer.enabled:
        found |= dict.fromkeys(options.url_sanitizer.attributes, urls)
    return found
