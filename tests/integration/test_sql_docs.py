"""Every question of docs/sql.md has an answer in what a running collector stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agenttracer.collector.cli.store import Store, open_store
from agenttracer.schemas.batch import Signal
from tests.running_collector import CONFIG, captures, running_collector
from tests.sql_questions import payload, questions

ASKED = questions()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The captured payloads of real frameworks and a generated set, kept whatever their age."""
    folder = tmp_path_factory.mktemp("collector")
    with running_collector(
        folder, "--config", str(CONFIG), "--set", "exporters.clickhouse.ttl=0"
    ) as collector:
        for signal, _, body in captures([Signal.TRACES, Signal.LOGS]):
            collector.export(signal, body)
        collector.export(Signal.TRACES, payload())
        collector.wait_until_stored()
        assert 0 == collector.stop()
        with open_store(f"chdb://{collector.data}/clickhouse", "default") as opened:
            yield opened


def test_there_are_twenty() -> None:
    """Numbered without a gap."""
    assert [str(number) for number in range(1, 21)] == [heading.split(".")[0] for heading, _ in ASKED]


@pytest.mark.parametrize(("heading", "query"), ASKED, ids=[heading for heading, _ in ASKED])
def test_a_question_has_an_answer(store: Store, heading: str, query: str) -> None:
    """The query runs as it stands in the document, and finds something."""
    del heading
    assert store.rows(query, {})
