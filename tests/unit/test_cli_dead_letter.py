"""``agenttracer dead-letter``, beside a collector that has the journal open."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenttracer.collector.cli.main import main
from agenttracer.collector.journal import Group, Journal

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A running collector's journal with two dead letters, in the folder that the environment names."""
    monkeypatch.setenv("AGENTTRACER_DATA_DIR", str(tmp_path))
    opened = Journal(tmp_path / "journal", max_bytes=1_000_000, window_seconds=900)
    opened.open()
    opened.register([("traces", "clickhouse")])
    for rows in (2, 3):
        opened.append([Group("traces", "acme", rows, b"payload")], [], Counter())
        claim = opened.claim("traces", "clickhouse", 10)
        assert claim is not None
        opened.bury(claim, "clickhouse_53")
    yield opened
    opened.close()


def waiting_rows(journal: Journal) -> int:
    """Rows that the exporter has still to take."""
    return journal.waiting("traces", "clickhouse")[1]


@pytest.mark.usefixtures("journal")
def test_list_shows_them(capsys: Capture) -> None:
    """A line each: who refused what, for whom, how much, why."""
    assert 0 == main(["dead-letter", "list"])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["id", "time", "pipeline", "exporter", "tenant", "rows", "reason"] == lines[0]
    assert [["1", "2"], ["2", "3"]] == [[line[0], line[6]] for line in lines[1:]]
    assert ["traces", "clickhouse", "acme", "2", "clickhouse_53"] == lines[1][3:]


@pytest.mark.usefixtures("journal")
def test_list_as_json(capsys: Capture) -> None:
    """The same for programs, with the time in UTC."""
    assert 0 == main(["dead-letter", "list", "--json"])

    letters = json.loads(capsys.readouterr().out)
    time = datetime.fromisoformat(letters[0].pop("time"))
    expected = {
        "id": 1, "pipeline": "traces", "exporter": "clickhouse", "tenant": "acme", "rows": 2,
        "reason": "clickhouse_53",
    }  # fmt: skip
    assert expected == letters[0]
    assert abs((datetime.now(UTC) - time).total_seconds()) < 60


def test_replay_puts_chosen_ones_back(journal: Journal, capsys: Capture) -> None:
    """The others stay."""
    assert 0 == main(["dead-letter", "replay", "2"])

    assert "1 replayed, 3 rows\n" == capsys.readouterr().out
    assert 3 == waiting_rows(journal)


def test_replay_all(journal: Journal, capsys: Capture) -> None:
    """Every one, from a folder named on the command line; afterwards there are none."""
    folder = ["--directory", str(journal.directory)]
    assert 0 == main(["dead-letter", "replay", "--all", "--json", *folder])
    assert 0 == main(["dead-letter", "list", *folder])

    out = capsys.readouterr().out
    replayed, end = json.JSONDecoder().raw_decode(out)
    assert {"replayed": [1, 2], "rows": 5, "not_replayed": []} == replayed
    assert "no dead letters" == out[end:].strip()
    assert 5 == waiting_rows(journal)


@pytest.mark.usefixtures("journal")
def test_what_can_not_be_replayed_is_said(capsys: Capture) -> None:
    """The rest is done, and the exit status is 1."""
    assert 1 == main(["dead-letter", "replay", "1", "9"])

    assert ("1 replayed, 2 rows\n", "agenttracer: there is no dead letter 9\n") == capsys.readouterr()


def test_those_of_workers_are_named_with_their_worker(journal: Journal, capsys: Capture) -> None:
    """Ids are each journal's own, so the worker's number comes first."""
    second = Journal(journal.directory / "worker-2", max_bytes=1_000_000, window_seconds=900)
    second.open()
    try:
        second.register([("traces", "clickhouse")])
        second.append([Group("traces", "globex", 7, b"payload")], [], Counter())
        claim = second.claim("traces", "clickhouse", 10)
        assert claim is not None
        second.bury(claim, "clickhouse_53")

        assert 0 == main(["dead-letter", "list"])
        assert ["1", "2", "2:1"] == [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
        assert 1 == main(["dead-letter", "replay", "2:1", "2:9", "3:1", "--json"])
        assert {
            "replayed": ["2:1"],
            "rows": 7,
            "not_replayed": [
                {"id": "2:9", "reason": "there is no dead letter 9"},
                {"id": "3:1", "reason": "there is no journal of worker 3"},
            ],
        } == json.loads(capsys.readouterr().out)
        assert (0, 7) == (waiting_rows(journal), waiting_rows(second))
    finally:
        second.close()


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("arguments", [[], ["1", "--all"]])
def test_replay_wants_ids_or_all(arguments: list[str], capsys: Capture) -> None:
    """Neither and both are mistakes; nothing is replayed."""
    assert 1 == main(["dead-letter", "replay", *arguments])

    assert (
        "agenttracer: name the dead letters to replay by their ids, or give --all\n"
        == capsys.readouterr().err
    )


def test_no_journal_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """And no file is made where there was none."""
    assert 1 == main(["dead-letter", "list", "--directory", str(tmp_path)])

    assert f"there is no journal in {tmp_path}: " in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_is_no_journal_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """Named with what SQLite says about it."""
    (tmp_path / "journal.sqlite").write_bytes(b"garbage" * 1000)

    assert 1 == main(["dead-letter", "list", "--directory", str(tmp_path)])

    assert "can't be used (file is not a database)" in capsys.readouterr().err
