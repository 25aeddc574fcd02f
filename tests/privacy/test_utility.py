"""What analysis needs survives redaction: over-redaction fails as a leak does.

Numbers, ids, times and statuses are exact. Names and labels are counted dialect by dialect against a golden table,
``tests/golden/privacy_utility.json``, which also lists every value that may stay and didn't, by key and reason:

    pytest tests/privacy/test_utility.py --update-golden
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.compute as pc
import pytest

from agenttracer.schemas.batch import Place, Signal
from agenttracer.schemas.columns import ID, SAFE
from tests.privacy.facts import MADE_BY_REDACTION, Corpus
from tests.privacy.storing import Pipelines
from tests.processing import attributes_at

GOLDEN = Path(__file__).parents[1] / "golden" / "privacy_utility.json"
_ALWAYS = (
    "AgentName", "AgentVersion", "FinishReason", "Model", "Operation", "Provider", "RunId", "ServiceName",
    "ScopeName", "ScopeVersion", "StepName", "MetricName", "MetricUnit", "error.type",
    "exception.type", "gen_ai.response.finish_reasons", "gen_ai.response.id",
)  # fmt: skip
"""Facts that no captured payload may lose a single one of."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The captures before and behind redaction."""
    return Corpus(Pipelines(tmp_path_factory.mktemp("key")))


def test_numbers_ids_and_statuses_are_exact(corpus: Corpus) -> None:
    """Row by row: times, durations, tokens, costs, status codes, kinds, step types, failures, values, buckets."""
    changed = [
        (pair.dialect, table, name)
        for pair in corpus.pairs
        for table, name, given, kept in pair.columns(SAFE, ID)
        if name not in MADE_BY_REDACTION and not given.equals(kept)
    ]
    compared = {name for pair in corpus.pairs for _, name, *_ in pair.columns(SAFE, ID)}

    assert changed == []
    assert {
        "Duration",
        "StatusCode",
        "InputTokens",
        "StepType",
        "FailureCode",
        "RunStatus",
        "Value",
    } <= compared


def test_no_row_is_lost(corpus: Corpus) -> None:
    """Redaction takes values, never rows: spans, events, links, records, points and exemplars."""
    for pair in corpus.pairs:
        counts = {
            name: table.num_rows
            for name, table in pair.before.tables.items()
            if name not in ("attributes", "ledger")
        }

        assert {name: pair.after.tables[name].num_rows for name in counts} == counts


@pytest.mark.parametrize("fact", _ALWAYS)
def test_a_fact_survives_in_every_dialect(corpus: Corpus, fact: str) -> None:
    """All of them, in all dialects that have any."""
    counts = {dialect: facts[fact] for dialect, facts in corpus.survivals.items() if fact in facts}

    assert {dialect: count for dialect, count in counts.items() if count[0] != count[1]} == {}
    assert sum(given for given, _ in counts.values()) > 0


def test_tool_names_survive_unless_a_model_made_them_up(corpus: Corpus) -> None:
    """The one that doesn't has a marker in it, and is counted under its hash."""
    given, kept = (
        sum(facts.get("ToolName", [0, 0])[at] for facts in corpus.survivals.values()) for at in (0, 1)
    )

    assert given - kept == 1
    assert given > 100


def test_every_span_has_a_name(corpus: Corpus) -> None:
    """Made of what passed, never empty; a step's says what it did."""
    for pair in corpus.pairs:
        if pair.before.signal is Signal.TRACES:
            assert pc.all(pc.not_equal(pair.after.rows.column("SpanName"), "")).as_py()


def test_users_and_sessions_can_still_be_counted(corpus: Corpus) -> None:
    """As many different ones in each dialect as there were, and none as it was given."""
    seen = 0
    for pair in corpus.pairs:
        for column in ("UserHash", "ConversationId"):
            if column not in pair.before.rows.schema.names:
                continue
            given, kept = pair.before.rows.column(column), pair.after.rows.column(column)
            assert len(pc.unique(given)) == len(pc.unique(kept))
            assert not pc.any(pc.and_(pc.not_equal(given, ""), pc.equal(given, kept)), min_count=0).as_py()
            seen += len(pc.unique(kept.drop_null()))
    assert seen > 20


def test_the_golden_table_is_what_survives(corpus: Corpus, request: pytest.FixtureRequest) -> None:
    """Every survival by dialect, every loss by key and reason: a change shows as a diff."""
    table = {
        "given and kept, by dialect": corpus.survivals,
        "allowed keys and columns that lost values, by reason": corpus.dropped(),
        "numbers that were dropped: given and kept": corpus.numbers(),
    }
    if request.config.getoption("--update-golden"):
        text = json.dumps(table, indent=1, ensure_ascii=False)
        GOLDEN.write_text(_short_lists(text) + "\n")

    assert table == json.loads(GOLDEN.read_text())


def _short_lists(text: str) -> str:
    """Pairs of numbers on one line."""
    return re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", text)


def test_the_tool_of_a_step_stays_an_attribute_too(corpus: Corpus) -> None:
    """The columns are made beside the attributes: whoever queries those finds the same names."""
    traces = [pair for pair in corpus.pairs if pair.before.signal is Signal.TRACES]
    named = [
        attributes_at(pair.after, Place.ROW, row).get("gen_ai.tool.name")
        for pair in traces[:3]
        for row, tool in enumerate(pair.after.rows.column("ToolName").to_pylist())
        if tool and attributes_at(pair.before, Place.ROW, row).get("gen_ai.tool.name")
    ]

    assert named
    assert all(named)
