"""Which strings may stay: checks on arrays of distinct values, in RE2, whole arrays at a time.

A value stays only when it matches what its class looks like AND no detector finds anything in it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_LABEL = r"^[A-Za-z0-9_.:/+{}%*^-]{0,128}$"
_QUOTED = r'"[A-Za-z0-9_.:/+-]*"'
_SCALAR = rf"({_QUOTED}|-?[0-9.eE+-]+|true|false|null)"
_LABELS = (
    rf"^(\[({_SCALAR}(, ?{_SCALAR})*)?\]|\{{({_QUOTED}: ?{_SCALAR}(, ?{_QUOTED}: ?{_SCALAR})*)?\}})$"
)
# At most four words: a sentence is not a name.
_NAME = r"^[\pL\pN_.:/@+()#-]{1,128}( [\pL\pN_.:/@+()#-]{1,64}){0,3}$"
# A tool's name in one style of writing: snake, kebab, camel or SCREAMING, with a namespace in front.
# Models invent names of tools, out of what they were told; those mix styles.
_TOOL = (
    r"^([A-Za-z][A-Za-z0-9]{0,63}(\.|/|:|__)){0,3}"
    r"([a-z][a-z0-9]*(_+[a-z0-9]+)*|[a-z][a-z0-9]*(-[a-z0-9]+)*|[A-Za-z][A-Za-z0-9]*|[A-Z][A-Z0-9]*(_[A-Z0-9]+)*)$"
)
_LONGEST_TOOL_NAME = 96
_LONGEST_LIST = 1024

DETECTORS = {
    "email": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}",
    "jwt": r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.",
    "private_key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "provider_key": r"\b(sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bsk_(live|test)_[A-Za-z0-9]{10,}|\bhf_[A-Za-z0-9]{20,}",
    "cloud_key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}",
    "code_host_token": r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
    "chat_token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "credential_url": r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@",
    "bearer": r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
    "iban": r"\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b",
    "card": r"\b[3-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{3,4}\b",
    "phone": r"\+[0-9]{1,3}[ ().-]?[0-9]{2,4}[ ().-][0-9 ().-]{5,12}",
    "ssn": r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
}
"""What nobody may find in a store: class → RE2 pattern."""

_ANY = "|".join(f"(?:{pattern})" for pattern in DETECTORS.values())


def _clean(values: pa.StringArray, shape: str) -> pa.BooleanArray:
    fits = pc.match_substring_regex(values, shape)
    return pc.fill_null(pc.and_(fits, pc.invert(pc.match_substring_regex(values, _ANY))), False)


def are_labels(values: pa.StringArray) -> pa.BooleanArray:
    """Which pass as enum-like labels, versions and opaque ids."""
    return _clean(values, _LABEL)


def are_label_lists(values: pa.StringArray) -> pa.BooleanArray:
    """Which pass as JSON lists, or flat maps, of labels and numbers."""
    return pc.and_(_clean(values, _LABELS), pc.less_equal(pc.utf8_length(values), _LONGEST_LIST))


def are_names(values: pa.StringArray) -> pa.BooleanArray:
    """Which pass as names."""
    return _clean(values, _NAME)


def are_tool_names(values: pa.StringArray) -> pa.BooleanArray:
    """Which pass as names of tools, which models can invent."""
    return pc.and_(_clean(values, _TOOL), pc.less_equal(pc.utf8_length(values), _LONGEST_TOOL_NAME))
