"""The journal keeps what it took, hands it out the same way after a crash, and its books balance."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttracer.collector import dead_letters
from agenttracer.collector.errors import StartError, Unavailable
from agenttracer.collector.journal import Group, Journal, connect
from agenttracer.collector.receipts import Receipt


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


def open_journal(directory: Path, max_bytes: int = 1_000_000) -> Journal:
    opened = Journal(directory / "journal", max_bytes=max_bytes, window_seconds=900)
    opened.open()
    opened.register([("traces", "store"), ("traces", "slow")])
    return opened


def append(journal: Journal, *rows: int, tenant: str = "default") -> None:
    groups = [Group("traces", tenant, count, b"payload of %d" % count) for count in rows]
    journal.append(groups, [], Counter({("traces", tenant, "received", "", ""): sum(rows)}))


def books(journal: Journal, exporter: str = "store") -> dict[str, int]:
    lines: Counter[str] = Counter()
    for entry in journal.entries():
        if entry.exporter in ("", exporter):
            lines[entry.state] += entry.rows
    return dict(lines)


def test_groups_come_out_in_order_and_once(journal: Journal) -> None:
    """A cursor hands out every group once, in the order they came."""
    append(journal, 1, 2)
    append(journal, 3)

    first = journal.claim("traces", "store", max_rows=3)
    assert first is not None
    journal.advance(first)
    second = journal.claim("traces", "store", max_rows=3)
    assert second is not None
    journal.advance(second)

    assert [group.rows for group in first.groups + second.groups] == [1, 2, 3]
    assert journal.claim("traces", "store", max_rows=3) is None


def test_a_claim_is_the_same_after_a_crash(tmp_path: Path) -> None:
    """A claim that was not answered comes again with the same rows and token, though more rows have come."""
    journal = open_journal(tmp_path)
    append(journal, 5, 5)
    before = journal.claim("traces", "store", max_rows=100)
    append(journal, 7)
    journal.close()

    journal = open_journal(tmp_path)
    again = journal.claim("traces", "store", max_rows=100)
    assert before is not None
    assert again is not None

    assert (again.token, again.rows) == (before.token, before.rows)
    journal.advance(again)
    following = journal.claim("traces", "store", max_rows=100)
    assert following is not None
    assert following.rows == 7
    assert following.token != before.token
    journal.close()


def test_a_slow_exporter_does_not_hold_another_back(journal: Journal) -> None:
    """Each exporter has its own cursor; rows are deleted when the last one has them."""
    append(journal, 4)
    fast = journal.claim("traces", "store", 100)
    assert fast is not None
    journal.advance(fast)

    assert journal.waiting("traces", "store")[1] == 0
    assert journal.waiting("traces", "slow")[1] == 4
    assert journal.waiting_bytes > 0
    slow = journal.claim("traces", "slow", 100)
    assert slow is not None
    journal.advance(slow)
    assert journal.waiting_bytes == 0


def test_the_books_balance_through_every_state(journal: Journal) -> None:
    """received = stored + waiting + duplicate + rejected + filtered + dead_lettered."""
    append(journal, 1, 2, 4)
    journal.note(
        Counter(
            {
                ("traces", "default", "received", "", ""): 8 + 16,
                ("traces", "default", "duplicate", "", ""): 8,
                ("traces", "default", "rejected", "invalid_id", ""): 16,
            }
        )
    )
    claim = journal.claim("traces", "store", max_rows=1)
    assert claim is not None
    journal.advance(claim)
    claim = journal.claim("traces", "store", max_rows=1)
    assert claim is not None
    journal.bury(claim, "clickhouse_53")

    assert books(journal) == {
        "received": 31,
        "stored": 1,
        "dead_lettered": 2,
        "waiting": 4,
        "duplicate": 8,
        "rejected": 16,
    }


def test_the_books_survive_a_restart(tmp_path: Path) -> None:
    """What was counted is counted for ever: the books are in the same file as the rows."""
    journal = open_journal(tmp_path)
    append(journal, 3)
    before = books(journal)
    journal.close()

    journal = open_journal(tmp_path)
    after = books(journal)
    journal.close()

    assert after == before == {"received": 3, "waiting": 3}


def test_receipts_are_remembered_over_a_restart(tmp_path: Path) -> None:
    """A request answered before a crash is recognised after it."""
    journal = open_journal(tmp_path)
    journal.append([], [Receipt(b"digest", 10, 1)], Counter())
    journal.close()

    journal = open_journal(tmp_path)

    assert journal.answered(b"digest") == (10, 1)
    assert journal.answered(b"another") is None
    journal.close()


def test_old_receipts_are_forgotten(tmp_path: Path) -> None:
    """Behind the window a request counts as a new one, and the receipts don't grow without end."""
    journal = Journal(tmp_path, max_bytes=1, window_seconds=-1)
    journal.open()
    journal.append([], [Receipt(b"digest", 10, 0)], Counter())

    journal.forget_receipts()

    assert journal.answered(b"digest") is None
    journal.close()


def test_it_is_full_at_its_limit(tmp_path: Path) -> None:
    """The limit is on what waits, and delivering makes room again."""
    journal = open_journal(tmp_path, max_bytes=10)
    append(journal, 1)

    assert journal.full_for("default")
    for exporter in ("store", "slow"):
        claim = journal.claim("traces", exporter, 10)
        assert claim is not None
        journal.advance(claim)
    assert not journal.full_for("default")
    journal.close()


def test_a_tenant_that_fills_the_journal_leaves_room_for_others(tmp_path: Path) -> None:
    """Also after a restart: the sizes are counted from the groups."""
    journal = open_journal(tmp_path, max_bytes=110)
    while not journal.full_for("loud"):
        append(journal, 1, tenant="loud")
    journal.close()
    journal = open_journal(tmp_path, max_bytes=110)

    assert journal.full_for("loud")
    assert not journal.full_for("quiet")
    journal.close()


def test_refused_rows_are_kept_as_dead_letters(journal: Journal) -> None:
    """Rows that an exporter refuses for good leave the line and stay on disk with the reason."""
    append(journal, 2)
    claim = journal.claim("traces", "store", 10)
    assert claim is not None

    journal.bury(claim, "clickhouse_53")

    with closing(connect(journal.directory / "journal.sqlite")) as connection:
        (letter,) = dead_letters.read(connection)
    assert ("traces", "store", "default", 2, "clickhouse_53") == (
        letter.pipeline,
        letter.exporter,
        letter.tenant,
        letter.rows,
        letter.reason,
    )
    assert journal.claim("traces", "store", 10) is None


def test_what_waited_for_an_exporter_that_is_gone_is_given_up_openly(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """When the configuration no longer names an exporter, its rows wait for nobody: told in the log, and
    counted in its books."""
    append(journal, 2)
    journal.register([("traces", "store")])
    claim = journal.claim("traces", "store", 10)
    assert claim is not None

    journal.advance(claim)

    assert journal.waiting_bytes == 0
    assert books(journal, "slow") == {"received": 2, "filtered": 2}
    assert books(journal) == {"received": 2, "stored": 2}
    assert "slow is no exporter of traces any more: 2 rows" in caplog.text


def test_a_pipeline_that_is_gone_leaves_nothing_behind(journal: Journal) -> None:
    """Its groups are deleted with its last exporter."""
    append(journal, 2)

    journal.register([("logs", "store")])

    assert journal.waiting_bytes == 0
    assert books(journal) == {"received": 2, "filtered": 2}


def test_a_new_exporter_takes_what_still_waits(journal: Journal) -> None:
    """A cursor that is added begins with the oldest group that is still there."""
    append(journal, 2)

    journal.register([("traces", "store"), ("traces", "slow"), ("traces", "new")])

    claim = journal.claim("traces", "new", 10)
    assert claim is not None
    assert claim.rows == 2


def test_two_collectors_can_not_share_a_journal(journal: Journal) -> None:
    """The second one says so in one sentence."""
    with pytest.raises(StartError, match="is in use by another collector"):
        Journal(journal.directory, max_bytes=1, window_seconds=1).open()


def test_an_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be is named, with the option to set."""
    (tmp_path / "journal").write_text("a file")

    with pytest.raises(StartError, match=r"can't be written .*file_storage::directory"):
        Journal(tmp_path / "journal", max_bytes=1, window_seconds=1).open()


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    """Garbage in place of the journal stops the start and says what to do."""
    (tmp_path / "journal.sqlite").write_bytes(b"garbage" * 1000)

    with pytest.raises(StartError, match="move the file away"):
        Journal(tmp_path, max_bytes=1, window_seconds=1).open()


def test_a_closed_journal_is_unavailable(journal: Journal) -> None:
    """Whoever comes too late is told to come again, not that all is well."""
    journal.close()

    with pytest.raises(Unavailable):
        append(journal, 1)
