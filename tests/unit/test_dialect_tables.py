"""The tables of the dialects are sound: columns exist, keys are clear, expressions compile, any value is survived."""

import re
from collections import Counter
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from agenttracer.collector.decode.first_element import first_strings
from agenttracer.collector.dialects.columns import EVIDENCE
from agenttracer.schemas import dialect_json, dialect_values, failure_signs, failures, spans, step_types
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.dialects import EVENT_KEYS, RENAMES, SCOPED_KEYS, SPAN_INTEGERS, SPAN_STRINGS
from agenttracer.schemas.semconv import FailureCode, FailureType
from tests.otlp_traces import request, span
from tests.processing import classify, decoded, normalize, process

VALUES = (
    "",
    "x",
    "99999999999",
    "٣",
    "[]",
    '{"error": "x"}',
    0,
    -1,
    1.5,
    float("nan"),
    True,
    b"\xff",
    [],
    [1],
    ["a"],
)
EXPRESSIONS = [
    *(rule.pattern for rule in failures.EVIDENCE_RULES),
    *dialect_json.PATTERNS.values(),
    *(rule.scope for rule in dialect_values.EXCLUSIVE_COUNTS),
    *(pattern for pattern, _ in dialect_values.MODEL_PROVIDERS),
    *(name for rule in step_types.SCOPE_NAMES for name, _ in rule.names),
    *(rule.scope for rule in step_types.SCOPE_NAMES),
    *(pattern for pattern, _ in (*step_types.NAME_TYPES, *step_types.TYPES_BY_COMPONENT)),
    *step_types.SPAN_NAME_PARTS.values(),
    *(step_types.PLANNING_NAMES, step_types.GENERATED_NAMES, step_types.EVENT_SCOPES),
    *(step_types.SCOPES_OF_STEPS, step_types.NAMED_AFTER_SPAN),
    *(failure_signs.CONTROL_FLOW, failure_signs.CANCELLED),
    *(failure_signs.FAILED_RESULT, failure_signs.NO_DOCUMENTS),
]


def known_keys() -> list[str]:
    """Every attribute key that any table looks for."""
    signs = failure_signs
    groups = (
        (row.key for row in RENAMES),
        *(step_types.STEP_TYPES, step_types.INFRASTRUCTURE, step_types.AGENT_NAME_KEYS),
        *(signs.FAILED_WHEN, signs.FAILED_IF_PRESENT, signs.EVIDENCE_STATUS, signs.TOOL_RESULTS),
        *signs.EVIDENCE_TYPES.values(),
        *signs.EVIDENCE_TEXTS.values(),
        *(signs.DOCUMENT_COUNTS, signs.DOCUMENT_LISTS, signs.DOCUMENT_TEXTS, signs.DOCUMENT_EVENTS),
        *(dialect_json.USAGE_KEYS, dialect_json.ANSWER_KEYS, dialect_json.EVENT_KEYS),
        ("agent.failure.code", "agent.failure.type", "exception.type", "exception.message"),
    )
    return sorted({key for group in groups for key in group})


def test_every_rename_has_a_column_and_a_source() -> None:
    """A row of the table fills a declared column, or is evidence for one, and says who sends it."""
    assert {row.column for row in RENAMES} <= {*spans.TYPED.names, *EVIDENCE}
    assert [row for row in RENAMES if not row.source] == []


@pytest.mark.parametrize(
    "table",
    [SPAN_STRINGS | SPAN_INTEGERS, EVENT_KEYS, *SCOPED_KEYS.values()],
    ids=["rows", "events", "scoped"],
)
def test_a_key_fills_one_column(table: dict[str, tuple[str, ...]]) -> None:
    """No key of a place means two things."""
    assert [
        key for key, times in Counter(key for keys in table.values() for key in keys).items() if times > 1
    ] == []


def test_codes_and_types_are_of_the_closed_lists() -> None:
    """No rule and no finish reason makes a code or a type that the conventions lack."""
    codes = {rule.code for rule in failures.EVIDENCE_RULES} | set(failures.FINISH_FAILURES.values())
    codes |= failures.OWN_CODES | failures.SOFT_CODES | failures.MODEL_CODES

    assert codes <= {code.value for code in FailureCode}
    assert set(failures.TYPE_OF_STEP.values()) <= {kind.value for kind in FailureType}
    assert {rule.kind for rule in failures.EVIDENCE_RULES} - {None} <= {kind.value for kind in FailureType}


def test_the_last_rule_takes_whatever_is_left() -> None:
    """Every failed step gets a code, if only that it failed."""
    assert ("error", "") == (failures.EVIDENCE_RULES[-1].code, failures.EVIDENCE_RULES[-1].pattern)


@pytest.mark.parametrize("pattern", EXPRESSIONS)
def test_expressions_mean_the_same_to_both_engines(pattern: str) -> None:
    """Every expression compiles in RE2, which searches many texts, and in Python, which searches few."""
    texts = [
        "",
        "type:timeouterror\nstatus:429\nerror code: 429",
        "chat gpt-4o",
        '{"documents": []}',
        "claude-x",
    ]

    assert [re.search(pattern, text) is not None for text in texts] == pc.match_substring_regex(
        pa.array(texts), pattern
    ).to_pylist()


def test_any_value_under_any_key_is_survived() -> None:
    """What a key holds is the sender's choice: every kind of value under every key leaves a batch that is whole."""
    spans_of_all = [
        span("chat x", {key: each}, events=[("exception", {key: each})])
        for key, each in product(known_keys(), VALUES)
    ]
    batch = process(decoded(request(*spans_of_all), Signal.TRACES), normalize(), classify())

    assert len(spans_of_all) == batch.num_rows
    assert set(spans.TYPED.names) >= set(batch.rows.schema.names) - set(spans.DECODED_SPANS.names)


def test_first_elements() -> None:
    """A list's first element is told if it is a short string, and nothing else is."""
    messages = [
        [b"\x0a\x04stop", b"\x0a\x01x"],
        [],
        None,
        [b"\x10\x01"],
        [b"\x0a\x05stop"],
        [b"\x0a\x01\xff"],
    ]

    assert ["stop", None, None, None, None, None] == first_strings(
        pa.array(messages, pa.list_(pa.binary()))
    ).to_pylist()
