"""``agenttracer erase``: what it refuses in one sentence, what it asks, and what its receipt says."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.cli.main import main
from agenttracer.collector.codec import pack
from agenttracer.collector.component import Erased
from agenttracer.collector.journal import Group, Journal
from tests.batches import make_batch

CONFIG: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "localhost:0"}}}},
    "processors": {"redaction": {"key_file": "keys/redaction.key"}},
    "exporters": {"artifacts": {"directory": "artifacts"}, "debug": {}},
    "extensions": {"file_storage": {"directory": "journal"}},
    "service": {
        "extensions": ["file_storage"],
        "pipelines": {
            "logs": {"receivers": ["otlp"], "processors": ["redaction"], "exporters": ["artifacts", "debug"]}
        },
    },
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, without a journal."""
    (tmp_path / "otel-config.yaml").write_text(json.dumps(CONFIG))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def journal(folder: Path) -> Journal:
    """The journal of a stopped collector, with a row of a run."""
    made = Journal(folder / "journal", max_bytes=1_000_000, window_seconds=900)
    fill(made, "acme")
    return made


def fill(journal: Journal, tenant: str) -> None:
    """Add a row of the tenant's; the journal is closed before and after."""
    journal.open()
    journal.register([("logs", "artifacts"), ("logs", "debug")])
    rows = pack(make_batch("logs", [{"RunId": "run-1"}], resources=[{"TenantId": tenant}]))
    received = Counter({("logs", tenant, "received", "", ""): 1})
    journal.append([Group("logs", tenant, 1, rows)], [], received)
    journal.close()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence with which an erasure is refused."""
    assert 1 == main(["erase", *arguments])
    printed = capsys.readouterr()
    assert ("", 1) == (printed.out, len(printed.err.splitlines()))
    return printed.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "say what to forget: --tenant, --run or --user"),
        (["--user-hash", "alice", "--yes"], "for a plain id use --user"),
        (["--tenant", "acme"], "nobody can be asked here: give --yes to erase, or --dry-run to count"),
        (["--user", "-", "--yes"], "--user - found no id on stdin"),
        (["--tenant", "acme", "--yes"], "there is no journal in journal"),
        (["--tenant", "acme", "--yes", "--config", "none.yaml"], "unable to read the file none.yaml"),
    ],
)
def test_what_cant_be_done_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    """In one sentence, before anything is opened."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert sentence in refused(capsys, *arguments)


def test_a_run_and_a_user_are_two_erasures() -> None:
    """argparse's own refusal."""
    with pytest.raises(SystemExit):
        main(["erase", "--run", "run-1", "--user", "alice"])


def test_the_only_tenant_needs_no_name(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The receipt says which it was, what was found where, and who can't forget."""
    assert 0 == main(["erase", "--run", "run-1", "--yes", "--json"])
    printed = json.loads(capsys.readouterr().out)
    (file,) = folder.glob("erasure-*.json")
    assert printed == json.loads(file.read_text())
    assert {"tenant": "acme", "run": "run-1", "user_tokens": []} == printed["asked"]
    assert {"place": "journal", "part": "waiting rows", "found": 1, "erased": 1, "left": 0} in printed[
        "places"
    ]
    assert (True, False, ["debug"]) == (
        printed["complete"],
        printed["collector_running"],
        printed["exporters_without_erasure"],
    )


def test_of_several_tenants_one_must_be_named(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's hash is another in each, and a run's id may be used by each."""
    fill(journal, "globex")
    assert "the stores hold 2 tenants" in refused(capsys, "--run", "run-1", "--yes")


def test_a_user_cant_be_found_without_the_key(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no key is made, which would find nobody."""
    assert "the key of the users' hashes is not where" in refused(capsys, "--user", "alice", "--yes")
    assert not (folder / "keys").exists()


def test_a_receipt_that_cant_be_written_stops_it(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is erased; a receipt that is there is not overwritten."""
    (folder / "receipt.json").write_text("an earlier one")
    said = refused(capsys, "--tenant", "acme", "--yes", "--receipt", "receipt.json")
    assert "the receipt receipt.json can't be written (File exists)" in said
    assert "an earlier one" == (folder / "receipt.json").read_text()
    assert 0 == main(["erase", "--tenant", "acme", "--dry-run", "--json"])
    places = json.loads(capsys.readouterr().out)["places"]
    assert 1 == next(line["found"] for line in places if line["part"] == "waiting rows")


@pytest.mark.parametrize(("answer", "status", "left"), [("no", 1, 1), ("y", 1, 1), ("yes", 0, 0)])
def test_a_terminal_is_asked(
    journal: Journal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    left: int,
) -> None:
    """Only yes erases."""
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    assert status == main(["erase", "--tenant", "acme"])
    assert (
        "Erase everything of tenant acme from the journal, the dead letters, artifacts"
        in capsys.readouterr().out
    )
    main(["erase", "--tenant", "acme", "--dry-run", "--json"])
    places = json.loads(capsys.readouterr().out)["places"]
    assert left == next(line["found"] for line in places if line["part"] == "waiting rows")


def test_rows_of_a_running_collector_are_left_to_it(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When they are not delivered in time, they are counted as left, and the exit status says so."""
    journal.open()
    try:
        assert 1 == main(["erase", "--tenant", "acme", "--yes", "--wait-seconds", "0"])
        printed = capsys.readouterr()
        assert "NOT complete" in printed.out
        assert "rows wait in the journal of the running collector" in printed.err
        claim = journal.claim("logs", "artifacts", 10)
        assert claim is not None
        assert 1 == claim.rows
    finally:
        journal.close()
    assert 0 == main(["erase", "--tenant", "acme", "--yes"])


def test_the_journals_of_all_workers_forget(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a worker that there is no more; each is a place of its own in the receipt."""
    second = Journal(folder / "journal" / "worker-2", max_bytes=1_000_000, window_seconds=900)
    fill(second, "acme")
    assert 0 == main(["erase", "--tenant", "acme", "--yes", "--json"])
    lines = json.loads(capsys.readouterr().out)["places"]
    waiting = {
        line["place"]: (line["found"], line["left"]) for line in lines if line["part"] == "waiting rows"
    }
    assert {"journal": (1, 0), "journal of worker 2": (1, 0)} == waiting
    assert {"journal", "journal of worker 2"} == {
        line["place"] for line in lines if line["part"] == "free pages"
    }
    second.open()
    assert 0 == second.waiting_bytes
    second.close()


def test_workers_of_which_one_is_away_are_left_to_themselves(
    journal: Journal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker that was killed is started again, and must find its journal unlocked."""
    second = Journal(folder / "journal" / "worker-2", max_bytes=1_000_000, window_seconds=900)
    fill(second, "acme")
    second.open()
    try:
        assert 1 == main(["erase", "--tenant", "acme", "--yes", "--wait-seconds", "0", "--json"])
    finally:
        second.close()
    receipt = json.loads(capsys.readouterr().out)
    assert (False, True) == (receipt["complete"], receipt["collector_running"])
    waiting = {line["place"]: line["left"] for line in receipt["places"] if line["part"] == "waiting rows"}
    assert {"journal": 1, "journal of worker 2": 1} == waiting


def test_nothing_found_is_said_to_be_that(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped id must not look like an erasure; places that held nothing are counted, not listed."""
    assert 0 == main(["erase", "--tenant", "acme", "--run", "run-0", "--yes"])
    nothing = capsys.readouterr().out
    assert 0 == main(["erase", "--tenant", "acme", "--run", "run-1", "--yes"])
    something = capsys.readouterr().out

    assert "nothing was found in" in nothing
    assert "check the id and the tenant" in nothing
    assert "place" not in nothing.split()
    assert "waiting rows" in something
    assert "dead letters" not in something
    assert "other places" in something


def test_no_collector_starts_meanwhile(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal is locked while its groups are changed."""
    from agenttracer.collector.erasure import erase as erasing

    said: list[str] = []

    def scrub(connection: Any) -> Erased:
        try:
            Journal(folder / "journal", max_bytes=1, window_seconds=1).open()
        except Exception as error:
            said.append(str(error))
        return real(connection)

    real: Callable[[Any], Erased] = erasing.scrub
    monkeypatch.setattr(erasing, "scrub", scrub)
    assert 0 == main(["erase", "--tenant", "acme", "--yes"])
    assert ["in use by another collector" in sentence for sentence in said] == [True]
